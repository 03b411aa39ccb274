"""CSV (RFC 4180): one row a finding or suggestion, with its best evidence."""

from __future__ import annotations

import csv
import io

from engine.outputs.base import Context
from engine.outputs.columns import COLUMNS
from engine.outputs.evidence import best, sentence_text, tactic_names
from engine.outputs.record import number
from engine.outputs.text import one_line
from engine.types import Analysis, Finding

# A spreadsheet runs a cell that begins so as a formula, be it typed full-width or after
# spaces. The apostrophe makes it text (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


def write(analysis: Analysis, context: Context) -> str:
    """Return the rows of one analysis, without the header (``columns.HEADER``)."""
    buffer = io.StringIO()
    rows = csv.DictWriter(buffer, COLUMNS, lineterminator="\r\n")
    for kind, findings in (("finding", analysis.findings), ("suggestion", analysis.suggestions)):
        for finding in findings:
            rows.writerow(_row(kind, finding, analysis, context))
    return buffer.getvalue()


def _row(kind: str, finding: Finding, analysis: Analysis, context: Context) -> dict[str, str]:
    evidence = best(finding)
    cells: dict[str, str] = {
        "document": analysis.document.name,
        "kind": kind,
        "technique": finding.technique,
        "name": finding.name,
        "tactics": "; ".join(tactic_names(context.knowledge, finding.technique)),
        "probability": str(number(finding.probability)),
        "explicit": "yes" if finding.explicit else "no",
        "evidence": sentence_text(analysis.document, evidence) if evidence else "",
        "page": str(evidence.page) if evidence and evidence.page is not None else "",
        "sentence": str(evidence.sentence) if evidence else "",
        "recognizer": evidence.recognizer if evidence else "",
        "release": analysis.release,
        "attack_version": analysis.attack_version,
    }
    return {column: _cell(text) for column, text in cells.items()}


def _cell(text: str) -> str:
    line = one_line(text)
    return "'" + line if line.startswith(_FORMULA) else line
