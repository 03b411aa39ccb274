"""One request: who asks, in which store, and how fields of the schema find their values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .edits import Editor
from .filters import page
from .kinds import KINDS
from .model import Element, StoredFile, User
from .stix import to_stix
from .store import Store
from .vocabularies import CATEGORIES

if TYPE_CHECKING:
    from .platform import OpenCTIDouble

NO_START = "1970-01-01T00:00:00.000Z"
NO_STOP = "5138-11-16T09:46:40.000Z"


@dataclass
class Request:
    """The context of a GraphQL execution. ``user`` is None where the token is nobody's."""

    platform: OpenCTIDouble
    store: Store
    user: User | None
    draft_id: str | None
    applicant: str | None = None

    @property
    def editor(self) -> Editor:
        assert self.user is not None
        events = None if self.draft_id else self.platform.events
        return Editor(
            self.store, self.platform.clock, self.user, events, self.platform.workflow_id,
            self.applicant,
        )  # fmt: skip


def element_field(request: Request, element: Element, name: str, given: dict[str, Any]) -> Any:
    """Return the value of one field of an object or a relationship."""
    special = _SPECIAL.get(name)
    if special is not None:
        return special(request, element, given)
    if name in ("id", "standard_id", "entity_type", "created_at", "updated_at", "modified"):
        return getattr(element, name)
    return element.get(name)


def file_field(request: Request, file: StoredFile, name: str) -> Any:
    """Return the value of one field of a stored file."""
    values: dict[str, Any] = {
        "size": len(file.data),
        "lastModified": file.last_modified,
        "uploadStatus": "complete",
        "metaData": {"mimetype": file.mime_type, "version": file.version},
        "objectMarking": [request.store.find(each) for each in file.markings],
    }
    return values[name] if name in values else getattr(file, name)


def connection(nodes: list[Any], first: int | None = None) -> dict[str, Any]:
    """Return a connection in the order given, without cursors."""
    edges = [{"cursor": "", "node": each, "types": []} for each in nodes[: first or len(nodes)]]
    info = {
        "startCursor": "", "endCursor": "", "hasNextPage": len(edges) < len(nodes),
        "hasPreviousPage": False, "globalCount": len(nodes),
    }  # fmt: skip
    return {"edges": edges, "pageInfo": info}


def _referenced(name: str) -> Callable[[Request, Element, dict[str, Any]], list[Element]]:
    def resolve(request: Request, element: Element, _: dict[str, Any]) -> list[Element]:
        found = (request.store.find(each) for each in element.refs.get(name, []))
        return [each for each in found if each is not None]

    return resolve


def _objects(request: Request, element: Element, given: dict[str, Any]) -> dict[str, Any]:
    held = _referenced("objects")(request, element, given)
    types = given.get("types")
    if types:
        held = [each for each in held if any(each.is_a(one) for one in types)]
    first = None if given.get("all") else given.get("first") or 500
    return page(held, first, given.get("after"), None, None)


def _holders(entity_type: str) -> Callable[[Request, Element, dict[str, Any]], dict[str, Any]]:
    def resolve(request: Request, element: Element, given: dict[str, Any]) -> dict[str, Any]:
        holders = [
            each
            for each in request.store.of_type(entity_type)
            if element.id in each.refs.get("objects", [])
        ]
        order = given.get("orderBy")
        return page(holders, given.get("first"), None, order, given.get("orderMode"))

    return resolve


def _relations(request: Request, element: Element, given: dict[str, Any]) -> dict[str, Any]:
    types = given.get("relationship_type")
    found = [
        each
        for each in request.store
        if each.is_relationship
        and element.id in (each.from_id, each.to_id)
        and (not types or each.entity_type in types)
    ]
    return page(found, given.get("first"), None, None, None)


def _files(request: Request, element: Element, given: dict[str, Any]) -> dict[str, Any]:
    newest_first = sorted(element.files.values(), key=lambda each: each.last_modified, reverse=True)
    return connection(newest_first, given.get("first"))


def _creators(request: Request, element: Element, _: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"id": user.id, "name": user.name, "entity_type": "User"}
        for each in element.creators
        for user in request.platform.users.values()
        if user.id == each
    ]


def _status(request: Request, element: Element, _: dict[str, Any]) -> dict[str, Any] | None:
    return request.platform.statuses.get(element.get("x_opencti_workflow_id") or "")


def _category(request: Request, element: Element, _: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in CATEGORIES if each["key"] == element.get("category"))


def _identity_class(request: Request, element: Element, _: dict[str, Any]) -> str:
    return {"Sector": "class"}.get(element.entity_type, element.entity_type.lower())


_SPECIAL: dict[str, Callable[[Request, Element, dict[str, Any]], Any]] = {
    "category": _category,
    "coverage_information": lambda request, element, given: [],
    "createdBy": lambda request, element, given: request.store.find(element.created_by),
    "creators": _creators,
    "externalReferences": lambda request, element, given: connection(
        _referenced("externalReferences")(request, element, given), given.get("first")
    ),
    "from": lambda request, element, given: request.store.find(element.from_id),
    "identity_class": _identity_class,
    "importFiles": _files,
    "is_inferred": lambda request, element, given: False,
    "killChainPhases": _referenced("killChainPhases"),
    "notes": _holders("Note"),
    "objectLabel": _referenced("objectLabel"),
    "objectMarking": _referenced("objectMarking"),
    "objectOrganization": _referenced("objectOrganization"),
    "objects": _objects,
    "opinions": _holders("Opinion"),
    "parent_types": lambda request, element, given: list(element.parent_types),
    "relationship_type": lambda request, element, given: element.entity_type,
    "reports": _holders("Report"),
    "revoked": lambda request, element, given: bool(element.get("revoked")),
    "samples": lambda request, element, given: [],
    "spec_version": lambda request, element, given: "2.1",
    "start_time": lambda request, element, given: element.get("start_time") or NO_START,
    "status": _status,
    "stixCoreRelationships": _relations,
    "stop_time": lambda request, element, given: element.get("stop_time") or NO_STOP,
    "tasks": lambda request, element, given: connection([]),
    "to": lambda request, element, given: request.store.find(element.to_id),
    "toStix": lambda request, element, given: json.dumps(to_stix(request.store, element)),
    "workflow_id": lambda request, element, given: element.get("x_opencti_workflow_id"),
    "x_opencti_order": lambda request, element, given: element.get("x_opencti_order") or 0,
    "x_opencti_stix_ids": lambda request, element, given: list(element.stix_ids),
}


def graphql_type_of(value: Any) -> str:
    """Return the schema's type of a value whose type the schema leaves open."""
    if isinstance(value, Element):
        return value.graphql_type
    if isinstance(value, dict) and "__typename" in value:
        return str(value["__typename"])
    raise TypeError(f"no GraphQL type for {value!r}; known: {sorted(KINDS)}")
