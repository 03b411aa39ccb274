"""The scene of the recorded experiments: one report, one intrusion set, one `uses`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pycti

from .model import Element
from .platform import OpenCTIDouble

GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
AUTHOR = "identity--f7a59753-b2d1-5e57-ba9a-badb64000569"
NAME = "Example Spider targets banks"
PUBLISHED = "2026-11-20T00:00:00.000Z"
LSASS_ID = "attack-pattern--daf76c9d-477a-5004-be6c-73dc129b5e4d"
CONTENT = "<h1>Full story</h1><p>EXAMPLE SPIDER dumped LSASS memory.</p>"


@dataclass
class Story:
    """The objects of the scene, as they are stored."""

    report: Element
    spider: Element
    interpreter: Element
    phishing: Element
    uses: Element


def tell(platform: OpenCTIDouble) -> Story:
    """Put the scene onto a platform."""
    cert = platform.create("Organization", name="Example CERT", description="An example author")
    green = [platform.marking("TLP:GREEN").id]
    spider = platform.create(
        "Intrusion-Set", name="EXAMPLE SPIDER", confidence=75, createdBy=cert.id,
        objectMarking=green,
    )  # fmt: skip
    interpreter = platform.create_attack_pattern(
        "T1059", "Command and Scripting Interpreter",
        description="Adversaries may abuse interpreters.",
    )  # fmt: skip
    phishing = platform.create_attack_pattern(
        "T1566", "Phishing", description="Adversaries may send phishing messages."
    )
    uses = platform.relate(
        spider, "uses", interpreter, confidence=75, objectMarking=green,
        description="Original analyst text on T1059",
    )  # fmt: skip
    report = platform.create_report(
        NAME, description="Short summary.", content=CONTENT, published=PUBLISHED, author=cert,
        objects=[spider, interpreter, phishing, uses],
        files=[("story.pdf", b"%PDF-1.4 the analyst's", "application/pdf")],
    )  # fmt: skip
    platform.analyst.upload(
        report, "story.pdf", b"%PDF-1.4 by hand", "application/pdf", ["TLP:GREEN"]
    )
    return Story(report, spider, interpreter, phishing, uses)


def identity() -> dict[str, Any]:
    """Return the connector's own author."""
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": AUTHOR,
        "name": "TTP probe",
        "identity_class": "organization",
    }


def attack_pattern(x_mitre_id: str | None, name: str, **more: Any) -> dict[str, Any]:
    """Return an attack-pattern under pycti's id; ``id`` in ``more`` takes its place."""
    document = {
        "type": "attack-pattern",
        "spec_version": "2.1",
        "id": pycti.AttackPattern.generate_id(name, x_mitre_id),
        "name": name,
    }
    if x_mitre_id is not None:
        document["x_mitre_id"] = x_mitre_id
    return {**document, **more}


def report(refs: list[str], confidence: int | None = 75, **more: Any) -> dict[str, Any]:
    """Return the minimal report that adds references; None leaves confidence out."""
    document: dict[str, Any] = {
        "type": "report",
        "spec_version": "2.1",
        "id": pycti.Report.generate_id(NAME, PUBLISHED),
        "name": NAME,
        "published": PUBLISHED,
        "object_refs": refs,
    }
    if confidence is not None:
        document["confidence"] = confidence
    return {**document, **more}


def note(note_id: str, content: str, confidence: int | None = 60, **more: Any) -> dict[str, Any]:
    """Return a note on the report."""
    document: dict[str, Any] = {
        "type": "note",
        "spec_version": "2.1",
        "id": note_id,
        "created": "2026-11-22T03:40:00.000Z",
        "modified": "2026-11-22T03:40:00.000Z",
        "abstract": "Fixed id note",
        "content": content,
        "note_types": ["analysis"],
        "created_by_ref": AUTHOR,
        "object_refs": [pycti.Report.generate_id(NAME, PUBLISHED)],
        "object_marking_refs": [GREEN],
    }
    if confidence is not None:
        document["confidence"] = confidence
    return {key: value for key, value in {**document, **more}.items() if value is not None}


def uses(
    source: Element, target: Element, confidence: int | None = 75, **more: Any
) -> dict[str, Any]:
    """Return a `uses` relationship under pycti's id."""
    start = more.get("start_time")
    document: dict[str, Any] = {
        "type": "relationship",
        "spec_version": "2.1",
        "id": pycti.StixCoreRelationship.generate_id(
            "uses", source.standard_id, target.standard_id, start, None
        ),
        "relationship_type": "uses",
        "source_ref": source.standard_id,
        "target_ref": target.standard_id,
        "created_by_ref": AUTHOR,
        "object_marking_refs": [GREEN],
    }
    if confidence is not None:
        document["confidence"] = confidence
    return {**document, **more}


def attachment(name: str, base64_data: str, mime_type: str = "text/plain") -> dict[str, Any]:
    """Return an entry of ``x_opencti_files``."""
    return {
        "name": name,
        "data": base64_data,
        "mime_type": mime_type,
        "object_marking_refs": [GREEN],
        "no_trigger_import": True,
    }
