"""Creation, which on OpenCTI is creation or update: the rules that connectors stumble over.

What happens to an object that is already there was observed on a real platform (experiments
a-k); each rule below names the experiment that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from .edits import Editor
from .errors import functional_error, missing_reference
from .kinds import KINDS, MULTIPLE_REFS, SINGLE_REFS, relationship_allowed
from .model import Element, normal_time, parse_time

# Input that steers the import and is not stored.
_STEERING = frozenset(
    {"stix_id", "x_opencti_stix_ids", "update", "files", "filesMarkings", "noTriggerImport",
     "embedded", "upsertOperations", "fromId", "toId", "modified", "clientMutationId",
     "x_opencti_modified_at"}
)  # fmt: skip
# Attributes that a second import leaves as they are once set.
_FIXED = frozenset({"created", "relationship_type", "x_opencti_workflow_id", "confidence"})
_TIMES = frozenset({"created", "published", "start_time", "stop_time", "first_seen", "last_seen",
                    "submitted"})  # fmt: skip
_WITHOUT_CONFIDENCE = frozenset(
    {"Label", "Marking-Definition", "Kill-Chain-Phase", "External-Reference", "Vocabulary"}
)
SAME_RELATIONSHIP = timedelta(days=30)


def upsert(editor: Editor, entity_type: str, given: dict[str, Any]) -> Element:
    """Create the object that ``given`` describes, or update the one that is already there."""
    attributes, refs, author = _sort_input(editor, entity_type, given)
    found = _find(editor, entity_type, given, attributes)
    if found is not None:
        return _update(editor, found, given, attributes, refs, author)
    if entity_type in ("Report",):
        attributes.setdefault("x_opencti_workflow_id", editor.workflow_id)
    return _create(editor, Element(entity_type, attributes), given, refs, author)


def upsert_relationship(editor: Editor, given: dict[str, Any]) -> Element:
    """Create a relationship between two objects, or update the first that matches."""
    ends = [editor.store.find(given[key]) for key in ("fromId", "toId")]
    missing = [given[key] for key, end in zip(("fromId", "toId"), ends, strict=True) if end is None]
    if missing:
        raise missing_reference(missing)
    source, target = ends
    assert source is not None
    assert target is not None
    relation = given["relationship_type"]
    if not relationship_allowed(relation, source.entity_type, target.entity_type):
        raise functional_error(
            f"The relationship type {relation} is not allowed between "
            f"{source.entity_type} and {target.entity_type}"
        )
    attributes, refs, author = _sort_input(editor, relation, given)
    found = _find_relationship(editor, relation, source, target, attributes)
    if found is not None:
        return _update(editor, found, given, attributes, refs, author)
    element = Element(relation, attributes, from_id=source.id, to_id=target.id)
    return _create(editor, element, given, refs, author)


def _sort_input(
    editor: Editor, entity_type: str, given: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, list[str]], str | None]:
    """Split an input into attributes, references by internal id, and the author's id."""
    attributes: dict[str, Any] = {}
    refs: dict[str, list[str]] = {}
    author = None
    for key, value in given.items():
        if key in _STEERING or value is None:
            continue
        if key in SINGLE_REFS:
            author = _resolve(editor, [value], optional=False)[0]
        elif key in MULTIPLE_REFS:
            # An unknown ref of a container is dropped without a word (experiment a3).
            refs[key] = _resolve(editor, value, optional=key == "objects")
        else:
            attributes[key] = normal_time(value) if key in _TIMES else value
    if entity_type not in _WITHOUT_CONFIDENCE:
        # Left out, confidence counts as the user's highest (experiment b3); more than that
        # is cut down to it (b6).
        highest = editor.user.max_confidence
        attributes["confidence"] = min(attributes.get("confidence", highest), highest)
    return attributes, refs, author


def _resolve(editor: Editor, ids: Iterable[str], *, optional: bool) -> list[str]:
    found = {each: editor.store.find(each) for each in ids}
    missing = [each for each, element in found.items() if element is None]
    if missing and not optional:
        raise missing_reference(missing)
    return [element.id for element in found.values() if element is not None]


def _find(
    editor: Editor, entity_type: str, given: dict[str, Any], attributes: dict[str, Any]
) -> Element | None:
    """Return the object that is meant: by the id sent, by the id computed, by name or alias."""
    kind = KINDS[entity_type]
    with_dates = {"created": editor.clock.now(), **attributes}
    for each in (given.get("stix_id"), kind.standard_id(with_dates)):
        found = editor.store.find(each)
        if found is not None and found.entity_type == entity_type:
            return found
    if kind.alias_field is None:
        return None
    wanted = {
        each.strip().lower()
        for each in (attributes["name"], *(attributes.get(kind.alias_field) or []))
    }
    for element in editor.store.of_type(entity_type):
        known = (element.get("name"), *(element.get(kind.alias_field) or []))
        if wanted & {each.strip().lower() for each in known}:
            return element
    return None


def _find_relationship(
    editor: Editor, relation: str, source: Element, target: Element, attributes: dict[str, Any]
) -> Element | None:
    """Return the first relationship of this type between these two, whatever its id (d9).

    A start or stop given more than 30 days from the existing one's means another one (d6-d8).
    """
    for element in editor.store:
        if (element.entity_type, element.from_id, element.to_id) != (
            relation, source.id, target.id,
        ):  # fmt: skip
            continue
        near = True
        for key, default in (("start_time", "1970-01-01"), ("stop_time", "5138-11-16")):
            if attributes.get(key):
                there = parse_time(element.get(key) or f"{default}T00:00:00Z")
                near &= abs(parse_time(attributes[key]) - there) <= SAME_RELATIONSHIP
        if near:
            return element
    return None


def _create(
    editor: Editor,
    element: Element,
    given: dict[str, Any],
    refs: dict[str, list[str]],
    author: str | None,
) -> Element:
    now = editor.clock.now()
    # A report that does not say when it was created was created when it was published.
    element.attributes.setdefault("created", element.attributes.get("published") or now)
    element.attributes.setdefault("lang", "en")
    element.created_at = element.updated_at = element.modified = now
    element.creators = [editor.user.id]
    element.created_by = author
    element.refs = {key: list(dict.fromkeys(ids)) for key, ids in refs.items()}
    element.standard_id = editor.store.standard_id(element)
    element.stix_ids = [each for each in _sent_ids(given) if each != element.standard_id]
    editor.store.add(element)
    if given.get("files"):
        editor.store_files(element, given)
    editor.created(element)
    return element


def _sent_ids(given: dict[str, Any]) -> list[str]:
    ids = [given.get("stix_id"), *(given.get("x_opencti_stix_ids") or [])]
    return list(dict.fromkeys(each for each in ids if each))


def _update(
    editor: Editor,
    element: Element,
    given: dict[str, Any],
    attributes: dict[str, Any],
    refs: dict[str, list[str]],
    author: str | None,
) -> Element:
    """Apply the gate of confidence and what passes it.

    Below the element's confidence only what is empty is filled (d1, e1, b1); at or above it
    attributes are overwritten (d2, e2), lists and refs grow (a1), and confidence rises (b3).
    """
    sent = attributes.get("confidence")
    passes = sent is None or element.confidence is None or sent >= element.confidence
    with editor.change(element) as change:
        change.add_creator()
        if passes and sent is not None and element.confidence is not None:
            change.set("confidence", sent)
        for key, value in attributes.items():
            if key not in _FIXED and _given(value):
                _update_attribute(change, element, key, value, passes)
        if author is not None and (passes or element.created_by is None):
            change.set_author(author)
        for name, ids in refs.items():
            if passes or not element.refs.get(name):
                _update_refs(editor, change, element, name, ids)
        # Observed only where nothing else was written (d7, d9 against d10, e4).
        if not change.written:
            change.add_stix_ids(_sent_ids(given))
        if given.get("files"):
            # Files pass at any confidence (b1, g4).
            change.files(editor.store_files(element, given))
    return element


def _given(value: Any) -> bool:
    return value not in ([], "") and not (isinstance(value, str) and not value.strip())


def _update_attribute(change: Any, element: Element, key: str, value: Any, passes: bool) -> None:
    present = element.get(key)
    if key in ("start_time", "stop_time") and present:
        earlier_or_later: Callable[[str, str], str] = min if key == "start_time" else max
        if passes:
            change.set(key, earlier_or_later(present, value))
    elif not _given(present) or present is None:
        change.set(key, value)
    elif passes and isinstance(value, list):
        change.set(key, [*present, *(each for each in value if each not in present)])
    elif passes:
        if key == "name" and value != present and element.entity_type == "Attack-Pattern":
            # The former name stays as an alias (e2).
            aliases = element.get("aliases") or []
            change.set("aliases", [*aliases, *([present] if present not in aliases else [])])
        change.set(key, value)


def _update_refs(editor: Editor, change: Any, element: Element, name: str, ids: list[str]) -> None:
    if name == "objectMarking":
        change.replace_refs(name, _highest_markings(editor, element.refs.get(name, []), ids))
    else:
        change.add_refs(name, ids)


def _highest_markings(editor: Editor, present: list[str], sent: list[str]) -> list[str]:
    """Keep one marking a type, the strictest: TLP:AMBER takes the place of TLP:GREEN (k5)."""
    best: dict[str, Element] = {}
    for each in (*present, *sent):
        marking = editor.store.find(each)
        assert marking is not None
        kind = str(marking.get("definition_type"))
        if kind not in best or marking.get("x_opencti_order") > best[kind].get("x_opencti_order"):
            best[kind] = marking
    return [each.id for each in best.values()]
