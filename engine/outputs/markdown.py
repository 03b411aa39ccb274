"""Markdown tables of an analysis, for notes and event reports in the platforms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.outputs.evidence import best, place, sentence_text, url
from engine.outputs.text import one_line, percent
from engine.types import Analysis, Document, Finding

EVIDENCE_LIMIT = 500

# All that Markdown, or the HTML and the links in it, could take for a command.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$])")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|javascript|data|www)([:.])")


def escape(text: str) -> str:
    """Return untrusted text as one line that Markdown shows as it is.

    URLs are not made clickable: an entity stands for the colon, which shows unchanged.
    """
    line = _SPECIAL.sub(r"\\\1", one_line(text).replace("&", "&amp;"))
    return _LINK.sub(lambda found: f"{found[1]}&#{ord(found[2])};", line)


def evidence_tables(analysis: Analysis) -> str:
    """Return the findings and the suggestions as tables, and whence they come."""
    parts = []
    if analysis.findings:
        parts.append(_table(analysis.document, analysis.findings))
    else:
        parts.append("No technique reaches the operating point.")
    if analysis.suggestions:
        parts += ["**Suggestions** (less sure, for an analyst to decide)"]
        parts.append(_table(analysis.document, analysis.suggestions))
    parts += [f"*Warning: {escape(warning)}*" for warning in analysis.warnings]
    parts.append(_source(analysis))
    return "\n\n".join(parts) + "\n"


def inference_table(analysis: Analysis) -> str:
    """Return the inferences as a table, with the findings that speak for each."""
    rows = [
        f"| {_link(inference.technique)} | {escape(inference.name)} | {inference.score:.2f} "
        f"| {', '.join(_link(reason.technique) for reason in inference.because)} |"
        for inference in analysis.inferences
    ]
    head = "| Technique | Name | Score | Because of |\n|---|---|---:|---|"
    intro = "The text does not support these techniques; they are likely given its findings."
    return "\n\n".join([intro, "\n".join([head, *rows]), _source(analysis)]) + "\n"


def _table(document: Document, findings: Iterable[Finding]) -> str:
    head = (
        "| Technique | Name | Probability | Named | Evidence | Where |\n|---|---|---:|---|---|---|"
    )
    return "\n".join([head, *(_row(document, finding) for finding in findings)])


def _row(document: Document, finding: Finding) -> str:
    evidence = best(finding)
    quote = "the whole document"
    if evidence:
        quote = escape(one_line(sentence_text(document, evidence), EVIDENCE_LIMIT))
    where = place(evidence) if evidence else ""
    named = "yes" if finding.explicit else ""
    return (
        f"| {_link(finding.technique)} | {escape(finding.name)} | {percent(finding.probability)} "
        f"| {named} | {quote} | {where} |"
    )


def _link(technique: str) -> str:
    page = url(technique)
    return f"[{technique}]({page})" if page else escape(technique)


def _source(analysis: Analysis) -> str:
    return (
        f"ttpscribe, release {escape(analysis.release)}, operating point "
        f"{escape(analysis.operating_point)}, ATT&amp;CK {escape(analysis.attack_version)}."
    )
