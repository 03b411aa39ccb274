"""Which techniques an event has, and which ones an analyst took off it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from misp_module.reader import is_ours
from misp_module.tags import technique_of

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

FALSE_POSITIVE = "1"  # type of a sighting
DOUBT_BELOW = 50  # of an opinion, 0 to 100
REMOVALS = frozenset({"remove_galaxy", "remove_local_galaxy", "remove_tag", "remove_local_tag"})


def tagged(event: Mapping[str, Any], knowledge: Knowledge) -> frozenset[str]:
    """Return the techniques that the event or one of its elements is tagged with."""
    elements = [event, *(a for _, a in attributes(event) if not a.get("deleted"))]
    return frozenset(
        technique for element in elements for technique in _techniques(element, knowledge)
    )


def rejected(
    event: Mapping[str, Any], removals: Iterable[Mapping[str, Any]], knowledge: Knowledge
) -> frozenset[str]:
    """Return the techniques that an analyst said are wrong.

    Parameters
    ----------
    event : mapping
        With its deleted elements, as far as MISP gives them.
    removals : iterable of mapping
        Rows of the audit log.
    knowledge : Knowledge
    """
    wrong: set[str] = set()
    for row in removals:
        if row.get("action") in REMOVALS:
            title = str(row.get("model_title") or "")
            wrong.update(_named(title, knowledge))
    for element, attribute in attributes(event):
        if is_ours(attribute) and (
            element.get("deleted") or attribute.get("deleted") or _doubted(attribute)
        ):
            wrong.update(_techniques(attribute, knowledge))
            wrong.update(_named(str(attribute.get("value") or ""), knowledge))
    return frozenset(wrong)


def attributes(event: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each attribute with the object it is part of; an empty one where there is none."""
    for attribute in event.get("Attribute") or ():
        yield {}, attribute
    for element in event.get("Object") or ():
        for attribute in element.get("Attribute") or ():
            yield element, attribute


def _doubted(attribute: Mapping[str, Any]) -> bool:
    sightings = attribute.get("Sighting") or ()
    opinions = attribute.get("Opinion") or ()
    names = (str(tag.get("name")) for tag in attribute.get("Tag") or ())
    return (
        any(str(sighting.get("type")) == FALSE_POSITIVE for sighting in sightings)
        or any(int(opinion.get("opinion") or 0) < DOUBT_BELOW for opinion in opinions)
        or any(name.startswith("false-positive:") for name in names)
    )


def _techniques(element: Mapping[str, Any], knowledge: Knowledge) -> Iterator[str]:
    for tag in element.get("Tag") or ():
        if technique := technique_of(str(tag.get("name") or ""), knowledge):
            yield technique


def _named(title: str, knowledge: Knowledge) -> Iterator[str]:
    """Read what the audit log calls a tag: its name, or only the cluster's value."""
    if not title.startswith("misp-galaxy:"):
        title = f'misp-galaxy:mitre-attack-pattern="{title}"'
    if technique := technique_of(title, knowledge):
        yield technique
