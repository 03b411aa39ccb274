"""What several outputs ask of findings: the best evidence, where it stands, which tactics."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.types import Document, Evidence, Finding

if TYPE_CHECKING:
    from engine.knowledge import Knowledge, Technique

_ID = re.compile(r"T\d{4}(?:\.\d{3})?")
SITE = "https://attack.mitre.org/techniques/"


def best(finding: Finding) -> Evidence | None:
    """Return the evidence to show where there is room for one: the engine's first."""
    return next(iter(finding.evidence), None)


def ranked(finding: Finding) -> list[Evidence]:
    """Return the best evidence of each sentence, in the engine's order."""
    of_sentence: dict[int, Evidence] = {}
    for evidence in finding.evidence:
        known = of_sentence.get(evidence.sentence)
        if known is None or evidence.probability > known.probability:
            of_sentence[evidence.sentence] = evidence
    return list(of_sentence.values())


def sentence_text(document: Document, evidence: Evidence) -> str:
    """Return the whole sentence that holds the evidence: a bare id tells a reader little."""
    if 0 <= evidence.sentence < len(document.sentences):
        return document.sentences[evidence.sentence].text
    return evidence.text


def place(evidence: Evidence) -> str:
    """Say where evidence stands: the page, or else the number of the sentence, from 1."""
    if evidence.page is not None:
        return f"p. {evidence.page}"
    return f"sentence {evidence.sentence + 1}"


def pages(finding: Finding) -> list[int]:
    """Return the pages that hold evidence, ascending."""
    return sorted({e.page for e in finding.evidence if e.page is not None})


def url(technique: str) -> str | None:
    """Return the technique's page on attack.mitre.org; None for what is no ATT&CK id."""
    if not _ID.fullmatch(technique):
        return None
    return SITE + technique.replace(".", "/") + "/"


def look_up(knowledge: Knowledge, technique: str) -> Technique | None:
    """Return what ATT&CK says of the technique; None where this ATT&CK does not know it."""
    return knowledge.resolve(technique).technique


def tactic_ids(knowledge: Knowledge, technique: str) -> tuple[str, ...]:
    """Return the ids of the technique's tactics; none where ATT&CK does not know it."""
    found = look_up(knowledge, technique)
    return found.tactics if found else ()


def tactic_names(knowledge: Knowledge, technique: str) -> list[str]:
    """Return the names of the technique's tactics."""
    return [knowledge.tactic(tactic).name for tactic in tactic_ids(knowledge, technique)]


def recognizers(evidence: Iterable[Evidence]) -> list[str]:
    """Return the names of the recognizers that gave the evidence, sorted."""
    return sorted({e.recognizer for e in evidence})
