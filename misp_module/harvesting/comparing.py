"""What is different between an event as it is and as it was last seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from engine.ledger import Observation
from misp_module.harvesting.memory import LOOKED, Memory
from misp_module.records import EVENT, PLATFORM
from misp_module.snapshot import Snapshot, techniques_of

if TYPE_CHECKING:
    from misp_module.statements import Statement


@dataclass(frozen=True)
class Comparison:
    """An event as it is, beside what the ledger knows of it.

    Attributes
    ----------
    snapshot : Snapshot
    memory : Memory
    said : sequence of Statement
        What analysts say of our objects.
    also : frozenset of str
        Further things to remember as seen.
    """

    snapshot: Snapshot
    memory: Memory
    said: Sequence[Statement]
    also: frozenset[str] = frozenset()

    @cached_property
    def now(self) -> frozenset[str]:
        """All things of now: objects, tags, tags that judge, and what is kept as deleted."""
        undated = {statement.origin for statement in self.said if statement.at is None}
        things = self.snapshot.things | self.also
        return frozenset({LOOKED} | things | undated | self.deleted.keys())

    @cached_property
    def deleted(self) -> dict[str, str]:
        """The techniques of our objects that were deleted, or say something else now."""
        return {
            f"deleted {own.uuid} {own.at.timestamp():.0f}": own.technique
            for own in self.snapshot.own
            if not own.alive or (own.says is not None and own.says != own.technique)
        }

    @cached_property
    def supported(self) -> frozenset[str]:
        """The techniques that more speaks for than our own tag of the event."""
        tags = {carrier.key for carrier in self.snapshot.carriers}
        found = {
            carrier.technique
            for carrier in self.snapshot.persons
            if carrier.element != EVENT or carrier.technique not in self.memory.event_tags
        }
        for own in self.snapshot.own:
            tag = f"{own.name.get('uuid')}:{own.technique}"
            # MISP may have dropped the tag: it is missed only where it was seen.
            missed = tag not in tags and tag in self.memory.things
            if own.alive and own.says == own.technique and not missed:
                found.add(own.technique)
        return frozenset(found)

    @cached_property
    def gone(self) -> dict[str, str]:
        """The techniques that were taken off since, with what tells this from another time."""
        missing = techniques_of(self.memory.seen - self.now, self.memory.objects)
        absent = self.memory.present - self.snapshot.present | missing.keys()
        found = dict.fromkeys(absent, f"gone {self.snapshot.at.timestamp():.0f}")
        found |= {t: thing for thing, t in self.deleted.items() if thing not in self.memory.seen}
        return {technique: found[technique] for technique in found.keys() - self.supported}

    @cached_property
    def new(self) -> list[str]:
        """The techniques of people's tags that showed up since."""
        return sorted(self.by_hand - self.memory.present)

    @cached_property
    def back(self) -> list[str]:
        """The techniques of ours of which an object, or the tag on it, showed up since."""
        shown = techniques_of(self.now - self.memory.seen, self.memory.objects)
        return sorted((shown.keys() & self.supported) - self.by_hand)

    @cached_property
    def by_hand(self) -> frozenset[str]:
        """The techniques that only people's tags stand for: no object of ours, no tag of ours."""
        own = {own.technique for own in self.snapshot.own if own.alive}
        persons = {carrier.technique for carrier in self.snapshot.persons}
        return frozenset(persons - own - self.memory.event_tags)

    def observations(self) -> Iterator[Observation]:
        """Yield what changed since the last look."""
        yield from self._changes(self.memory.present, self.snapshot.present, technique=True)
        yield from self._changes(self.memory.seen, self.now, technique=False)

    def _changes(
        self, before: frozenset[str], now: frozenset[str], *, technique: bool
    ) -> Iterator[Observation]:
        known = self.memory.techniques if technique else self.memory.things
        for name in sorted(before ^ now):
            last = known.get(name)
            yield Observation(
                platform=PLATFORM,
                report=self.snapshot.id,
                technique=name if technique else None,
                object=None if technique else name,
                present=name in now,
                # The event's time goes back where an older version of it is synchronised.
                at=max(self.snapshot.at, last.at) if last else self.snapshot.at,
            )
