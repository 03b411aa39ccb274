"""STIX 2.0 and 2.1: reports with their attack-patterns, procedures and technique descriptions.

A report is a document, labelled by the attack-patterns it refers to. A ``uses`` relationship
with a description and an attack-pattern's own description are texts that stand alone, so that
ATT&CK itself, given as a bundle, is training data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from training.labels.formats.base import Collector, LabelFile, Labelled
from training.labels.types import Example, LabelledDocument

NAME = "stix"

_CITATION = re.compile(r"\(Citation: [^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)\s]*\)")
_TYPES = frozenset({"report", "grouping"})


def matches(file: LabelFile) -> bool:
    """Tell by ``type``: a bundle, or a report that stands alone (rcATT writes such)."""
    return (
        file.suffix == ".json"
        and isinstance(file.json, dict)
        and (file.json.get("type") == "bundle" or file.json.get("type") in _TYPES)
    )


def read(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    """Yield documents, procedures and technique descriptions of a bundle."""
    found = file.json.get("objects", []) if file.json["type"] == "bundle" else [file.json]
    objects = [item for item in found if isinstance(item, dict) and "id" in item]
    ids = {tech.stix_id: tech.id for tech in collector.knowledge.techniques()}
    ids |= {item["id"]: given for item in objects if (given := _external_id(item)) is not None}
    by_id = {str(item["id"]): item for item in objects}
    for item in objects:
        if item.get("revoked") or item.get("x_mitre_deprecated"):
            continue
        if item.get("type") in _TYPES:
            yield from _report(item, by_id, ids, collector)
        elif item.get("type") == "attack-pattern":
            yield from _text(item, item["id"], "attack-techniques", ids, collector)
        elif item.get("type") == "relationship" and item.get("relationship_type") == "uses":
            yield from _text(item, item.get("target_ref"), "attack-procedures", ids, collector)


def _external_id(item: dict[str, Any]) -> str | None:
    if item.get("type") != "attack-pattern":
        return None
    for reference in item.get("external_references") or ():
        if str(reference.get("source_name", "")).startswith("mitre") and "external_id" in reference:
            return str(reference["external_id"])
    given = item.get("x_mitre_id")
    return None if given is None else str(given)


def _report(
    item: dict[str, Any],
    by_id: dict[str, dict[str, Any]],
    ids: dict[str, str],
    collector: Collector,
) -> Iterator[LabelledDocument]:
    if not collector.uses("stix"):
        return
    parts = [str(item.get("description") or "").strip(), _content(item)]
    text = "\n\n".join(part for part in parts if part)
    if not text:
        collector.skip("stix", "no text")
        return
    references = set()
    for reference in item.get("object_refs") or ():
        # A report may list only the relationship that leads to the technique.
        target = by_id.get(str(reference), {}).get("target_ref", reference)
        if str(target).startswith("attack-pattern--"):
            references.add(str(target))
    techniques = collector.techniques(ids.get(reference, reference) for reference in references)
    if not techniques:
        collector.skip("stix", "no labels")
        return
    yield LabelledDocument(
        id=str(item["id"]),
        text=text,
        techniques=techniques,
        source="stix",
        weight=collector.settings("stix").weight,
        known=collector.known("stix"),
        title=str(item.get("name") or item["id"]),
    )


def _content(item: dict[str, Any]) -> str:
    content = str(item.get("x_opencti_content") or item.get("content") or "").strip()
    if not content:
        return ""
    # Imported here, since few bundles have rich text and the parsers are slow to import.
    from engine.documents import read_bytes

    # Read as at enrichment, so that the models learn from the text they will see.
    document = read_bytes(content.encode(), "content.html", media_type="text/html")
    return document.text.strip()


def _text(
    item: dict[str, Any], target: Any, source: str, ids: dict[str, str], collector: Collector
) -> Iterator[Example]:
    text = str(item.get("description") or "").strip()
    given = ids.get(str(target))
    if not text or given is None or not collector.uses(source):
        return
    techniques = collector.techniques([given])
    if not techniques:
        collector.skip(source, "no label of it is active")
        return
    clean = _LINK.sub(r"\1", _CITATION.sub("", text)).strip()
    if source == "attack-techniques":
        clean = f"{item.get('name', '')}. {clean}"
    yield Example(
        text=clean,
        techniques=techniques,
        id=str(item["id"]),
        source=source,
        weight=collector.settings(source).weight,
        known=collector.known(source),
    )
