"""MISP's audit log: who put a technique's tag on something, and who took it off.

A row of a tag names its title only: the whole tag, or for a galaxy the cluster's value. Rows are
counted, so that their numbers tell what is new whatever the clocks say.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, Literal

from misp_module.asking import InstanceError, asked
from misp_module.tags import ICS, technique_of

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from misp_module.instance import Instance

REMOVALS: Final = ("remove_galaxy", "remove_local_galaxy", "remove_tag", "remove_local_tag")
ADDITIONS: Final = ("galaxy", "galaxy_local", "tag", "tag_local")
DELETIONS: Final = ("soft_delete", "delete")
PAGE: Final = 100  # The most that MISP gives at once.
# Rows get their numbers when they are written and show up when that is committed: not always in
# the same order. So as many are compared one by one.
OVERLAP: Final = 200
_INTERACTIVE: Final = "0"
_ACTS: Final[Mapping[str, Literal["added", "removed", "deleted"]]] = {
    **dict.fromkeys(REMOVALS, "removed"),
    **dict.fromkeys(ADDITIONS, "added"),
    **dict.fromkeys(DELETIONS, "deleted"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row about the tag of a technique, or about something that was deleted.

    Attributes
    ----------
    id : int
    event : str
        Number of the event.
    act : "added", "removed" or "deleted"
    technique : str
        Of the tag; "" for what was deleted.
    element : str
        MISP's kind and number of what the tag hung on or of what was deleted: ``Attribute 17``.
    user : str or None
        Number of the user; None where MISP does not tell.
    email : str or None
    key : str or None
        Number of the automation key; None where MISP does not tell, "0" for none.
    by_program : bool
        False only where it is known to have come through the interface.
    at : datetime
    """

    id: int
    event: str
    act: Literal["added", "removed", "deleted"]
    technique: str
    element: str
    user: str | None
    email: str | None
    key: str | None
    by_program: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class People:
    """Tells people from programs.

    Attributes
    ----------
    own : frozenset of str
        Number and e-mail of the user whose key ttpscribe has. What that user does in the interface
        is still the work of a person.
    bots : frozenset of str
        Numbers, e-mails and ``key:`` numbers that the admin named.
    """

    own: frozenset[str]
    bots: frozenset[str] = frozenset()

    def reason(self, row: Row) -> str | None:
        """Say why a row is not the work of a person; None where it is."""
        if row.user in self.own and row.by_program:
            return "own write"
        names = {row.user, row.email, f"key:{row.key}" if row.key else None}
        return "bot" if self.bots & names else None

    def is_person(self, email: str) -> bool:
        """Tell whether an author of analyst data is a person."""
        return email not in self.own and email not in self.bots


class AuditLog:
    """The audit log of an instance, as far as the key may read it.

    Parameters
    ----------
    instance : Instance
    knowledge : Knowledge
    zone : tzinfo
        In which the server writes times.
    """

    def __init__(self, instance: Instance, knowledge: Knowledge, zone: tzinfo = UTC) -> None:
        self._instance = instance
        self._knowledge = knowledge
        self._zone = zone
        self.is_open = instance.rights.get("perm_audit", False)

    def newest(self, known: Collection[int] | None) -> tuple[list[Row], list[int]]:
        """Return what was put on or taken off any event since, and the numbers to know next time.

        Parameters
        ----------
        known : collection of int, or None
            The numbers that were returned last time; None for the first time, when there is no
            "since" yet.
        """
        rows: list[Row] = []
        numbers: list[int] = []
        begin = min(known, default=0) if known is not None else None
        for given in self._pages("admin/audit_logs/index", {"action": [*REMOVALS, *ADDITIONS]}):
            numbers += [int(row["id"]) for row in given]
            if begin is None:
                if len(numbers) >= OVERLAP:
                    break
                continue
            rows += self._rows([row for row in given if int(row["id"]) > begin])
            if min(numbers) <= begin and len(numbers) >= OVERLAP:
                break
        new = [row for row in rows if row.id not in set(known or ())]
        return sorted(new, key=lambda row: row.id), sorted(numbers)[-OVERLAP:]

    def of_event(self, event: str) -> list[Row]:
        """Return the rows of one event, oldest first; none where MISP does not give them."""
        given = itertools.chain.from_iterable(self._pages(*self._of_event(event)))
        return sorted(self._rows(list(given)), key=lambda row: row.id)

    def _of_event(self, event: str) -> tuple[str, dict[str, Any] | None]:
        if self.is_open:  # it names keys, which the event's own log does not
            filters = {"event_id": event, "action": [*_ACTS]}
            return "admin/audit_logs/index", filters
        return f"audit_logs/eventIndex/{event}", None

    def _pages(self, path: str, filters: dict[str, Any] | None) -> Iterator[list[dict[str, Any]]]:
        before: list[str] = []
        for page in itertools.count(1):
            url = f"{path}/page:{page}/limit:{PAGE}"
            found = asked(
                lambda url=url: self._instance.misp.direct_call(url, filters),  # type: ignore[misc]
                missing=[],  # no right, or no such page
            )
            rows = [row.get("AuditLog", row) | _user(row) for row in found if "id" in _log(row)]
            numbers = [str(row["id"]) for row in rows]
            if not rows or numbers == before:
                return
            yield rows
            if len(rows) < PAGE:
                return
            before = numbers

    def _rows(self, given: Sequence[Mapping[str, Any]]) -> list[Row]:
        return [row for one in given if (row := self._row(one)) is not None]

    def _row(self, row: Mapping[str, Any]) -> Row | None:
        act = _ACTS.get(str(row.get("action")))
        technique = named(str(row.get("model_title") or ""), self._knowledge)
        if act is None or (technique is None and act != "deleted"):
            return None
        return Row(
            id=int(row["id"]),
            event=str(row.get("event_id") or ""),
            act=act,
            technique="" if act == "deleted" else technique or "",
            element=f"{row.get('model')} {row.get('model_id')}",
            user=_told(row.get("user_id")),
            email=_told(row.get("email")),
            key=_told(row.get("authkey_id")),
            by_program=str(row.get("request_type")) != _INTERACTIVE,
            at=moment(row.get("created"), self._zone),
        )


def named(title: str, knowledge: Knowledge) -> str | None:
    """Return the technique that a row's title names, by its tag or only its cluster's value."""
    if title.startswith("misp-galaxy:"):
        return technique_of(title, knowledge)
    for galaxy in ("mitre-attack-pattern", ICS):
        if technique := technique_of(f'misp-galaxy:{galaxy}="{title}"', knowledge):
            return technique
    return None


def moment(value: Any, zone: tzinfo = UTC) -> datetime:
    """Read a time as MISP writes it: seconds, or a date with a time in the server's zone.

    Raises
    ------
    InstanceError
        If it is neither.
    """
    text = str(value)
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InstanceError(f"MISP writes a time as '{text}', which is none.") from error
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _log(row: Any) -> Mapping[str, Any]:
    inner = row.get("AuditLog", row) if isinstance(row, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}


def _user(row: Mapping[str, Any]) -> dict[str, Any]:
    user = row.get("User")
    return {"email": user.get("email")} if isinstance(user, Mapping) else {}


def _told(value: Any) -> str | None:
    return None if value in (None, "") else str(value)
