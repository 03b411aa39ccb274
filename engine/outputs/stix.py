"""A STIX 2.1 bundle: the report, its attack-patterns, and notes with the evidence.

Attack-patterns carry the ids that MITRE gave them, so that a platform which holds ATT&CK links
to what it has. They belong to MITRE: here is only what names them, dated before every version
that MITRE published, so that no platform takes ours for a newer one. ``external_references``
gives the ATT&CK id, by which OpenCTI and MISP match.

All other ids are UUIDs of version 5 on content: the same analysis gives the same bundle.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import stix2

from engine.outputs.base import Context, Threat
from engine.outputs.evidence import best, look_up, place, sentence_text, url
from engine.outputs.markdown import evidence_tables, inference_table
from engine.outputs.text import one_line
from engine.types import Analysis, Document, Finding

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "ttpscribe")
# The day ATT&CK first appeared as STIX; no attack-pattern of MITRE's is older.
BEFORE_ATTACK = datetime(2017, 5, 31, tzinfo=UTC)
MITRE = "identity--c78cb6e5-0c4b-4611-8297-d1b8b55e40b5"
KILL_CHAINS = {
    "enterprise": "mitre-attack",
    "mobile": "mitre-mobile-attack",
    "ics": "mitre-ics-attack",
}


def write(analysis: Analysis, context: Context) -> str:
    """Return the bundle as JSON.

    The report refers to the findings alone. Suggestions stand in the evidence note and
    inferences in a note of their own: the document does not say them.
    """
    # stix2 checks each object as it is made; its own pretty printer takes seconds for a bundle.
    written = [value.serialize() for value in _objects(analysis, context)]
    bundle = {
        "type": "bundle",
        "id": _id("bundle", *written),
        "objects": [json.loads(value) for value in written],
    }
    return json.dumps(bundle, indent=2) + "\n"


def _objects(analysis: Analysis, context: Context) -> Iterator[Any]:
    author = stix2.Identity(
        id=_id("identity", "ttpscribe"),
        created=BEFORE_ATTACK,
        modified=BEFORE_ATTACK,
        name="ttpscribe",
        description="Finds ATT&CK techniques in reports, with the sentences that prove them.",
        identity_class="system",
    )
    dates = {"created": context.published, "modified": context.published}
    common = {**dates, "created_by_ref": author.id}
    findings = [f for f in analysis.findings if look_up(context.knowledge, f.technique)]
    patterns = {f.technique: _attack_pattern(f.technique, context) for f in findings}
    parents = {
        parent: _attack_pattern(parent, context)
        for technique in patterns
        if (parent := context.knowledge.parent(technique)) and parent not in patterns
    }
    subject = _subject(context.threat, common) if context.threat else None
    uses = [
        _uses(subject, patterns[f.technique], analysis.document, f, common)
        for f in findings
        if subject
    ]
    members = [*patterns.values(), *([subject] if subject else []), *uses]
    report = stix2.Report(
        id=_id("report", analysis.document.digest, analysis.document.name),
        name=one_line(analysis.document.name) or "Untitled",
        description=(
            f"ATT&CK {analysis.attack_version} techniques in this document, found by ttpscribe "
            f"(release {one_line(analysis.release)}, operating point {analysis.operating_point}). "
            f"SHA-256 of its text: {analysis.document.digest}."
        ),
        report_types=["threat-report"],
        published=context.published,
        # STIX asks for one reference at least; a document without findings has its author's.
        object_refs=[member.id for member in members] or [author.id],
        **common,
    )
    yield author
    if patterns:  # a platform without ATT&CK must not meet a reference to nothing
        yield stix2.Identity(
            id=MITRE,
            created=BEFORE_ATTACK,
            modified=BEFORE_ATTACK,
            name="The MITRE Corporation",
            identity_class="organization",
        )
    yield report
    yield from members
    yield from parents.values()
    yield from _subtechnique_of({**patterns, **parents}, patterns, context)
    yield from _notes(analysis, report, patterns.values(), common)


def _attack_pattern(technique_id: str, context: Context) -> Any:
    technique = context.knowledge.technique(technique_id)
    phases = [
        stix2.KillChainPhase(
            kill_chain_name=KILL_CHAINS[tactic.domain], phase_name=tactic.shortname
        )
        for tactic in map(context.knowledge.tactic, technique.tactics)
    ]
    return stix2.AttackPattern(
        id=technique.stix_id,
        created_by_ref=MITRE,
        created=BEFORE_ATTACK,
        modified=BEFORE_ATTACK,
        name=technique.name,
        kill_chain_phases=phases or None,
        external_references=[
            stix2.ExternalReference(
                source_name="mitre-attack", external_id=technique.id, url=url(technique.id)
            )
        ],
    )


def _subject(threat: Threat, common: dict[str, Any]) -> Any:
    kinds = {
        "campaign": stix2.Campaign,
        "intrusion-set": stix2.IntrusionSet,
        "malware": stix2.Malware,
        "threat-actor": stix2.ThreatActor,
        "tool": stix2.Tool,
    }
    required = {"is_family": True} if threat.type == "malware" else {}
    identifier = _id(threat.type, threat.name.casefold())
    return kinds[threat.type](id=identifier, name=threat.name, **required, **common)


def _uses(
    subject: Any, pattern: Any, document: Document, finding: Finding, common: dict[str, Any]
) -> Any:
    evidence = best(finding)
    quote = (
        f"{one_line(sentence_text(document, evidence))} ({place(evidence)})" if evidence else None
    )
    return stix2.Relationship(
        id=_id("relationship", subject.id, "uses", pattern.id),
        relationship_type="uses",
        source_ref=subject.id,
        target_ref=pattern.id,
        confidence=round(finding.probability * 100),
        description=quote,
        **common,
    )


def _subtechnique_of(
    known: dict[str, Any], patterns: dict[str, Any], context: Context
) -> Iterator[Any]:
    """Tie sub-techniques to their parents, as MITRE's own bundles do."""
    for technique, pattern in patterns.items():
        parent = context.knowledge.parent(technique)
        if parent:
            yield stix2.Relationship(
                id=_id("relationship", pattern.id, "subtechnique-of", known[parent].id),
                created=BEFORE_ATTACK,
                modified=BEFORE_ATTACK,
                relationship_type="subtechnique-of",
                source_ref=pattern.id,
                target_ref=known[parent].id,
            )


def _notes(
    analysis: Analysis, report: Any, patterns: Iterable[Any], common: dict[str, Any]
) -> Iterator[Any]:
    author = [f"ttpscribe, release {one_line(analysis.release)}"]
    yield stix2.Note(
        id=_id("note", "evidence", report.id),
        abstract="ATT&CK techniques with their evidence",
        content=evidence_tables(analysis),
        authors=author,
        object_refs=[report.id, *(pattern.id for pattern in patterns)],
        **common,
    )
    if analysis.inferences:
        yield stix2.Note(
            id=_id("note", "inferences", report.id),
            abstract="Inferred ATT&CK techniques, which the text does not support",
            content=inference_table(analysis),
            authors=author,
            object_refs=[report.id],
            **common,
        )


def _id(kind: str, *parts: str) -> str:
    # Length before each part: ("ab", "c") and ("a", "bc") stay two different things.
    return f"{kind}--{uuid.uuid5(NAMESPACE, ''.join(f'{len(p)}:{p}' for p in (kind, *parts)))}"
