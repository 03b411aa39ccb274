"""Lists: filters, search, order and pages, as the platform's ``FilterGroup`` means them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from .errors import PlatformError
from .model import Element, parse_time
from .store import Store

# Keys that a filter may name besides the attributes of the objects.
_TIMES = {"created_at", "updated_at", "modified", "created", "published"}
_ATTRIBUTES = {
    "name", "aliases", "value", "x_mitre_id", "definition", "definition_type", "confidence",
    "phase_name", "kill_chain_name", "report_types", "note_types", "source_name", "url",
    "external_id", "category", "x_opencti_aliases", "x_opencti_order", "context", "result_name",
    "description", "content", "revoked",
}  # fmt: skip
_REFS = {"objectMarking", "objectLabel", "objects", "externalReferences", "killChainPhases"}
_RENAMED = {"workflow_id": "x_opencti_workflow_id"}


def select(store: Store, elements: Iterable[Element], group: dict[str, Any] | None,
           search: str | None) -> list[Element]:  # fmt: skip
    """Return the elements that match a filter group and a search."""
    chosen = [each for each in elements if _matches_group(store, each, group)]
    if search:
        wanted = search.strip('"').lower()
        chosen = [each for each in chosen if wanted in _text(each)]
    return chosen


def _text(element: Element) -> str:
    parts = [element.get("name"), element.get("value"), *(element.get("aliases") or [])]
    return " ".join(str(each).lower() for each in parts if each)


def _matches_group(store: Store, element: Element, group: dict[str, Any] | None) -> bool:
    if not group:
        return True
    results = [_matches(store, element, each) for each in group.get("filters") or []]
    results += [_matches_group(store, element, each) for each in group.get("filterGroups") or []]
    if not results:
        return True
    return all(results) if group.get("mode", "and") == "and" else any(results)


def _matches(store: Store, element: Element, given: dict[str, Any]) -> bool:
    keys = given["key"] if isinstance(given["key"], list) else [given["key"]]
    operator = given.get("operator") or "eq"
    wanted = given.get("values") or []
    values = [value for key in keys for value in _values(store, element, key)]
    if operator in ("nil", "not_nil"):
        return (not values) == (operator == "nil")
    test = _OPERATORS.get(operator)
    if test is None:
        raise _unsupported(f"Unsupported operator {operator}")
    negative = operator.startswith("not_")
    hits = [any(test(value, each) for value in values) for each in wanted]
    mode = all if given.get("mode", "or") == "and" else any
    if negative:
        return not mode(hits)
    return mode(hits)


def _values(store: Store, element: Element, key: str) -> list[Any]:
    """Return what the element holds under a filter's key; unknown keys are refused."""
    if key in ("ids", "id", "internal_id", "standard_id", "x_opencti_stix_ids"):
        return list(element.all_ids())
    if key == "entity_type":
        return [element.entity_type, *element.parent_types]
    if key in ("createdBy", "creator_id"):
        return element.creators if key == "creator_id" else _ids_of(store, element.created_by)
    if key in _REFS:
        return [one for each in element.refs.get(key, []) for one in _ids_of(store, each)]
    if key in ("created_at", "updated_at", "modified"):
        return [getattr(element, key)]
    if key in ("fromId", "toId"):
        return _ids_of(store, element.from_id if key == "fromId" else element.to_id)
    if key == "relationship_type":
        return [element.entity_type]
    key = _RENAMED.get(key, key)
    if key in _ATTRIBUTES | _TIMES or key in _RENAMED.values():
        value = element.get(key)
        if value is None:
            return []
        return value if isinstance(value, list) else [value]
    raise _unsupported("incorrect filter keys not existing in any schema definition", keys=[key])


def _ids_of(store: Store, any_id: str | None) -> list[str]:
    element = store.find(any_id)
    return element.all_ids() if element is not None else []


def _unsupported(message: str, **data: Any) -> PlatformError:
    return PlatformError(
        message, "UNSUPPORTED_ERROR", {"http_status": 500, "genre": "TECHNICAL", **data}
    )


def _same(value: Any, wanted: Any) -> bool:
    return str(value).lower() == str(wanted).lower()


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, wanted: Any) -> bool:
        if isinstance(value, int):
            return test(value, int(wanted))
        return test(parse_time(str(value)), parse_time(str(wanted)))

    return compare


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "not_eq": _same,
    "contains": lambda value, wanted: str(wanted).lower() in str(value).lower(),
    "not_contains": lambda value, wanted: str(wanted).lower() in str(value).lower(),
    "starts_with": lambda value, wanted: str(value).lower().startswith(str(wanted).lower()),
    "gt": _compare(lambda value, wanted: value > wanted),
    "gte": _compare(lambda value, wanted: value >= wanted),
    "lt": _compare(lambda value, wanted: value < wanted),
    "lte": _compare(lambda value, wanted: value <= wanted),
}


def page(
    elements: list[Any],
    first: int | None,
    after: str | None,
    order_by: str | None,
    order_mode: str | None,
) -> dict[str, Any]:
    """Return a connection: one page of elements with cursors, by standard id or by a field."""

    def sort_key(element: Any) -> list[Any]:
        if order_by is None:
            return [element.standard_id]
        return [_order_value(element, order_by), element.standard_id]

    ordered = sorted(elements, key=sort_key, reverse=order_mode == "desc")
    cursors = [_cursor(sort_key(each)) for each in ordered]
    start = cursors.index(after) + 1 if after in cursors else 0
    end = start + (first or len(ordered))
    edges = [
        {"cursor": cursor, "node": each, "types": ["manual"]}
        for each, cursor in zip(ordered[start:end], cursors[start:end], strict=True)
    ]
    return {
        "edges": edges,
        "pageInfo": {
            "startCursor": edges[0]["cursor"] if edges else "",
            "endCursor": edges[-1]["cursor"] if edges else "",
            "hasNextPage": end < len(ordered),
            "hasPreviousPage": start > 0,
            "globalCount": len(ordered),
        },
    }


def _order_value(element: Any, order_by: str) -> Any:
    if order_by in ("created_at", "updated_at", "modified") or order_by in _TIMES:
        value = getattr(element, order_by, None) or element.get(order_by)
        return int(parse_time(value).timestamp() * 1000) if value else 0
    value = element.get(order_by)
    return value if isinstance(value, int) else str(value or "").lower()


def _cursor(values: list[Any]) -> str:
    return base64.b64encode(json.dumps(values, separators=(",", ":")).encode()).decode()
