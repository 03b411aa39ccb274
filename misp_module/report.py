"""Markdown for MISP's event reports: the tables, and the text with its evidence marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from engine.outputs.evidence import url
from engine.outputs.markdown import escape, evidence_tables, inference_table
from engine.types import Analysis, Sentence

MAX_CHARS = 1_000_000
_LEADS = {"heading": "### ", "list_item": "- "}
_TEXT = "## The text, its evidence in bold"
_CUT = "*The text is longer than an event report should be; it ends here.*"
_LINK = r"\[T\d{4}(?:\.\d{3})?\]\([^()\s]*\)"
_MARKED = re.compile(rf"\*\*((?:[^*\\]|\\.)+)\*\* \({_LINK}(?:, {_LINK})*\)", re.DOTALL)


def event_report(
    readings: Sequence[tuple[str, Analysis]], remarks: Iterable[str] = (), *, text: bool = False
) -> str:
    """Return an event report.

    Parameters
    ----------
    readings : sequence of (label, Analysis)
    remarks : iterable of str
        What a reader should know besides.
    text : bool
        Whether to append the text itself, its evidence marked.
    """
    parts = [
        "*Written by ttpscribe, a machine; no analyst has reviewed it. Delete a technique's object "
        "or remove its tag where it is wrong: ttpscribe will not write it again.*"
    ]
    parts += [f"*Note: {escape(remark)}.*" for remark in remarks]
    for label, analysis in readings:
        parts += [f"## ATT&CK techniques in {escape(label)}", evidence_tables(analysis)]
        if analysis.inferences:
            parts += ["### Likely further techniques", inference_table(analysis)]
    if text:
        for _, analysis in readings:
            parts += [_TEXT, marked_text(analysis)]
    whole = "\n\n".join(part.rstrip() for part in parts) + "\n"
    if len(whole) <= MAX_CHARS:
        return whole
    cut = whole.rfind("\n", 0, MAX_CHARS)
    return f"{whole[:cut]}\n\n{_CUT}\n"


def imported_text(content: str) -> str:
    """Return the text that an event report of ours holds, as Markdown, without our marks.

    An imported text stands nowhere else in the event. "" where there is none.
    """
    _, *texts = content.split(f"{_TEXT}\n")
    return "\n\n".join(_MARKED.sub(r"\1", text).replace(_CUT, "").strip() for text in texts)


def marked_text(analysis: Analysis) -> str:
    """Return the document as Markdown; sentences that prove a finding are bold, with its id."""
    shown: dict[int, list[str]] = {}
    for finding in analysis.findings:
        for evidence in finding.evidence:
            techniques = shown.setdefault(evidence.sentence, [])
            if finding.technique not in techniques:
                techniques.append(finding.technique)
    parts: list[str] = []
    before: Sentence | None = None
    for sentence in analysis.document.sentences:
        parts.append(_gap(analysis, before, sentence))
        parts.append(_marked(sentence, shown.get(sentence.index, [])))
        before = sentence
    return "".join(parts).strip() + "\n"


def _gap(analysis: Analysis, before: Sentence | None, sentence: Sentence) -> str:
    lead = _LEADS.get(sentence.kind, "")
    if before is None:
        return lead
    between = analysis.document.text[before.end : sentence.start]
    if lead or before.kind != sentence.kind or "\n" in between:
        return "\n\n" + lead
    return " "


def _marked(sentence: Sentence, techniques: list[str]) -> str:
    text = escape(sentence.text)
    if not techniques:
        return text
    links = ", ".join(f"[{technique}]({url(technique)})" for technique in techniques)
    return f"**{text}** ({links})"
