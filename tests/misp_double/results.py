"""How MISP saves what a module answers: MISP's rules, and what they drop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .model import Element, Store, User


@dataclass
class Saved:
    """What became of an answer."""

    aborted: str = ""
    objects: list[Element] = field(default_factory=list)
    reports: list[Element] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def save(
    store: Store, event: Element, answer: dict[str, Any], user: User, default_comment: str
) -> Saved:
    """Save an answer as the interface does after the analyst's click."""
    saved = Saved()
    if "error" in answer:
        saved.aborted = answer["error"]
        return saved
    results = answer["results"]
    if not results:
        return saved
    if not results.get("Attribute") and not results.get("Object"):
        # The simple parser takes over, and knows neither tags nor reports.
        saved.dropped += [*results]
        return saved
    if results.get("Galaxy"):
        saved.dropped.append("Galaxy")
    known = {element["uuid"] for element in store.elements(event)}
    for values in results.get("Object") or ():
        _object(store, event, values, user, default_comment, known, saved)
    for tag in results.get("Tag") or ():
        if not store.attach(event, event, tag["name"], bool(tag.get("local")), user):
            saved.dropped.append(tag["name"])
    for values in results.get("EventReport") or ():
        if values.get("uuid") in known:
            saved.merged.append(values["name"])
        elif "distribution" not in values or "sharing_group_id" not in values:
            saved.dropped.append(values["name"])
        else:
            saved.reports.append(store.add_report(event, values))
    return saved


def _object(
    store: Store,
    event: Element,
    values: Element,
    user: User,
    default_comment: str,
    known: set[str],
    saved: Saved,
) -> None:
    same = [o for o in event["Object"] if _content(o) == _content(values) and not o["deleted"]]
    if values.get("uuid") in known or same:
        saved.merged.append(values["name"])
        return
    attributes = [
        {**a, "comment": a.get("comment") or default_comment} for a in values["Attribute"]
    ]
    comment = values.get("comment") or default_comment
    whole = {**values, "comment": comment, "Attribute": attributes}
    element, dropped = store.add_object(event, whole, user)
    saved.objects.append(element)
    saved.dropped += dropped


def _content(element: Element) -> tuple[Any, ...]:
    pairs = sorted((a["object_relation"], str(a["value"])) for a in element["Attribute"])
    return element["name"], tuple(pairs)
