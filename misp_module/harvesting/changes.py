"""Which events to look at: what changed since the last harvest.

Four things tell, as none of them tells all. The index of events says when each last changed and
whether it is published; it is compared with what it said at the last look, so that neither clocks
nor events synchronised with an old time matter. Sightings and analyst data leave an event's time as
it was, and so does the removal of a local tag, which only the audit log tells.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from misp_module.asking import asked
from misp_module.audit import AuditLog, moment
from misp_module.harvesting.withdrawing import missing
from misp_module.records import PLATFORM
from misp_module.statements import FALSE_POSITIVE

if TYPE_CHECKING:
    from engine.ledger import Ledger
    from misp_module.harvesting.settings import HarvestSettings
    from misp_module.harvesting.states import States
    from misp_module.instance import Instance

SIGHTINGS_OVERLAP: Final = timedelta(days=7)  # a sighting may be dated back
DATA_OVERLAP: Final = timedelta(days=1)
DATA_PAGE: Final = 500
# An event may change twice in a second, and be looked at in between. It is looked at once more if
# it is as new as the newest, or as new as our own clock says, should that be right.
SAME_S: Final = 2
SETTLED_S: Final = 600
# With the first words of the origins of verdicts that come from it.
_ANALYST_DATA: Final = {"Opinion": ("opinion",), "Note": ("note", "remark")}


@dataclass
class Changes:
    """What to look at, and where to go on the next time.

    Attributes
    ----------
    events : list of str
        Numbers, in ascending order.
    states : mapping from number to str
        What the index says of each event, for those that it has.
    unsettled : set of str
        Those that may change again without the index telling, as it counts whole seconds.
    cursors : mapping from name to str
        To be recorded once all events were looked at.
    notes : list of str
        What could not be asked, for the admin.
    crowded : frozenset of str
        Uuids of sightings that were put on many events at once.
    """

    events: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    cursors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    crowded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Last:
    """Where a source of dated rows stood: what is older was seen, and so were some newer ones.

    Attributes
    ----------
    name : str
        Of its cursor.
    at : float
        Time of the newest row, in MISP's time; 0.0 before the first.
    seen : tuple of str
        The rows that are not much older than that.
    """

    name: str
    at: float = 0.0
    seen: Sequence[str] = ()

    def new(
        self,
        told: Mapping[str, tuple[float, Mapping[str, Any]]],
        overlap: timedelta,
        changes: Changes,
    ) -> list[Mapping[str, Any]]:
        """Return the rows that were not seen yet, and note where the source stands now.

        Parameters
        ----------
        told : mapping from name to (time, row)
        overlap : timedelta
            How much a row may be dated back.
        changes : Changes
        """
        begin, seen = self.at - overlap.total_seconds(), set(self.seen)
        newest = max([self.at, *(at for at, _ in told.values())])
        kept = [name for name, (at, _) in told.items() if at >= newest - overlap.total_seconds()]
        changes.cursors[self.name] = json.dumps({"at": newest, "seen": sorted(kept)})
        return [row for name, (at, row) in told.items() if at >= begin and name not in seen]


class Changed:
    """Finds out what changed.

    Parameters
    ----------
    instance : Instance
    ledger : Ledger
    states : States
    audit : AuditLog
    settings : HarvestSettings
    now : datetime
        By our own clock: only for what is looked at once more than needed.
    """

    def __init__(
        self,
        instance: Instance,
        ledger: Ledger,
        states: States,
        audit: AuditLog,
        settings: HarvestSettings,
        now: datetime,
    ) -> None:
        self._misp = instance.misp
        self._instance = instance
        self._ledger = ledger
        self._states = states
        self._audit = audit
        self._settings = settings
        self._now = now

    def find(self) -> Changes:
        """Ask MISP.

        Raises
        ------
        InstanceError
            If it does not answer.
        """
        changes = Changes()
        uuids = self._index(changes)
        wanted = {e for e, state in changes.states.items() if state != self._states.of(e)}
        wanted |= self._tags(changes)
        wanted |= self._sightings(changes)
        wanted |= self._data(changes, uuids)
        changes.events = sorted(wanted, key=int)
        return changes

    def _index(self, changes: Changes) -> Mapping[str, str]:
        """Note what the index says; return the numbers of events by uuid."""
        uuids, times = {}, {}
        for row in self._instance.index():
            number = str(row["id"])
            times[number] = int(row.get("timestamp") or 0)
            published = str(row.get("published")).lower() in ("1", "true")
            sighted = row.get("sighting_timestamp") or 0
            changes.states[number] = f"{times[number]} {sighted} {int(published)}"
            uuids[str(row.get("uuid"))] = number
        newest, now = max(times.values(), default=0), self._now.timestamp()
        changes.unsettled = {
            number
            for number, at in times.items()
            if at >= newest - SAME_S or abs(now - at) < SETTLED_S
        }
        return uuids

    def _tags(self, changes: Changes) -> set[str]:
        """Return the events whose tags the audit log tells of, or those that are watched."""
        why = "The key may not read MISP's audit log: give its role the right perm_audit."
        if self._audit.is_open:
            last = self._ledger.cursor(PLATFORM, "audit")
            rows, numbers = self._audit.newest(None if last is None else json.loads(last))
            changes.cursors["audit"] = json.dumps(numbers)
            if numbers:
                return {row.event for row in rows} & changes.states.keys()
            why = "MISP's audit log has no row of a tag: an admin should set MISP.log_new_audit."
        changes.notes.append(
            f"{why} Without, nobody knows who did what, and the removal of a local tag shows only "
            f"on events enriched in the last {self._settings.watch_days} days."
        )
        return self._watched() & changes.states.keys()

    def _watched(self) -> set[str]:
        begin = self._now - timedelta(days=self._settings.watch_days)
        return {
            report
            for _, report in self._ledger.reports(PLATFORM)
            if (last := self._ledger.last_enrichment(PLATFORM, report)) and last.at >= begin
        }

    def _sightings(self, changes: Changes) -> set[str]:
        last = self._last("sightings")
        # Those that count already are asked for as well: one that is missing was taken back.
        known = [each.at.timestamp() for each in self._ledger.said(PLATFORM, "sighting")]
        earliest = min([last.at - SIGHTINGS_OVERLAP.total_seconds(), *known])
        # MISP heeds a beginning without an end only by this name, and else gives thirty days.
        begin = max(int(earliest) - 1, 1)
        found = asked(
            lambda: self._misp.search_sightings(
                type_sighting=FALSE_POSITIVE, publish_timestamp=begin
            )
        )
        rows = [row.get("Sighting", row) for row in found]
        changes.crowded = crowded(rows)
        told = {str(row.get("uuid")): (int(row.get("date_sighting") or 0), row) for row in rows}
        new = last.new(told, SIGHTINGS_OVERLAP, changes)
        events = {str(row.get("event_id")) for row in new}
        events |= missing(self._ledger, "sighting", ("sighting",), told.keys())
        return events & changes.states.keys()

    def _data(self, changes: Changes, uuids: Mapping[str, str]) -> set[str]:
        events: set[str] = set()
        for kind, origins in _ANALYST_DATA.items():
            told = {}
            for row in self._analyst_data(kind):
                changed = row.get("modified") or row.get("created") or 0
                at = moment(changed, self._settings.zone).timestamp()
                told[f"{row.get('uuid')} {changed}"] = (at, row)
            targets: dict[str, set[str]] = defaultdict(set)
            for row in self._last(kind).new(told, DATA_OVERLAP, changes):
                targets[str(row.get("object_type"))].add(str(row.get("object_uuid")))
            there = {str(row.get("uuid")) for _, row in told.values()}
            events |= missing(self._ledger, "opinion", origins, there)
            events |= {uuids[uuid] for uuid in targets.pop("Event", ()) if uuid in uuids}
            events |= self._events_of(targets)
        return events & changes.states.keys()

    def _last(self, name: str) -> Last:
        return Last(name, **json.loads(self._ledger.cursor(PLATFORM, name) or "{}"))

    def _analyst_data(self, kind: str) -> Iterator[Mapping[str, Any]]:
        seen: set[str] = set()
        for page in itertools.count(1):
            found = asked(
                lambda page=page: self._misp.direct_call(  # type: ignore[misc]
                    f"analyst_data/index/{kind}/limit:{DATA_PAGE}/page:{page}"
                ),
                missing=[],  # a MISP that has no analyst data
            )
            rows = [row.get(kind, row) for row in found]
            new = [row for row in rows if str(row.get("uuid")) not in seen]
            yield from new
            seen.update(str(row.get("uuid")) for row in new)
            if not new or len(rows) < DATA_PAGE:
                return

    def _events_of(self, targets: Mapping[str, set[str]]) -> set[str]:
        """Return the events that something is in; of what is gone there is none."""
        events = set()
        if wanted := sorted(targets.get("Attribute", ())):
            found = self._instance.search("attributes", uuid=wanted, deleted=[0, 1])
            rows = found.get("Attribute", ()) if isinstance(found, Mapping) else ()
            events |= {str(row["event_id"]) for row in rows}
        for uuid in sorted(targets.get("Object", ())):
            one = asked(lambda uuid=uuid: self._misp.get_object(uuid), missing={})  # type: ignore[misc]
            events.add(str(one.get("Object", {}).get("event_id")))
        for uuid in sorted(targets.get("EventReport", ())):
            one = asked(lambda uuid=uuid: self._misp.get_event_report(uuid), missing={})  # type: ignore[misc]
            events.add(str(one.get("EventReport", {}).get("event_id")))
        return events


def crowded(sightings: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the sightings that one organisation put on several events in the same second.

    MISP puts a sighting of a value on every attribute that has it, and a technique's is the same in
    every event.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for sighting in sightings:
        groups[str(sighting.get("org_id")), str(sighting.get("date_sighting"))].append(sighting)
    return frozenset(
        str(sighting.get("uuid"))
        for group in groups.values()
        if len({str(sighting.get("event_id")) for sighting in group}) > 1
        for sighting in group
    )
