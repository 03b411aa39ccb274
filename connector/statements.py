"""Hears the opinions and notes that came, changed or are gone, and records what they said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from connector.changes import moment
from connector.hearing import hear
from connector.judging import Judged
from connector.memory import PLATFORM
from connector.opinions import of_note, of_opinion
from connector.withdrawing import deleted, standing, unsaid
from engine.ledger import Withdrawal

if TYPE_CHECKING:
    from connector.harvesting import Found, Run

_UNDERSTAND = {"opinion": of_opinion, "note": of_note}


def statements(run: Run, until: datetime | None) -> None:
    """Hear the opinions and notes that came since the cursors, or changed."""
    for kind, name, pages in (
        ("opinion", "opinions", run.changes.opinions),
        ("note", "notes", run.changes.notes),
    ):
        before = standing(run)[kind]
        for page in pages(run.after(name), until):
            said = [(node, _UNDERSTAND[kind](node)) for node in page]
            taken = [
                each
                for node, statement in said
                for each in unsaid(run, node, statement, before.get(node["id"], ()))
            ]
            run.withdrawn |= {each.verdict for each in taken}
            judged = Judged()
            for _, statement in said:
                if statement is not None:
                    hear(run, statement, judged)
            again = _look_again(run, taken, judged)
            with run.ledger.transaction():
                _record(run, taken, again, judged)
                value = run.forward(name, moment(page[-1]["updated_at"]))
                run.ledger.set_cursor(PLATFORM, name, value)
            run.advance(f"{name} heard, {run.tally.verdicts} verdicts")


def deletions(run: Run) -> None:
    """Take back what was said in opinions and notes that a person has deleted."""
    taken = deleted(run)
    if not taken:
        return
    run.withdrawn |= {each.verdict for each in taken}
    judged = Judged()
    again = _look_again(run, taken, judged)
    with run.ledger.transaction():
        _record(run, taken, again, judged)


def _look_again(run: Run, taken: Sequence[Withdrawal], judged: Judged) -> list[Found]:
    """Look at the reports of which something is taken back: what it outweighed counts now."""
    found = []
    for report in sorted({each.report for each in taken}):
        look = run.changes.find(report)
        if look is None or not run.may_read(look):
            continue
        found.append(run.look_into(look, (), afresh=True))
        for kind, node in run.changes.said_of(look.id):
            statement = _UNDERSTAND[kind](node)
            if statement is not None:
                hear(run, statement, judged)
    return found


def _record(run: Run, taken: Sequence[Withdrawal], again: Iterable[Found], judged: Judged) -> None:
    run.tally.withdrawn += run.ledger.withdraw(*taken)
    for each in again:
        run.record(each)
    run.keep(judged)
