"""Objects as the platform writes them into queue messages and stream events: STIX 2.1."""

from __future__ import annotations

from typing import Any

from .model import Element
from .store import Store

OPENCTI_EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
MITRE_EXTENSION = "extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"

# Attributes that keep their name in STIX, in the platform's order.
_PLAIN = (
    "name", "description", "context", "result_name", "product", "result", "identity_class",
    "relationship_type", "opinion", "explanation", "aliases", "report_types", "published",
    "content", "note_types", "likelihood", "authors", "start_time", "stop_time",
    "malware_types", "is_family", "tool_types", "threat_actor_types", "first_seen", "last_seen",
    "value", "color", "kill_chain_name", "phase_name", "source_name", "url", "external_id",
)  # fmt: skip
_RENAMED = {"attribute_abstract": "abstract", "x_opencti_order": "order"}


def to_stix(store: Store, element: Element) -> dict[str, Any]:
    """Return an element as the platform serializes it, its extension included."""
    document: dict[str, Any] = {
        "id": element.standard_id,
        "spec_version": "2.1",
        "type": element.stix_type,
        "extensions": {OPENCTI_EXTENSION: _extension(store, element)},
    }
    if element.get("x_mitre_id"):
        document["extensions"][MITRE_EXTENSION] = {
            "extension_type": "property-extension",
            "id": element.get("x_mitre_id"),
        }
    document |= {"created": element.get("created"), "modified": element.modified}
    document |= {"revoked": bool(element.get("revoked")), "lang": element.get("lang") or "en"}
    if element.confidence is not None:
        document["confidence"] = element.confidence
    _put_refs(document, "object_marking_refs", store, element, "objectMarking")
    author = store.find(element.created_by)
    if author is not None:
        document["created_by_ref"] = author.standard_id
    for key in _PLAIN:
        # A report's rich text is not STIX: it stands in the extension.
        if _is_set(element.get(key)) and not (key == "content" and _rich_text(element)):
            document[_RENAMED.get(key, key)] = element.get(key)
    for key, name in _RENAMED.items():
        if _is_set(element.get(key)):
            document[name] = element.get(key)
    phases = [store.find(each) for each in element.refs.get("killChainPhases", [])]
    if phases:
        document["kill_chain_phases"] = [
            {"kill_chain_name": each.get("kill_chain_name"), "phase_name": each.get("phase_name")}
            for each in phases
            if each is not None
        ]
    if element.is_relationship:
        source, target = store.find(element.from_id), store.find(element.to_id)
        document["source_ref"] = source.standard_id if source else None
        document["target_ref"] = target.standard_id if target else None
    _put_refs(document, "object_refs", store, element, "objects")
    return document


def _extension(store: Store, element: Element) -> dict[str, Any]:
    extension: dict[str, Any] = {
        "extension_type": "property-extension",
        "id": element.id,
        "type": element.entity_type,
        "created_at": element.created_at,
        "updated_at": element.updated_at,
    }
    if element.stix_ids:
        extension["stix_ids"] = list(element.stix_ids)
    if element.files:
        extension["files"] = [
            {
                "name": each.name,
                "uri": f"/storage/get/{each.id}",
                "version": each.version,
                "mime_type": each.mime_type,
                "object_marking_refs": _standard_ids(store, each.markings),
            }
            for each in element.files.values()
        ]
    extension |= {"is_inferred": False, "creator_ids": list(element.creators)}
    if element.get("x_opencti_workflow_id"):
        extension["workflow_id"] = element.get("x_opencti_workflow_id")
    labels = [store.find(each) for each in element.refs.get("objectLabel", [])]
    if labels:
        extension["labels_ids"] = [each.id for each in labels if each is not None]
    author = store.find(element.created_by)
    if author is not None:
        extension["created_by_ref_id"] = author.id
        extension["created_by_ref_type"] = author.entity_type
    if _rich_text(element) and _is_set(element.get("content")):
        extension["content"] = element.get("content")
    if element.is_relationship:
        for end, end_id in (("source", element.from_id), ("target", element.to_id)):
            other = store.find(end_id)
            if other is not None:
                extension |= {
                    f"{end}_value": store.label_of(other),
                    f"{end}_ref": other.id,
                    f"{end}_type": other.entity_type,
                    f"{end}_ref_object_marking_refs": list(other.refs.get("objectMarking", [])),
                }
    return extension


def _rich_text(element: Element) -> bool:
    return element.entity_type != "Note"


def _is_set(value: Any) -> bool:
    return value is not None and value != [] and value != ""


def _standard_ids(store: Store, ids: list[str]) -> list[str]:
    found = (store.find(each) for each in ids)
    return [each.standard_id for each in found if each is not None]


def _put_refs(
    document: dict[str, Any], key: str, store: Store, element: Element, name: str
) -> None:
    refs = _standard_ids(store, element.refs.get(name, []))
    if refs:
        document[key] = refs
