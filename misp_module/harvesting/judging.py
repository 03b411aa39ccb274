"""From an event as it is and as it was last seen to verdicts.

What was there and is gone was taken off; what was not there and is, was put on. A thing counts as
gone only if it was seen, or if MISP keeps it as deleted: an answer of the modules server is an
offer, and MISP drops tags silently. All that is seen is remembered, so that it is told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from engine.ledger import Verdict
from misp_module.harvesting.comparing import Comparison
from misp_module.records import PLATFORM
from misp_module.statements import is_remark

if TYPE_CHECKING:
    from engine.ledger.records import Judgement
    from misp_module.audit import People, Row

# How sure it is that a person meant it.
MEANT: Final = 1.0
PART_GONE: Final = 0.8  # our object was taken away, but our tag of the event is still there
NOT_OURS_GONE: Final = 0.8
IN_BULK: Final = 0.5  # a whole enrichment was thrown away: perhaps it was only not wanted here
PUT_BACK: Final = 0.6
APPEARED: Final = 0.9
THERE_BEFORE_US: Final = 0.6  # at the first look at an event that we had enriched
SLACK: Final = timedelta(minutes=1)  # between the time of an event and that of its rows


class Judge:
    """Compares one event with what the ledger knows of it.

    Parameters
    ----------
    comparison : Comparison
        The event as it is, and as it was last seen.
    audit : callable that returns a sequence of Row
        Asked only where something was put on or taken off.
    people : People
    mass : int
        More techniques than this at once are no single judgements.

    Attributes
    ----------
    verdicts : list of Verdict
    skipped : Counter of str
        What was seen and is no verdict, by reason.
    """

    def __init__(
        self,
        comparison: Comparison,
        audit: Callable[[], Sequence[Row]],
        people: People,
        mass: int,
    ) -> None:
        self.comparison = comparison
        self.snapshot, self.memory = comparison.snapshot, comparison.memory
        self.verdicts: list[Verdict] = []
        self.skipped: Counter[str] = Counter()
        self._audit = audit
        self._people = people
        self._mass = mass

    def judge(self) -> None:
        """Fill in ``verdicts`` and ``skipped``."""
        self._taken_off()
        self._put_on()
        self._stated()

    def standing(self) -> dict[str, Verdict]:
        """Return the verdict that holds for each technique after this look."""
        return self.memory.holding(self.verdicts)

    @cached_property
    def _rows(self) -> Sequence[Row]:
        return self._audit()

    def _taken_off(self) -> None:
        snapshot, memory, gone = self.snapshot, self.memory, self.comparison.gone
        bulk = len(gone) > self._mass
        for technique, origin in sorted(gone.items()):
            confidence = MEANT if technique in memory.ours else NOT_OURS_GONE
            if technique in snapshot.present:
                confidence = PART_GONE
            if bulk:
                confidence = min(confidence, IN_BULK)
            times = [own.at for own in snapshot.own if own.technique == technique]
            at = max(times) if origin in self.comparison.deleted else snapshot.at
            self._act("removed", technique, "rejected", confidence, origin, at)

    def _put_on(self) -> None:
        memory, comparison = self.memory, self.comparison
        origin = f"new {self.snapshot.at.timestamp():.0f}"
        for technique in comparison.back:
            before = memory.verdicts.get(technique)
            if before is not None and before.verdict == "rejected":
                self._act("added", technique, "confirmed", PUT_BACK, origin)
        bulk = len(set(comparison.new) - memory.offered.keys()) > self._mass
        for technique in comparison.new:
            if technique in memory.offered:
                # Ticked among the AI hook's suggestions, or unticked and then tagged all the same.
                self._act("added", technique, "confirmed", APPEARED, origin, known_by="tag")
            elif not memory.has_looked and not memory.ours:
                pass  # nobody's work that we know of: it counts once the event is curated
            elif bulk:
                self.skipped["mass import"] += 1
            else:
                sure = APPEARED if memory.has_looked else THERE_BEFORE_US
                self._act("added", technique, "added", sure, origin)

    def _stated(self) -> None:
        heard = {verdict.origin for verdict in self.memory.history}
        for said in self.comparison.said:
            if said.at is None and said.origin in self.memory.seen:
                continue  # a tag that was there at the last look
            if is_remark(said.origin) and said.origin in heard:
                continue  # What was missing then may have been found by us since.
            at = said.at or self._later(said.technique, self.snapshot.at)
            origin = said.origin if said.at else f"{said.origin} {at.timestamp():.0f}"
            self._record(
                said.technique, said.judgement, said.confidence, said.known_by, said.who, origin,
                at, said.quoted,
            )  # fmt: skip

    def _act(
        self,
        act: str,
        technique: str,
        judgement: Judgement,
        confidence: float,
        origin: str,
        at: datetime | None = None,
        known_by: str = "difference",
    ) -> None:
        """Record what was done, with who and when where the audit log tells."""
        row = self._row(act, technique)
        if row is None:
            at = self._later(technique, at or self.snapshot.at)
            self._record(technique, judgement, confidence, known_by, None, origin, at)
            return
        if reason := self._people.reason(row):
            self.skipped[reason] += 1
            return
        if judgement == "added":
            confidence = MEANT
        if known_by == "difference":
            known_by = "history"
        who = row.user or row.email
        self._record(technique, judgement, confidence, known_by, who, f"audit {row.id}", row.at)

    def _row(self, act: str, technique: str) -> Row | None:
        """Return the row that tells of an act since the technique was seen otherwise, or judged."""
        own = [own for own in self.snapshot.own if own.technique == technique]
        ours = {number for one in own for number in one.numbers}
        last, before = self.memory.techniques.get(technique), self.memory.verdicts.get(technique)
        found = [
            row
            for row in self._rows
            if (row.technique == technique and row.act == act)
            or (act == "removed" and row.act == "deleted" and row.element in ours)
            if (last is None or row.at >= last.at - SLACK)
            and (before is None or row.at >= before.at)
        ]
        return found[-1] if found else None

    def _later(self, technique: str, at: datetime) -> datetime:
        """Return a time that is not before the verdict which this one replaces.

        The removal of a local tag leaves the event's time as it was.
        """
        before = self.memory.verdicts.get(technique)
        return max(at, before.at) if before else at

    def _record(
        self,
        technique: str,
        judgement: Judgement,
        confidence: float,
        known_by: str,
        who: str | None,
        origin: str,
        at: datetime,
        quoted: str | None = None,
    ) -> None:
        subject = self.memory.subject(technique, self._replaced(technique))
        if quoted:
            subject |= {"evidence": quoted, "evidence_digest": None}
        self.verdicts.append(
            Verdict(
                platform=PLATFORM,
                report=self.snapshot.id,
                technique=technique,
                verdict=judgement,
                known_by=known_by,
                confidence=confidence,
                who=who,
                tlp=self.snapshot.tlp,
                origin=origin,
                at=at,
                **subject,
            )
        )

    def _replaced(self, technique: str) -> str:
        """Return the technique of ours that a person replaced by this one, or the same."""
        for own in self.snapshot.own:
            tag = f"{own.name.get('uuid')}:{technique}"
            if own.technique != technique and (own.says == technique or tag in self.comparison.now):
                return own.technique
        return technique
