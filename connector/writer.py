"""What goes back to OpenCTI: the smallest bundle that adds what is missing.

The rules follow what the platform was seen to do with bundles (``docs/opencti.md``). References
only ever grow, so only new ones are sent. The report goes with the name, the date and the
confidence that it has at this moment: a lower confidence is dropped without a word, a higher one
changes the report. What is there already is referred to and not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pycti import AttackPattern, Identity

from connector.files import OwnFile
from connector.files import render as render_files
from connector.memory import Memory, file_key, label_key
from connector.note import ABSTRACT, note_id
from connector.note import render as render_note
from connector.reader import Reading
from connector.report import Report, StoredTechnique
from connector.uses import Uses, find_uses, to_stix
from engine.outputs import Context
from engine.outputs.evidence import url
from engine.types import Analysis, Finding, Inference

if TYPE_CHECKING:
    from connector.platform import Platform
    from connector.settings import TtpscribeSettings
    from engine.knowledge import Knowledge

AUTHOR_NAME = "ttpscribe"
AUTHOR = Identity.generate_id(AUTHOR_NAME, "organization")
# ATT&CK belongs to MITRE: what we had to create, any better source overwrites.
FACT_CONFIDENCE = 1
KILL_CHAINS = {
    "enterprise": "mitre-attack",
    "mobile": "mitre-mobile-attack",
    "ics": "mitre-ics-attack",
}


@dataclass
class Draft:
    """What is to be written for one report, collected part by part.

    Attributes
    ----------
    refs : dict from technique to standard id
        Attack-patterns to refer to that the report does not refer to yet.
    objects : list of dict
        STIX objects to send besides the report itself.
    """

    report: Report
    now: str
    refs: dict[str, str] = field(default_factory=dict)
    uses: list[Uses] = field(default_factory=list)
    note: str | None = None
    note_text: str = ""
    files: list[OwnFile] = field(default_factory=list)
    label: str | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)

    @property
    def new_refs(self) -> list[str]:
        """All that the report shall refer to from now on."""
        known = self.report.object_ids
        wanted = [*self.refs.values(), *(each.id for each in self.uses)]
        return [each for each in dict.fromkeys(wanted) if each not in known]

    @property
    def things(self) -> list[str]:
        """The keys of what is written besides techniques; see `connector.memory`."""
        keys = [each.id for each in self.uses] if self.report.kind.container else []
        keys += [file_key(file.name) for file in self.files]
        keys += [label_key(self.label)] if self.label else []
        return [*keys, *([self.note] if self.note else [])]

    def bundle(self) -> list[dict[str, Any]]:
        """Return the objects to import; empty where there is nothing to write."""
        update = self.update()
        objects = [*self.objects, *([update] if update else [])]
        return [author(self.now), *objects] if objects else []

    def update(self) -> dict[str, Any] | None:
        """Return the report with what is added to it; None where nothing is."""
        added = self.additions()
        if not added:
            return None
        # No markings: they would take the place of the present ones. No author: it is not ours.
        return {
            "type": self.report.kind.stix_type,
            "spec_version": "2.1",
            "id": self.report.standard_id,
            **self.report.identity,
            "confidence": self.report.confidence or 0,
            **added,
        }

    def additions(self) -> dict[str, Any]:
        """Return the properties of the report that grow."""
        added: dict[str, Any] = {}
        if self.report.kind.container and self.new_refs:
            added["object_refs"] = self.new_refs
        if self.files:
            added["x_opencti_files"] = [file.to_stix(self.report) for file in self.files]
        if self.label:
            added["labels"] = [self.label]
        return added


def compose(
    report: Report,
    reading: Reading,
    analysis: Analysis,
    memory: Memory,
    settings: TtpscribeSettings,
    platform: Platform,
    knowledge: Knowledge,
    now: str,
) -> Draft:
    """Decide what to write.

    Parameters
    ----------
    report : Report
        As it is now.
    reading : Reading
    analysis : Analysis
    memory : Memory
        What analysts removed and added.
    settings : TtpscribeSettings
    platform : Platform
        Asked for attack-patterns, relationships and the note that are there.
    knowledge : Knowledge
    now : str
        The time to put on what is new, as STIX writes it.
    """
    draft = Draft(report, now)
    highest = platform.highest_confidence()
    findings = [each for each in analysis.findings if each.technique not in memory.removed]
    inferences = analysis.inferences if settings.inferences == "relationships" else ()
    stored = _stored(report, findings, inferences, platform, draft, knowledge)
    if settings.write_refs and report.kind.container:
        draft.refs = {
            each.technique: stored[each.technique].standard_id
            for each in findings
            if each.technique not in report.technique_ids
        }
    if settings.write_relationships and report.kind.container:
        draft.uses = find_uses(report, findings, inferences, reading, memory, stored, platform)
        draft.objects += [
            to_stix(each, report, analysis, stored[each.technique], highest, _common(now))
            for each in draft.uses
            if each.new
        ]
    if settings.write_note:
        _add_note(draft, analysis, reading, memory, platform, stored, findings, highest)
    files = render_files(report, analysis, Context(knowledge=knowledge), settings)
    draft.files = [file for file in files if file_key(file.name) not in memory.gone]
    wanted = settings.label
    if wanted and wanted not in report.labels and label_key(wanted) not in memory.gone:
        draft.label = wanted
    return draft


def author(now: str) -> dict[str, Any]:
    """Return the identity that everything written carries as its author."""
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": AUTHOR,
        "created": now,
        "modified": now,
        "name": AUTHOR_NAME,
        "identity_class": "organization",
        "description": "Finds ATT&CK techniques in reports, with the sentences that prove them.",
    }


def _common(now: str) -> dict[str, Any]:
    return {"created": now, "modified": now, "created_by_ref": AUTHOR}


def _stored(
    report: Report,
    findings: Iterable[Finding],
    inferences: Iterable[Inference],
    platform: Platform,
    draft: Draft,
    knowledge: Knowledge,
) -> dict[str, StoredTechnique]:
    """Return the attack-patterns by ATT&CK id; those not there yet join the bundle."""
    stored = {each.technique: each for each in report.techniques}
    wanted = {each.technique for each in findings} | {each.technique for each in inferences}
    wanted -= stored.keys()
    stored |= platform.techniques(wanted)
    for technique in sorted(wanted - stored.keys()):
        made = _attack_pattern(technique, knowledge, draft.now)
        draft.objects.append(made)
        stored[technique] = StoredTechnique(made["id"], made["id"], technique, made["name"])
    return stored


def _attack_pattern(technique_id: str, knowledge: Knowledge, now: str) -> dict[str, Any]:
    technique = knowledge.technique(technique_id)
    phases = [
        {"kill_chain_name": KILL_CHAINS[tactic.domain], "phase_name": tactic.shortname}
        for tactic in map(knowledge.tactic, technique.tactics)
    ]
    return {
        "type": "attack-pattern",
        "spec_version": "2.1",
        "id": AttackPattern.generate_id(technique.name, technique.id),
        **_common(now),
        "name": technique.name,
        "x_mitre_id": technique.id,
        "confidence": FACT_CONFIDENCE,
        **({"kill_chain_phases": phases} if phases else {}),
        "external_references": [
            {
                "source_name": "mitre-attack",
                "external_id": technique.id,
                "url": url(technique.id),
            }
        ],
    }


def _add_note(
    draft: Draft,
    analysis: Analysis,
    reading: Reading,
    memory: Memory,
    platform: Platform,
    stored: Mapping[str, StoredTechnique],
    findings: Iterable[Finding],
    highest: int,
) -> None:
    """Write the note, or write it anew in its place; not where an analyst deleted it."""
    report = draft.report
    identifier = note_id(report.id)
    if identifier in memory.gone:
        return
    there = platform.note(identifier)
    content = render_note(analysis, reading, removed=memory.removed, added=memory.added)
    if there is not None and there.content.strip() == content.strip():
        return
    # In place only at the note's own confidence or above; see `Draft.update` for the report's.
    confidence = there.confidence if there is not None else report.confidence
    draft.note, draft.note_text = identifier, content
    draft.objects.append(
        {
            "type": "note",
            "spec_version": "2.1",
            "id": identifier,
            **_common(draft.now),
            "created": there.created if there is not None else draft.now,
            "abstract": ABSTRACT,
            "content": content,
            "note_types": ["analysis"],
            "confidence": min(highest if confidence is None else confidence, highest),
            "object_marking_refs": report.marking_refs,
            "object_refs": [
                report.standard_id,
                *(stored[each.technique].standard_id for each in findings),
            ],
        }
    )
