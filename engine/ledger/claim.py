"""A message that this process holds, from its claim to its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from engine.errors import LedgerError
from engine.ledger.database import Database
from engine.ledger.tables import journal, steps

_log = logging.getLogger(__name__)
_BEATS_A_LEASE = 4  # Two may be missed without losing the message.


class LeaseLostError(LedgerError):
    """Another process has taken the message over; this one has to leave it alone."""


class Claim:
    """A message of the journal, held by this process.

    Use it in a ``with`` block: inside, a thread renews the lease. Leaving it with neither ``done``
    nor ``fail`` gives the message back, to be resumed after its last step.

    Attributes
    ----------
    message, body, work, report : str
        As they were put in.
    attempts : int
        How often it was begun, this time included.
    exhausted : bool
        It was begun too often and never ended: say so to the user and ``fail`` it.
    """

    def __init__(
        self,
        *,
        database: Database,
        entry: int,
        holder: str,
        lease: timedelta,
        message: str,
        body: str,
        work: str | None,
        report: str | None,
        attempts: int,
        exhausted: bool,
        steps: Mapping[str, Any],
    ) -> None:
        self._database = database
        self._entry = entry
        self._holder = holder
        self._lease = lease
        self.message = message
        self.body = body
        self.work = work
        self.report = report
        self.attempts = attempts
        self.exhausted = exhausted
        self._steps = dict(steps)
        self._ended = False
        self._lost = False
        self._ending = threading.Lock()
        self._stop = threading.Event()
        self._beats: threading.Thread | None = None

    @property
    def steps(self) -> Mapping[str, Any]:
        """The steps that are behind it, in order, with their results."""
        return MappingProxyType(self._steps)

    @property
    def lost(self) -> bool:
        """Whether another process has taken it over, as far as is known here."""
        return self._lost

    def __enter__(self) -> Self:
        self._beats = threading.Thread(
            target=self._beat, name=f"lease of {self.message}", daemon=True
        )
        self._beats.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._beats is not None:
            # Not for long: it may wait for the very transaction that this block stands in.
            self._beats.join(timeout=1)
        if self._ended:
            return
        try:
            # An order to stop is no fault of the message; an error may be.
            self.give_back(counts=isinstance(error, Exception))
        except LeaseLostError:
            pass
        except LedgerError as trouble:
            # Nothing is lost: the lease runs out, and another process takes the message over.
            _log.warning("Message %s could not be given back: %s", self.message, trouble)

    def step(self, name: str, result: Any = None) -> None:
        """Record a step, so that whoever resumes the message does not do it again.

        Parameters
        ----------
        name : str
            The same name again changes nothing.
        result : JSON value, optional
            What the next steps need of it. Erased when the message is done or failed.

        Raises
        ------
        LeaseLostError
            If another process has taken the message over.
        """
        with self._database.writing() as connection:
            self._hold(connection)
            row = {
                "entry": self._entry,
                "name": name,
                "result": result,
                "at": self._database.clock(connection),
            }
            self._database.insert(connection, steps, [row])
        self._steps.setdefault(name, result)

    def done(self) -> None:
        """End it. Its body is erased."""
        self._end("done", None)

    def fail(self, reason: str) -> None:
        """Give it up, with a sentence for the user. Its body is erased."""
        self._end("failed", reason)

    def give_back(self, *, counts: bool = False) -> None:
        """Let another process resume it, at once.

        Parameters
        ----------
        counts : bool
            Whether this was one of the attempts after which a message is given up.
        """
        attempts = self.attempts if counts else self.attempts - 1
        with self._ending:
            with self._database.writing() as connection:
                self._hold(
                    connection, state="waiting", holder=None, lease_until=None, attempts=attempts
                )
            self._ended = True

    def renew(self) -> None:
        """Renew the lease, as the heartbeats do."""
        with self._database.writing() as connection:
            self._hold(connection)

    def _end(self, state: str, error: str | None) -> None:
        with self._ending:
            with self._database.writing() as connection:
                self._hold(
                    connection,
                    state=state,
                    error=error,
                    body=None,
                    holder=None,
                    lease_until=None,
                    finished=self._database.clock(connection),
                )
                connection.execute(
                    steps.update().where(steps.c.entry == self._entry).values(result=None)
                )
            self._ended = True

    def _hold(self, connection: Connection, **values: Any) -> None:
        """Change the entry if it is still ours; renew the lease where nothing else is said."""
        if not values:
            values = {"lease_until": self._database.clock(connection) + self._lease}
        changed = connection.execute(
            journal.update()
            .where(journal.c.sequence == self._entry, journal.c.holder == self._holder)
            .values(**values)
        )
        if changed.rowcount == 0:
            raise LeaseLostError(
                f"Message {self.message} is no longer this process's: another one took it over, "
                f"as this one was not heard of for {self._lease.total_seconds():g} s, or its "
                "report was erased."
            )

    def _beat(self) -> None:
        while not self._stop.wait(self._lease.total_seconds() / _BEATS_A_LEASE):
            if self._ended:
                return
            try:
                self.renew()
            except LeaseLostError as lost:
                with self._ending:  # It may just have been ended, by ourselves.
                    self._lost = not self._ended
                if self._lost:
                    _log.warning("%s", lost)
                return
            except LedgerError as trouble:
                # Tried again at the next beat; the next step tells if it took too long.
                _log.warning("The lease of message %s was not renewed: %s", self.message, trouble)
