"""Who uses what: ``uses`` relationships from the threats that the evidence speaks of.

A relationship that is there is referred to and never sent: the platform would overwrite its
description. One that an analyst removed is not written again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pycti import StixCoreRelationship

from connector.memory import Memory
from connector.platform import Platform
from connector.reader import Reading
from connector.report import Report, StoredTechnique
from connector.threats import Threats, threats_of
from engine.outputs.text import one_line, percent
from engine.types import Analysis, Finding, Inference

INFERRED_LABEL = "ttpscribe:inferred"
# What speaks for an inference is not the text; analysts see at a glance that this is a guess.
INFERRED_CONFIDENCE = 15
_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Uses:
    """A ``uses`` relationship to write (``new``), or one that is there to refer to.

    ``sentence`` is the one that proves it; None for an inference.
    """

    id: str
    threat: str
    technique: str
    new: bool
    sentence: int | None

    @property
    def inferred(self) -> bool:
        """Whether the text does not say it."""
        return self.sentence is None


def find_uses(
    report: Report,
    findings: Collection[Finding],
    inferences: Collection[Inference],
    reading: Reading,
    memory: Memory,
    stored: Mapping[str, StoredTechnique],
    platform: Platform,
) -> list[Uses]:
    """Return the relationships to write, and those there already to refer to.

    Parameters
    ----------
    report : Report
        With the threats that it refers to.
    findings : collection of Finding
        Those that are written.
    inferences : collection of Inference
        Those to write as relationships; only where all evidence speaks of one and the same threat.
    reading : Reading
    memory : Memory
    stored : mapping from technique to StoredTechnique
    platform : Platform
    """
    threats = Threats(report.threats)
    spoken: list[tuple[str, str, int | None]] = [
        (threat, finding.technique, sentence)
        for finding in findings
        for threat, sentence in threats_of(finding, reading, threats).items()
    ]
    subjects = {threat for threat, _, _ in spoken}
    if len(subjects) == 1:
        (subject,) = subjects
        spoken += [(subject, each.technique, None) for each in inferences]
    there = {threat: platform.uses(threats.by_id[threat].id) for threat in sorted(subjects)}
    found = []
    for threat, technique, sentence in spoken:
        target = stored[technique].standard_id
        known = there[threat].get(target)
        if known and sentence is None:
            continue  # what somebody stated already needs no guess
        identifier = known or StixCoreRelationship.generate_id("uses", threat, target)
        if identifier not in memory.gone:
            found.append(Uses(identifier, threat, technique, not known, sentence))
    return found


def to_stix(
    uses: Uses,
    report: Report,
    analysis: Analysis,
    target: StoredTechnique,
    highest: int,
    common: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a relationship to send.

    Parameters
    ----------
    uses : Uses
    report : Report
    analysis : Analysis
    target : StoredTechnique
    highest : int
        The confidence that the connector's user may give at most.
    common : mapping
        Author and dates.
    """
    made: dict[str, Any] = {
        "type": "relationship",
        "spec_version": "2.1",
        "id": uses.id,
        **common,
        "relationship_type": "uses",
        "source_ref": uses.threat,
        "target_ref": target.standard_id,
        "object_marking_refs": report.marking_refs,
    }
    name = one_line(report.name, _QUOTE)
    if uses.sentence is None:
        inference = next(each for each in analysis.inferences if each.technique == uses.technique)
        because = ", ".join(reason.technique for reason in inference.because)
        made["labels"] = [INFERRED_LABEL]
        made["confidence"] = min(INFERRED_CONFIDENCE, highest)
        made["description"] = (
            f'Inferred, not stated in the report "{name}": likely beside '
            f"{because or 'what the report shows'} (ttpscribe, release {analysis.release})."
        )
        return made
    finding = next(each for each in analysis.findings if each.technique == uses.technique)
    sentence = one_line(analysis.document.sentences[uses.sentence].text, _QUOTE)
    made["confidence"] = min(round(finding.probability * 100), highest)
    made["description"] = (
        f'"{sentence}" (report "{name}", probability {percent(finding.probability)}, ttpscribe, '
        f"release {analysis.release})"
    )
    return made
