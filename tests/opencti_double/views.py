"""Stored objects as plain values, for tests to compare."""

from __future__ import annotations

from typing import Any

from .model import Element
from .store import Store


def report_view(store: Store, report: Element) -> dict[str, Any]:
    """Return what a reader of a report sees."""
    held = [store.find(each) for each in report.refs.get("objects", [])]
    objects = [each for each in held if each is not None]
    notes = [each for each in store.of_type("Note") if report.id in each.refs.get("objects", [])]
    return {
        "id": report.id,
        "standard_id": report.standard_id,
        "name": report.get("name"),
        "description": report.get("description"),
        "content": report.get("content"),
        "confidence": report.confidence,
        "modified": report.modified,
        "updated_at": report.updated_at,
        "markings": _names(store, report, "objectMarking"),
        "labels": _names(store, report, "objectLabel"),
        "techniques": sorted(
            each.get("x_mitre_id") or store.label_of(each)
            for each in objects
            if each.entity_type == "Attack-Pattern"
        ),
        "objects": sorted(_object_view(store, each) for each in objects),
        "notes": [note_view(store, each) for each in notes],
        "files": {each.name: each.data for each in report.files.values()},
    }


def note_view(store: Store, note: Element) -> dict[str, Any]:
    """Return what a reader of a note sees, and its ids."""
    held = [store.find(each) for each in note.refs.get("objects", [])]
    author = store.find(note.created_by)
    return {
        "id": note.id,
        "standard_id": note.standard_id,
        "stix_ids": list(note.stix_ids),
        "abstract": note.get("attribute_abstract"),
        "content": note.get("content"),
        "confidence": note.confidence,
        "likelihood": note.get("likelihood"),
        "created": note.get("created"),
        "author": author.get("name") if author else None,
        "objects": sorted(each.standard_id for each in held if each is not None),
    }


def relationship_view(store: Store, relationship: Element) -> dict[str, Any]:
    """Return a relationship with the names of its ends."""
    source, target = store.find(relationship.from_id), store.find(relationship.to_id)
    author = store.find(relationship.created_by)
    assert source is not None
    assert target is not None
    return {
        "id": relationship.id,
        "type": relationship.entity_type,
        "source": source.get("name"),
        "target": target.get("x_mitre_id") or target.get("name"),
        "description": relationship.get("description"),
        "confidence": relationship.confidence,
        "author": author.get("name") if author else None,
        "start_time": relationship.get("start_time"),
    }


def _object_view(store: Store, element: Element) -> tuple[str, str]:
    text = element.get("description") if element.is_relationship else None
    return element.entity_type, text or store.label_of(element)


def _names(store: Store, element: Element, name: str) -> list[str]:
    found = (store.find(each) for each in element.refs.get(name, []))
    return sorted(store.label_of(each) for each in found if each is not None)
