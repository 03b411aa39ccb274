"""One look at one event: what it gives the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from misp_module.harvesting.comparing import Comparison
from misp_module.harvesting.curating import Curator
from misp_module.harvesting.judging import Judge
from misp_module.harvesting.memory import Memory
from misp_module.harvesting.pointing import pointed
from misp_module.harvesting.withdrawing import withdrawn
from misp_module.snapshot import Snapshot
from misp_module.statements import Statement, statements
from misp_module.tlp import is_above

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.ledger import Curation, Ledger, Observation, Verdict, Withdrawal
    from misp_module.audit import AuditLog, People
    from misp_module.harvesting.settings import HarvestSettings

_IGNORED: Final = "ignored "  # a sighting that is no judgement of one event


@dataclass
class Found:
    """What one look gives the ledger."""

    verdicts: Sequence[Verdict] = ()
    observations: Sequence[Observation] = ()
    curation: Curation | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    withdrawn: Sequence[Withdrawal] = ()


@dataclass(frozen=True)
class Looker:
    """Looks at events.

    Attributes
    ----------
    knowledge : Knowledge
    settings : HarvestSettings
    people : People
    audit : AuditLog
    curator : Curator
    """

    knowledge: Knowledge
    settings: HarvestSettings
    people: People
    audit: AuditLog
    curator: Curator

    def look(self, ledger: Ledger, event: Mapping[str, Any], crowded: Collection[str]) -> Found:
        """Compare an event with what the ledger knows of it; record nothing.

        Parameters
        ----------
        ledger : Ledger
        event : mapping
            As MISP gives it, with what was deleted and with analyst data.
        crowded : collection of str
            Uuids of sightings that were put on several events at once.
        """
        before = Memory.of(ledger, str(event["id"]))
        snapshot = Snapshot(event, self.knowledge, before.objects)
        if is_above(snapshot.tlp, self.settings.max_tlp):
            return Found(skipped=Counter({"over TLP": 1}))
        taken_back = tuple(withdrawn(snapshot, before))
        memory = before.without({each.verdict for each in taken_back})
        said, ignored = self._said(snapshot, memory, crowded)
        comparison = Comparison(snapshot, memory, said, frozenset(ignored))
        judge = Judge(
            comparison,
            lambda: self.audit.of_event(snapshot.id),
            self.people,
            self.settings.mass,
        )
        judge.judge()
        new = ignored - memory.things.keys()
        judge.skipped["mass import"] += len(new)
        seen = list(comparison.observations())
        found = Found(judge.verdicts, seen, None, judge.skipped, taken_back)
        self._curate(snapshot, memory, judge, found)
        found.verdicts = [*found.verdicts, *pointed(snapshot, memory, found.verdicts)]
        return found

    def _said(
        self, snapshot: Snapshot, memory: Memory, crowded: Collection[str]
    ) -> tuple[list[Statement], set[str]]:
        """Return what is said of this event alone, and what was said of many at once."""
        said, ignored = [], set()
        for statement in statements(snapshot, self.people, self.settings.zone, memory.ours):
            kind, _, uuid = statement.origin.partition(" ")
            thing = _IGNORED + statement.origin
            if thing in memory.things or (kind == "sighting" and uuid in crowded):
                ignored.add(thing)
            else:
                said.append(statement)
        return said, ignored

    def _curate(self, snapshot: Snapshot, memory: Memory, judge: Judge, found: Found) -> None:
        reason = self.curator.reason(snapshot)
        if reason and not memory.ours and self.curator.is_import(snapshot):
            found.skipped["mass import"] += 1
            return
        found.curation = self.curator.curation(snapshot, memory, reason)
        if reason is not None:
            more = self.curator.verdicts(snapshot, memory, judge.standing(), reason)
            found.verdicts = [*found.verdicts, *more]
