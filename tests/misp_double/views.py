"""Events, analyst data and the audit log as MISP's API writes them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .model import Element, RefusedError

if TYPE_CHECKING:
    from .double import MispDouble

AUDIT_PAGE, AUDIT_MOST = 60, 100


def event_view(
    double: MispDouble,
    event: Element,
    *,
    deleted: set[str] = frozenset({"0"}),
    analyst_data: bool = False,
    metadata: bool = False,
) -> Element:
    """Return an event; ``deleted`` says whether alive ("0") and deleted ("1") elements are."""
    event = copy.deepcopy(event)
    if metadata:
        return {"Event": {key: event[key] for key in event if key not in
                          ("Attribute", "Object", "EventReport")}}  # fmt: skip

    def wanted(elements: list[Element]) -> list[Element]:
        return [each for each in elements if str(int(bool(each["deleted"]))) in deleted]

    for kind in ("Attribute", "Object", "EventReport"):
        event[kind] = wanted(event[kind])
    for element in event["Object"]:
        element["Attribute"] = wanted(element["Attribute"])
    for attribute in double.attributes(event):
        attribute.pop("data", None)
        found = [s for s in double.sightings if s["attribute_uuid"] == attribute["uuid"]]
        if found:
            attribute["Sighting"] = found
    if analyst_data:
        for element in (event, *double.elements(event)):
            add_analyst_data(double, element)
    return {"Event": event}


def add_analyst_data(double: MispDouble, element: Element) -> None:
    """Add what is said of an element, and beside it the answers to that, however deep."""
    about, new = {element["uuid"]}, True
    while new:
        rows = [row for rows in double.analyst_data.values() for row in rows]
        new = {row["uuid"] for row in rows if row["object_uuid"] in about} - about
        about |= new
    for kind, rows in double.analyst_data.items():
        found = [row for row in rows if row["object_uuid"] in about]
        if found:
            element[kind] = found


def audit_page(rows: list[Element], named: dict[str, str], hidden: tuple[str, ...]) -> list[Any]:
    """Return one page, the newest row first; there is none after the last."""
    limit = min(int(named.get("limit", AUDIT_PAGE)), AUDIT_MOST)
    page = int(named.get("page", 1))
    newest = sorted(rows, key=lambda row: -int(row["id"]))
    some = newest[(page - 1) * limit : page * limit]
    if page > 1 and not some:
        raise RefusedError(404, "Not Found")
    return [
        {
            "AuditLog": {k: v for k, v in row.items() if k not in (*hidden, "email")},
            "User": {"id": row["user_id"], "email": row["email"], "org_id": row["org_id"]},
        }
        for row in some
    ]


def audit_rows(double: MispDouble, filters: Element) -> list[Element]:
    def fits(row: Element) -> bool:
        for name, value in filters.items():
            values = value if isinstance(value, list) else [value]
            if row[name] not in [str(each) for each in values]:
                return False
        return True

    return [row for row in double.audit if fits(row)]
