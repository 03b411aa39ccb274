"""Verdicts that an analyst took back: the opinion or note is deleted, or says it no longer.

OpenCTI's list of opinions only misses a deleted one; its history tells who deleted it. One that
neither the list has nor the history tells of may only be hidden from our user, and still counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from connector.changes import Hand, hands, iso, moment
from connector.errors import Refused
from connector.history import deletions
from connector.memory import PLATFORM
from connector.opinions import Statement
from engine.ledger import Verdict, Withdrawal

if TYPE_CHECKING:
    from datetime import datetime

    from connector.harvesting import Run

AT_ONCE = 100  # opinions or notes that are asked for in one request


def standing(run: Run) -> dict[str, dict[str, list[Verdict]]]:
    """Return the verdicts that were taken from opinions and notes, by kind and id of those."""
    found: dict[str, dict[str, list[Verdict]]] = {"opinion": {}, "note": {}}
    for verdict in run.ledger.said(PLATFORM, "opinion"):
        kind, _, rest = (verdict.origin or "").partition(" ")
        if kind in found:
            found[kind].setdefault(rest.partition(" ")[0], []).append(verdict)
    return found


def unsaid(
    run: Run, node: Mapping[str, Any], statement: Statement | None, verdicts: Iterable[Verdict]
) -> Iterator[Withdrawal]:
    """Yield what an opinion or note that changed says no longer.

    Parameters
    ----------
    run : Run
    node : mapping
        As the platform gives it.
    statement : Statement or None
        What is understood of it now.
    verdicts : iterable of Verdict
        What was taken from it before.
    """
    writers = hands(node)
    if not writers or any(run.people.whose(each) != "person" for each in writers):
        return
    for verdict in verdicts:
        if statement is None or not _says(run, statement, verdict):
            at = moment(node["updated_at"])
            yield _withdrawal(verdict, writers[-1], at, f"changed {iso(at)}")


def deleted(run: Run) -> list[Withdrawal]:
    """Return what was said in opinions and notes that a person has deleted since."""
    found: list[Withdrawal] = []
    for kind, by_id in standing(run).items():
        ids = sorted(by_id)
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            gone = set(some) - run.changes.existing(kind, some)
            told = _told(run, gone)
            for each in sorted(told.keys() & gone):
                who, at, origin = told[each]
                found += [_withdrawal(verdict, who, at, origin) for verdict in by_id[each]]
    return found


def _told(run: Run, gone: Collection[str]) -> Mapping[str, tuple[Hand | None, datetime, str]]:
    """Return who deleted what, when, and the history's id of it; all by nobody where it is shut."""
    if not gone:
        return {}
    try:
        told = deletions(run.platform, gone)
    except Refused as error:
        run.without_history(error)
        return dict.fromkeys(gone, (None, run.now, "gone"))
    return {each: (who, at, origin) for each, (who, at, origin) in told.items()
            if run.people.whose(who) == "person"}  # fmt: skip


def _says(run: Run, statement: Statement, verdict: Verdict) -> bool:
    stance, _ = statement.said.get(verdict.technique, (None, 0.0))
    # Of one that names no report, those count that held the relationship when it was heard.
    named = {each for _, each in statement.reports} or {verdict.report}
    wrong = verdict.verdict == "rejected"
    if stance is None or (stance == "wrong") != wrong or verdict.report not in named:
        return False
    if (quoted := statement.quoted.get(verdict.technique)) is not None:
        return verdict.evidence == quoted
    # Without a quotation it is about what we wrote, if about any sentence.
    written = run.ledger.written(PLATFORM, verdict.report)
    return verdict.evidence_digest in {None, *(row.evidence_digest for row in written)}


def _withdrawal(verdict: Verdict, who: Hand | None, at: datetime, origin: str) -> Withdrawal:
    return Withdrawal(
        platform=PLATFORM,
        report=verdict.report,
        technique=verdict.technique,
        verdict=verdict.id,
        who=who.id if who is not None else None,
        origin=origin,
        at=at,
    )
