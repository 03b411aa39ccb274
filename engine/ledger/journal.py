"""The journal of messages: what a queue has handed over and forgotten is not lost.

A message is recorded before the queue is told that it arrived. Whoever works on it holds it under
a lease that heartbeats renew. When a process dies the lease runs out, and one other process goes
on after the last step recorded.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from engine.ledger.claim import Claim, LeaseLostError
from engine.ledger.database import Database
from engine.ledger.tables import journal, steps

State = Literal["waiting", "taken", "done", "failed"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message of the journal, as people look at it: without its body."""

    message: str
    work: str | None
    report: str | None
    state: State
    attempts: int
    error: str | None
    received: datetime
    finished: datetime | None
    steps: tuple[str, ...]


class Journal:
    """The messages of one queue. ``Ledger.journal`` gives it."""

    def __init__(
        self,
        database: Database,
        platform: str,
        queue: str,
        lease: timedelta,
        max_attempts: int,
    ) -> None:
        self._database = database
        self._platform = platform
        self._queue = queue
        self._lease = lease
        self._max_attempts = max_attempts

    def put(
        self, message: str, body: str, *, work: str | None = None, report: str | None = None
    ) -> bool:
        """Record a message for any process to claim; False where it is already known.

        Parameters
        ----------
        message : str
            Names the message; the same name again is the same message.
        body : str
            All that is needed to work on it. Erased when it is done or failed.
        work : str, optional
            The platform's id of the work.
        report : str, optional
            The report that the body speaks of, so that ``Ledger.erase`` finds it.
        """
        with self._database.writing() as connection:
            return self._put(connection, message, body, work, report)

    def take(
        self, message: str, body: str, *, work: str | None = None, report: str | None = None
    ) -> Claim | None:
        """Record a message and claim it at once, before the queue hears that it arrived.

        Returns None where there is nothing to do: it is finished, or another process holds it.
        A message that is known and held by nobody is claimed with the steps it has behind it.
        """
        with self._database.writing() as connection:
            self._put(connection, message, body, work, report)
            return self._claim(connection, journal.c.message == message)

    def claim(self) -> Claim | None:
        """Claim the oldest message that waits, or whose holder was not heard of for a lease.

        Never waits; None where there is none.
        """
        with self._database.writing() as connection:
            return self._claim(connection)

    def counts(self) -> dict[State, int]:
        """Return the number of messages in each state."""
        query = select(journal.c.state, func.count()).where(self._mine()).group_by(journal.c.state)
        with self._database.reading() as connection:
            found: dict[State, int] = {row[0]: row[1] for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in STATES}

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        """Return the messages, oldest first."""
        query = select(journal).where(self._mine()).order_by(journal.c.sequence)
        if state is not None:
            query = query.where(journal.c.state == state)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            done = _steps(connection, [row.sequence for row in rows])
        return tuple(
            Entry(
                message=row.message,
                work=row.work,
                report=row.report,
                state=row.state,
                attempts=row.attempts,
                error=row.error,
                received=row.received,
                finished=row.finished,
                steps=tuple(done.get(row.sequence, {})),
            )
            for row in rows
        )

    def _mine(self) -> Any:
        return and_(journal.c.platform == self._platform, journal.c.queue == self._queue)

    def _put(
        self, connection: Connection, message: str, body: str, work: str | None, report: str | None
    ) -> bool:
        row = {
            "platform": self._platform,
            "queue": self._queue,
            "message": message,
            "work": work,
            "report": report,
            "body": body,
            "state": "waiting",
            "attempts": 0,
            "received": self._database.clock(connection),
        }
        return self._database.insert(connection, journal, [row]) == 1

    def _claim(self, connection: Connection, *where: Any) -> Claim | None:
        moment = self._database.clock(connection)
        # SQLite needs no lock of a row: the whole transaction is alone from its beginning.
        query: Select[Any] = (
            select(journal)
            .where(self._mine(), *where)
            .where(
                or_(
                    journal.c.state == "waiting",
                    and_(journal.c.state == "taken", journal.c.lease_until < moment),
                )
            )
            .order_by(journal.c.sequence)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row: Row[Any] | None = connection.execute(query).first()
        if row is None:
            return None
        holder = uuid.uuid4().hex
        connection.execute(
            journal.update()
            .where(journal.c.sequence == row.sequence)
            .values(
                state="taken",
                holder=holder,
                lease_until=moment + self._lease,
                attempts=row.attempts + 1,
            )
        )
        return Claim(
            database=self._database,
            entry=row.sequence,
            holder=holder,
            lease=self._lease,
            message=row.message,
            body=row.body,
            work=row.work,
            report=row.report,
            attempts=row.attempts + 1,
            exhausted=row.attempts >= self._max_attempts,
            steps=_steps(connection, [row.sequence]).get(row.sequence, {}),
        )


def _steps(connection: Connection, entries: list[int]) -> dict[int, dict[str, Any]]:
    """Return the steps of messages with their results, in the order they were made."""
    found: dict[int, dict[str, Any]] = {}
    query = select(steps).where(steps.c.entry.in_(entries)).order_by(steps.c.sequence)
    for row in connection.execute(query):
        found.setdefault(row.entry, {})[row.name] = row.result
    return found


__all__ = ["Claim", "Entry", "Journal", "LeaseLostError", "State"]
