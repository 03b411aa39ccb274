"""When a report counts as curated: its techniques are complete in an analyst's eyes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from connector.changes import Hand, Look, iso
from connector.history import History, People
from connector.memory import PLATFORM
from engine.ledger import Curation, text_digest

if TYPE_CHECKING:
    from connector.harvest_settings import HarvestSettings

# A reviewer may not be done with the first click.
SETTLED = timedelta(hours=1)
# What was said of a report is surer than what is taken from nobody touching it any more.
SAID, QUIET = 0.9, 0.6


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a report counts as curated.

    Attributes
    ----------
    confidence : float
        That what was kept on it was kept knowingly.
    seen : datetime or None
        When a person was last at the report: what came later nobody has agreed with.
    """

    known_by: Literal["status", "label", "reviewer", "quiet"]
    confidence: float
    at: datetime
    who: Hand | None = None
    seen: datetime | None = None


def reason(
    look: Look,
    history: History | None,
    people: People,
    settings: HarvestSettings,
    now: datetime,
) -> Reason | None:
    """Say why a report counts as curated; None where it does not.

    Parameters
    ----------
    look : Look
    history : History or None
        None where it is not known; then only status and labels count.
    people : People
    settings : HarvestSettings
    now : datetime
        The platform's time.
    """
    said = said_so(look, settings)
    seen, last = _last_person(history, people)
    if said is not None:
        # A playbook can set a status or a label as well; then nobody has looked.
        names = (look.status or "",) if said == "status" else settings.labels
        set_by = [history.put[each.casefold()] for each in names
                  if history is not None and each.casefold() in history.put]  # fmt: skip
        who = set_by[0] if set_by else last
        if history is None or (who is not None and people.whose(who) == "person"):
            return Reason(said, SAID, look.updated, who, seen)
    if history is None:
        return None
    # Who came before our last writing has not seen it. In the platform's time, as all here.
    wrote = [e.at for e in history.edits if e.present and people.whose(e.who) == "own"]
    since = max(wrote, default=look.created - timedelta(microseconds=1))
    if now - look.updated >= SETTLED:
        for at, hand in reversed(history.hands):
            if at > since and _one_of((hand.id, hand.name), settings.reviewers):
                return Reason("reviewer", SAID, at, hand, seen)
    if settings.quiet_days and now - look.updated >= timedelta(days=settings.quiet_days):
        # Somebody who never looked at the techniques has not agreed with them.
        by_hand = [
            edit.who
            for edit in history.edits
            if edit.at > since and people.whose(edit.who) == "person" and not people.is_mass(edit)
        ]
        if by_hand:
            return Reason("quiet", QUIET, look.updated, by_hand[-1], seen)
    return None


def needs_history(look: Look, settings: HarvestSettings, now: datetime) -> bool:
    """Say whether the history decides if a report counts as curated."""
    quiet = timedelta(days=settings.quiet_days)
    old_enough = bool(quiet) and now - look.updated >= quiet
    return bool(settings.reviewers) or old_enough


def said_so(look: Look, settings: HarvestSettings) -> Literal["status", "label"] | None:
    """Return what says that a report is curated."""
    if look.status is not None and _one_of((look.status,), settings.statuses):
        return "status"
    return "label" if _one_of(look.labels, settings.labels) else None


def ages(settings: HarvestSettings) -> Iterator[tuple[str, timedelta]]:
    """Yield the times without a change after which a report may count as curated."""
    if settings.reviewers:
        yield "settled", SETTLED
    if settings.quiet_days:
        yield "quiet", timedelta(days=settings.quiet_days)


def record(
    before: Curation | None, look: Look, why: Reason | None, digest: str | None, *, sure: bool
) -> Curation | None:
    """Say that a report counts as curated, or no longer; None where nothing changed.

    Parameters
    ----------
    before : Curation or None
        What was last recorded.
    look : Look
    why : Reason or None
    digest : str or None
        Of its text.
    sure : bool
        Whether the history was read; without it, what it told is not taken back.
    """
    if why is None:
        told_by_history = before is not None and before.known_by in ("reviewer", "quiet")
        if before is None or not before.complete or (told_by_history and not sure):
            return None
        return Curation(
            platform=PLATFORM,
            report=look.id,
            known_by=before.known_by,
            complete=False,
            tlp=look.tlp,
            origin=f"reopened {iso(look.updated)}",
            at=look.updated,
        )
    state = json.dumps([why.known_by, digest, look.tlp, sorted(look.techniques)])
    if before is not None and before.complete and before.origin == _origin(state, before.at):
        return None
    return Curation(
        platform=PLATFORM,
        report=look.id,
        known_by=why.known_by,
        who=why.who.id if why.who else None,
        tlp=look.tlp,
        digest=digest,
        origin=_origin(state, why.at),
        at=why.at,
    )


def _origin(state: str, at: datetime) -> str:
    return f"{text_digest(state)[:16]} {iso(at)}"


def _last_person(
    history: History | None, people: People
) -> tuple[datetime, Hand] | tuple[None, None]:
    for at, hand in reversed(history.hands if history is not None else ()):
        if people.whose(hand) == "person":
            return at, hand
    return None, None


def _one_of(values: Iterable[str], wanted: Iterable[str]) -> bool:
    chosen = {each.strip().casefold() for each in wanted}
    return any(each.strip().casefold() in chosen for each in values)
