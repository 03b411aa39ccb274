"""The note of a report: which techniques, how sure, by which sentence, and what may follow."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from connector.files import NAMESPACE
from connector.reader import Reading
from engine.outputs.evidence import ranked, sentence_text, url
from engine.outputs.markdown import escape
from engine.outputs.text import one_line, percent
from engine.types import Analysis, Evidence, Finding

# The platform keeps a note's id, and updates it in place, only where it has an abstract.
ABSTRACT = "ATT&CK techniques in this report (ttpscribe)"
SHOWN = 2  # sentences of evidence for each technique
LONGEST = 400  # characters of one sentence
_TEACH = (
    "*One is missing, or right but not for its sentence? Write a note on this report, with the "
    "technique's id and the sentence as a quotation: that is what ttpscribe can learn most from.*"
)


def note_id(report_id: str) -> str:
    """Return the fixed id of a report's note, made of what never changes: its internal id."""
    return f"note--{uuid.uuid5(NAMESPACE, f'note of {report_id}')}"


def render(
    analysis: Analysis,
    reading: Reading,
    *,
    removed: frozenset[str] = frozenset(),
    added: Iterable[str] = (),
) -> str:
    """Return the note's text.

    Parameters
    ----------
    analysis : Analysis
    reading : Reading
        What was read, with the sources of the sentences.
    removed : frozenset of str
        Techniques that an analyst took out of the report; listed apart.
    added : iterable of str
        Techniques that analysts put in; named where inferences build on them.
    """
    kept = [each for each in analysis.findings if each.technique not in removed]
    parts = ["## Techniques in this report"]
    if kept:
        parts.append(_table(kept, analysis, reading))
    else:
        parts.append("No technique is sure enough to be written.")
    if analysis.suggestions:
        parts += [
            "## Suggestions",
            "Less sure. They are not written into the report; add those that you agree with.",
            _table(
                [each for each in analysis.suggestions if each.technique not in removed],
                analysis,
                reading,
            ),
        ]
    if analysis.inferences:
        parts += ["## Likely next", _inferences(analysis, added)]
    if gone := [each for each in analysis.findings if each.technique in removed]:
        names = ", ".join(f"{_link(each.technique)} {escape(each.name)}" for each in gone)
        parts += [f"Removed by an analyst, and not written again: {names}."]
    parts += [_reading(reading), _TEACH, _release(analysis)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(findings: Iterable[Finding], analysis: Analysis, reading: Reading) -> str:
    head = "| Technique | Name | Probability | Evidence | Recognizer |\n|---|---|---:|---|---|"
    return "\n".join([head, *(_row(each, analysis, reading) for each in findings)])


def _row(finding: Finding, analysis: Analysis, reading: Reading) -> str:
    # One line a cell, and no HTML: OpenCTI shows Markdown alone.
    quotes = [
        f"“{escape(one_line(sentence_text(analysis.document, each), LONGEST))}” "
        f"*({_place(each, reading)})*"
        for each in ranked(finding)[:SHOWN]
    ]
    recognizers = sorted({each.recognizer for each in finding.evidence})
    return (
        f"| {_link(finding.technique)} | {escape(finding.name)} | {percent(finding.probability)} "
        f"| {' '.join(quotes) or 'the report as a whole'} | {escape(', '.join(recognizers))} |"
    )


def _place(evidence: Evidence, reading: Reading) -> str:
    source = escape(reading.source_of(evidence.sentence).name)
    return f"{source}, p. {evidence.page}" if evidence.page is not None else source


def _inferences(analysis: Analysis, added: Iterable[str]) -> str:
    intro = (
        "The text does not show these techniques. They are likely beside those found, as past "
        "reports have them together."
    )
    if given := sorted(added):
        intro += f" Counted in as well, as analysts added them: {', '.join(map(_link, given))}."
    rows = [
        f"| {_link(each.technique)} | {escape(each.name)} | {each.score:.2f} "
        f"| {', '.join(_link(reason.technique) for reason in each.because)} |"
        for each in analysis.inferences
    ]
    head = "| Technique | Name | Score | Because of |\n|---|---|---:|---|"
    return "\n\n".join([intro, "\n".join([head, *rows])])


def _reading(reading: Reading) -> str:
    lines = []
    if reading.sources:
        lines.append("Read: " + ", ".join(escape(each.name) for each in reading.sources) + ".")
    lines += [f"Not read: {escape(problem)}" for problem in reading.problems]
    if reading.document is not None:
        lines += [f"Note: {escape(warning)}" for warning in reading.document.warnings]
    return "\n".join(f"- {line}" for line in lines)


def _release(analysis: Analysis) -> str:
    return (
        f"*ttpscribe, release {escape(analysis.release)}, operating point "
        f"{escape(analysis.operating_point)}, ATT&amp;CK {escape(analysis.attack_version)}. "
        "Probabilities are calibrated: of the techniques at 80%, four in five are right.*"
    )


def _link(technique: str) -> str:
    page = url(technique)
    return f"[{technique}]({page})" if page else escape(technique)
