"""An event as it is now: which techniques are on it, what carries them, what became of ours.

Built from the JSON of MISP's API, fetched with what was deleted and with analyst data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from misp_module.audit import moment
from misp_module.reader import attributes, is_ours
from misp_module.records import EVENT
from misp_module.tags import technique_of
from misp_module.tlp import tlp_of

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

OWN_TEMPLATE: Final = "attack-pattern"
_NAMED = re.compile(r"\s*(T\d{4}(?:\.\d{3})?)\b")


@dataclass(frozen=True, slots=True)
class Carrier:
    """A tag of a technique, and what it hangs on.

    Attributes
    ----------
    technique : str
    element : str
        Uuid of the attribute or event report, or ``EVENT``.
    """

    technique: str
    element: str

    @property
    def key(self) -> str:
        """Its name among the things that are seen and missed."""
        return f"{self.element}:{self.technique}"


@dataclass(frozen=True, slots=True)
class Own:
    """An object of ours, which stands for one technique.

    Attributes
    ----------
    technique : str
        Which we wrote it for.
    uuid : str
        Of the object.
    name : mapping
        Its attribute ``name``, which bears the tags.
    elements : tuple of mapping
        The object and what is alive in it.
    deleted : tuple of mapping
        What was deleted of it, itself not among them.
    alive : bool
    at : datetime
        When it last changed.
    says : str or None
        The technique that its name speaks of now: an analyst may have written another.
    """

    technique: str
    uuid: str
    name: Mapping[str, Any]
    elements: tuple[Mapping[str, Any], ...]
    deleted: tuple[Mapping[str, Any], ...]
    alive: bool
    at: datetime
    says: str | None

    @property
    def numbers(self) -> tuple[str, str]:
        """What the audit log calls the object and its name."""
        return f"Object {self.elements[0].get('id')}", f"Attribute {self.name.get('id')}"


@dataclass(frozen=True)
class Snapshot:
    """An event as it is now.

    Parameters
    ----------
    event : mapping
        As MISP's API gives it.
    knowledge : Knowledge
    written : mapping from uuid to technique
        Objects and attributes that the ledger says we wrote. Others of ours are told by comments.
    """

    event: Mapping[str, Any]
    knowledge: Knowledge
    written: Mapping[str, str]

    @property
    def id(self) -> str:
        """Number of the event: the report's name in the ledger."""
        return str(self.event["id"])

    @cached_property
    def at(self) -> datetime:
        """When the event last changed, in MISP's time."""
        return moment(self.event.get("timestamp") or 0)

    @cached_property
    def tlp(self) -> str | None:
        """Its strictest marking."""
        return tlp_of(self.event)

    @cached_property
    def tags(self) -> frozenset[str]:
        """The names of the event's own tags."""
        return frozenset(tag_names(self.event))

    @cached_property
    def own(self) -> tuple[Own, ...]:
        """Our objects of techniques, also the deleted ones."""
        return tuple(self._own())

    @cached_property
    def carriers(self) -> tuple[Carrier, ...]:
        """All tags of techniques on what is alive."""
        found = [*self._carriers(self.event, EVENT)]
        for element, attribute in attributes(self.event):
            if not element.get("deleted") and not attribute.get("deleted"):
                found += self._carriers(attribute, str(attribute.get("uuid")))
        for report in self.event.get("EventReport") or ():
            if not report.get("deleted"):
                found += self._carriers(report, str(report.get("uuid")))
        return tuple(found)

    @cached_property
    def others(self) -> tuple[Mapping[str, Any], ...]:
        """The event itself, and what is alive in it and not ours, objects among it."""
        ours = {own.uuid for own in self.own}
        objects = [
            element
            for element in self.event.get("Object") or ()
            if not element.get("deleted") and str(element.get("uuid")) not in ours
        ]
        inner = [each for element in objects for each in element.get("Attribute") or ()]
        rest = [*(self.event.get(kind) or () for kind in ("Attribute", "EventReport")), inner]
        alive = (each for some in rest for each in some if not each.get("deleted"))
        return (self.event, *objects, *alive)

    @cached_property
    def persons(self) -> tuple[Carrier, ...]:
        """The tags that are not those of our objects.

        A tag of the event is among them: whether we wrote it, only the ledger knows.
        """
        ours = {(str(own.name.get("uuid")), own.technique) for own in self.own}
        return tuple(c for c in self.carriers if (c.element, c.technique) not in ours)

    @cached_property
    def present(self) -> frozenset[str]:
        """The techniques that the event has, by a tag or by an object of ours."""
        tagged = {carrier.technique for carrier in self.carriers}
        return frozenset(tagged | {own.says for own in self.own if own.alive and own.says})

    @cached_property
    def things(self) -> frozenset[str]:
        """What may be missed later: objects of ours, and tags on something."""
        objects = {own.uuid for own in self.own if own.alive}
        return frozenset(objects | {carrier.key for carrier in self.carriers})

    def _own(self) -> Iterator[Own]:
        for element in self.event.get("Object") or ():
            uuid = str(element.get("uuid"))
            if uuid not in self.written and not (
                element.get("name") == OWN_TEMPLATE and is_ours(element)
            ):
                continue
            inner = [dict(a) for a in element.get("Attribute") or ()]
            name: Mapping[str, Any] = next(
                (a for a in inner if a.get("object_relation") == "name"), {}
            )
            says = self._named(str(name.get("value") or ""))
            technique = self.written.get(uuid) or says
            if technique is None:
                continue
            alive = not element.get("deleted") and bool(name) and not name.get("deleted")
            yield Own(
                technique=technique,
                uuid=uuid,
                name=name,
                elements=(element, *(a for a in inner if not a.get("deleted"))),
                deleted=tuple(a for a in inner if a.get("deleted")),
                alive=alive,
                at=moment(max(_seconds(element), _seconds(name)) or _seconds(self.event)),
                says=says,
            )

    def _named(self, value: str) -> str | None:
        found = _NAMED.match(value)
        resolved = self.knowledge.resolve(found[1]).technique if found else None
        return resolved.id if resolved else None

    def _carriers(self, element: Mapping[str, Any], uuid: str) -> Iterator[Carrier]:
        for name in tag_names(element):
            if technique := technique_of(name, self.knowledge):
                yield Carrier(technique, uuid)


def tag_names(element: Mapping[str, Any]) -> list[str]:
    """Return the names of the tags on something."""
    return [str(tag.get("name") or "") for tag in element.get("Tag") or ()]


def techniques_of(keys: Collection[str], written: Mapping[str, str]) -> dict[str, list[str]]:
    """Group things by the technique that each stands for; unknown ones are left out."""
    found: dict[str, list[str]] = {}
    for key in keys:
        technique = written.get(key) or key.rpartition(":")[2]
        if _NAMED.fullmatch(technique):
            found.setdefault(technique, []).append(key)
    return found


def _seconds(element: Mapping[str, Any]) -> int:
    return int(element.get("timestamp") or 0)
