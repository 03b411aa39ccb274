"""Who did what to a report, and when: the platform's history, and who counts as a person."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from connector.changes import Hand, Look, moment
from connector.errors import Refused
from connector.platform import Platform
from connector.report import nodes

Whose = Literal["person", "bot", "own"]
PAGE = 100
MOST = 10  # pages: the thousand latest changes of a report
# OpenCTI's own services, which act under these names.
SERVICES = frozenset({
    "system", "automation manager", "rule manager", "retention manager", "decay manager",
    "expiration manager", "redaction manager", "hub registration manager", "redacted",
    "garbage collection manager", "telemetry manager", "draft manager", "ingestion manager",
})  # fmt: skip
# Changes name a technique so: "[T1047] Windows Management Instrumentation".
_NAMED = re.compile(r"\[(T\d{4}(?:\.\d{3})?)\]")
_ENTRY = """
    id event_scope timestamp user_id user { id name }
    context_data { entity_id changes { field changes_added changes_removed } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One technique that was put on a report, or taken off.

    ``origin`` is the platform's id of the change, the same in its history and its stream.
    """

    technique: str
    present: bool
    who: Hand
    at: datetime
    origin: str
    known_by: Literal["history", "stream"] = "history"


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a report's changes, oldest first.

    Attributes
    ----------
    edits : tuple of Edit
    hands : tuple of (datetime, Hand)
        Everybody's changes, of whatever kind.
    maker : Hand or None
        Who made the report.
    put : mapping from value to Hand
        Who last put a value there that is no technique: a label, the name of a status.
    """

    edits: tuple[Edit, ...] = ()
    hands: tuple[tuple[datetime, Hand], ...] = ()
    maker: Hand | None = None
    put: Mapping[str, Hand] = field(default_factory=dict)

    def last(self, technique: str) -> Edit | None:
        """Return the last edit of a technique."""
        return next((each for each in reversed(self.edits) if each.technique == technique), None)

    def was_there(self) -> frozenset[str]:
        """Return the techniques that were on the report: put there, or taken off."""
        return frozenset(each.technique for each in self.edits)

    def joined(self, edits: Iterable[Edit]) -> History:
        """Return it with edits that the stream told; those that the history has stay as it says."""
        known = {(each.origin, each.technique) for each in self.edits}
        new = [each for each in edits if (each.origin, each.technique) not in known]
        merged = sorted((*self.edits, *new), key=lambda each: each.at)
        hands = sorted(
            (*self.hands, *((each.at, each.who) for each in new)), key=lambda each: each[0]
        )
        return replace(self, edits=tuple(merged), hands=tuple(hands))

    def from_start(self, look: Look, people: People) -> History:
        """Return it with what stood on the report when it was made, as its maker's edits."""
        maker = self.maker
        if maker is None and look.creators:
            # The beginning may be lost. Where only persons ever wrote to it, it was a person.
            persons = all(people.whose(each) == "person" for each in look.creators)
            maker = look.creators[0] if persons else None
        if maker is None:
            return self
        made = [
            Edit(technique=each, present=True, who=maker, at=look.created, origin="made with it")
            for each in sorted(look.techniques - self.was_there())
        ]
        return replace(self, edits=(*made, *self.edits), maker=maker)


def read_history(platform: Platform, report_id: str) -> History:
    """Read the history of a report.

    Raises
    ------
    Refused
        If the connector's user may not read it.
    """
    return parse_history(reversed(_entries(platform, [report_id])))


def deletions(platform: Platform, ids: Collection[str]) -> dict[str, tuple[Hand, datetime, str]]:
    """Return who deleted which of these objects, when, and the history's id of that.

    Raises
    ------
    Refused
        If the connector's user may not read it.
    """
    told = {}
    for entry in _entries(platform, sorted(ids)):
        deleted = str((entry.get("context_data") or {}).get("entity_id"))
        if entry.get("event_scope") == "delete" and deleted not in told:
            told[deleted] = (_hand(entry), moment(entry["timestamp"]), str(entry["id"]))
    return told


def _entries(platform: Platform, ids: list[str]) -> list[dict[str, Any]]:
    """Return what the history says of objects, the newest first."""
    group = {
        "mode": "and",
        "filters": [{"key": ["context_data.id"], "values": ids}],
        "filterGroups": [],
    }
    entries: list[dict[str, Any]] = []
    after = None
    for _ in range(MOST):
        page = platform.ask(
            "reading the history",
            lambda after=after: platform.api.log.list(  # type: ignore[misc]
                filters=group,
                first=PAGE,
                after=after,
                orderBy="timestamp",
                orderMode="desc",
                withPagination=True,
                customAttributes=_ENTRY,
            ),
        )
        entries += nodes(page["entities"])
        if not page["pagination"]["hasNextPage"]:
            break
        after = page["pagination"]["endCursor"]
    return entries


def _hand(entry: Mapping[str, Any]) -> Hand:
    user = entry.get("user") or {"id": entry["user_id"]}
    return Hand(str(user["id"]), str(user.get("name") or ""))


def parse_history(entries: Iterable[Mapping[str, Any]]) -> History:
    """Make a history of its entries, oldest first."""
    edits: list[Edit] = []
    hands: list[tuple[datetime, Hand]] = []
    maker = None
    put: dict[str, Hand] = {}
    for entry in entries:
        who = _hand(entry)
        at = moment(entry["timestamp"])
        hands.append((at, who))
        if entry.get("event_scope") == "create":
            maker = who
        for change in (entry.get("context_data") or {}).get("changes") or ():
            put |= dict.fromkeys(
                (each.casefold() for each in change.get("changes_added") or ()), who
            )
            for present, values in (
                (True, change.get("changes_added")),
                (False, change.get("changes_removed")),
            ):
                edits += (
                    Edit(technique=each, present=present, who=who, at=at, origin=str(entry["id"]))
                    for each in named(values or ())
                )
    return History(tuple(edits), tuple(hands), maker, put)


def named(values: Iterable[str]) -> Iterator[str]:
    """Yield the techniques that values of a change name; relationships to them are others."""
    for value in values:
        if match := _NAMED.match(value):
            yield match.group(1)


class People:
    """Tells persons from connectors.

    Parameters
    ----------
    own : Hand
        The connector's user.
    bots : collection of str
        Ids and names of users whose edits are no verdicts.
    mass : int
        So many edits of one user within a minute are an import.
    """

    def __init__(self, own: Hand, bots: Iterable[str], mass: int) -> None:
        self.own = own
        self._bots = {each.strip().casefold() for each in bots} | SERVICES
        self._mass = mass
        self._minutes: dict[tuple[str, int], set[tuple[str, str, str]]] = {}

    @classmethod
    def of(cls, platform: Platform, bots: Iterable[str], mass: int) -> tuple[People, list[str]]:
        """Ask the platform who its connectors are; return what it did not tell beside."""
        api = platform.api
        me = platform.ask("asking for the user", lambda: api.query("query Me { me { id name } }"))
        own = Hand(me["data"]["me"]["id"], me["data"]["me"]["name"])
        told: list[str] = []
        try:
            answer = platform.ask(
                "asking for the connectors",
                lambda: api.query(
                    "query Connectors { connectorsForWorker { id connector_user_id } }"
                ),
            )
            found = answer["data"]["connectorsForWorker"] or ()
            told = [str(each["connector_user_id"]) for each in found if each["connector_user_id"]]
        except Refused:
            note = (
                f"{own.name} may not list the connectors (CONNECTORAPI), so their edits pass for "
                "an analyst's. Give it the right, or name their users in TTPSCRIBE_HARVEST_BOTS."
            )
            return cls(own, bots, mass), [note]
        return cls(own, [*bots, *told], mass), []

    @property
    def bots(self) -> int:
        """How many users, besides OpenCTI's own services, are no analysts."""
        return len(self._bots - SERVICES)

    def whose(self, hand: Hand) -> Whose:
        """Say whether an edit is a person's."""
        if hand.id == self.own.id:
            return "own"
        known = {hand.id.casefold(), hand.name.strip().casefold()}
        return "bot" if known & self._bots else "person"

    def count(self, report: str, edits: Iterable[Edit]) -> None:
        """Take note of edits, to know later which were an import."""
        for edit in edits:
            minute = self._minutes.setdefault((edit.who.id, _minute(edit)), set())
            minute.add((report, edit.origin, edit.technique))

    def is_mass(self, edit: Edit) -> bool:
        """Say whether an edit is one of very many by the same user around that time."""
        before, now, after = (
            len(self._minutes.get((edit.who.id, _minute(edit) + step), ())) for step in (-1, 0, 1)
        )
        return now + max(before, after) >= self._mass


def _minute(edit: Edit) -> int:
    return int(edit.at.timestamp() // 60)
