"""The ledger: open it, record in it, ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from sqlalchemy import Table, func, select, text

from engine.ledger import exchange, retention
from engine.ledger.database import Database
from engine.ledger.journal import Journal
from engine.ledger.reading import LedgerReader
from engine.ledger.records import (
    Curation,
    Enrichment,
    Observation,
    OwnFile,
    Verdict,
    Withdrawal,
    Written,
    derived_id,
    now,
)
from engine.ledger.schema import HEAD
from engine.ledger.tables import (
    curations,
    cursors,
    enrichments,
    files,
    metadata,
    observations,
    outcomes,
    texts,
    verdicts,
    withdrawals,
    written,
)

Record = Written | OwnFile | Observation | Verdict | Withdrawal | Curation


class Ledger(LedgerReader):
    """What was read, what was written where, and what analysts made of it.

    Rows are only ever added, but for cursors, the journal, and what retention takes away. Each
    call is a transaction; inside ``transaction`` all calls of the thread are one. A ledger may be
    used by several threads, and its database by several processes; it does not survive a fork.

    Open it with ``Ledger.open``.
    """

    def __init__(self, database: Database, *, keep_text: bool) -> None:
        super().__init__(database)
        self._keep_text = keep_text

    @classmethod
    def open(cls, url: str | Path | None = None, *, keep_text: bool = False) -> Self:
        """Open a ledger, make it where there is none, and bring an older one up to date.

        Parameters
        ----------
        url : str or Path, optional
            ``sqlite:///PATH``, a path, or ``postgresql://USER:PASSWORD@HOST/NAME``. Without one
            what the variable ``TTPSCRIBE_LEDGER_URL`` says, else a file in the data directory.
        keep_text : bool
            Keep the texts of reports too, not only their digests and the evidence.

        Raises
        ------
        LedgerError
            If it cannot be reached or written, or a newer version of ttpscribe wrote it.
        """
        return cls(Database(url), keep_text=keep_text)

    @property
    def location(self) -> str:
        """Where it is, without a password."""
        return self._database.location

    @property
    def schema(self) -> str:
        """The revision of its schema."""
        return HEAD

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all calls of this thread in the block one: all of them are kept, or none.

        Others wait meanwhile on SQLite, so talk to the platform before or after, not inside.
        """
        with self._database.writing():
            yield

    def check(self) -> None:
        """Raise ``LedgerError`` unless the ledger can be written to just now."""
        with self._database.writing() as connection:
            connection.execute(text("SELECT 1"))

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        with self._database.reading() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
            }

    def begin_enrichment(
        self, enrichment: Enrichment, texts_read: Mapping[str, str] | None = None
    ) -> str:
        """Record an enrichment before anything of it is written; return its id.

        Recording the same id again, as after a crash, changes nothing.

        Parameters
        ----------
        texts_read : mapping from digest to text, optional
            Kept only where the ledger was opened with ``keep_text``.
        """
        row = _row(enrichment)
        del row["outcome"], row["detail"]  # Rows of their own, so that this one never changes.
        with self._database.writing() as connection:
            self._database.insert(connection, enrichments, [row])
            if self._keep_text and texts_read:
                where = {"platform": enrichment.platform, "report": enrichment.report}
                rows = [
                    {**where, "digest": digest, "text": content, "at": enrichment.at}
                    for digest, content in texts_read.items()
                ]
                self._database.insert(connection, texts, rows)
        return enrichment.id

    def finish_enrichment(
        self, id_: str, outcome: Literal["done", "failed"], detail: str | None = None
    ) -> None:
        """Record how an enrichment ended. The last outcome holds."""
        at = now()
        row = {
            "id": derived_id("outcome", id_, outcome, at.isoformat()),
            "enrichment": id_,
            "outcome": outcome,
            "detail": detail,
            "at": at,
        }
        with self._database.writing() as connection:
            self._database.insert(connection, outcomes, [row])

    def record_written(self, *things: Written) -> int:
        """Record what an enrichment writes; return how much of it was new.

        Do it before it is sent: what was sent and is not recorded would pass for an analyst's.
        """
        return self._add(written, things)

    def record_files(self, *own: OwnFile) -> int:
        """Record files that an enrichment attaches, before they are sent."""
        return self._add(files, own)

    def observe(self, *seen: Observation) -> int:
        """Record what was seen on the platform; return how much of it was new."""
        return self._add(observations, seen)

    def record_verdicts(self, *judged: Verdict) -> int:
        """Record verdicts; return how many were new. A change of mind is another verdict."""
        return self._add(verdicts, judged)

    def withdraw(self, *taken_back: Withdrawal) -> int:
        """Record that verdicts no longer hold; return how many were new."""
        return self._add(withdrawals, taken_back)

    def record_curations(self, *curated: Curation) -> int:
        """Record that reports counted as curated, or no longer; return how many were new."""
        return self._add(curations, curated)

    def set_cursor(self, platform: str, name: str, value: str) -> None:
        """Record how far a harvester has come.

        In one ``transaction`` with what it found, so that nothing is skipped and nothing is
        recorded twice.
        """
        where = {"platform": platform, "name": name}
        with self._database.writing() as connection:
            new = self._database.insert(
                connection, cursors, [{**where, "value": value, "at": now()}]
            )
            if not new:
                connection.execute(
                    cursors.update()
                    .where(cursors.c.platform == platform, cursors.c.name == name)
                    .values(value=value, at=now())
                )

    def journal(
        self,
        platform: str,
        queue: str,
        *,
        lease: timedelta = timedelta(seconds=60),
        max_attempts: int = 3,
    ) -> Journal:
        """Return the journal of a queue's messages, shared by all processes of that queue.

        Parameters
        ----------
        lease : timedelta
            A message whose holder was not heard of for so long is taken over by another process.
        max_attempts : int
            A message that was begun more often is ``exhausted``: it is to be given up.
        """
        return Journal(self._database, platform, queue, lease, max_attempts)

    def erase(self, platform: str, report: str) -> dict[str, int]:
        """Take away every word of a report: texts, evidence, bodies of messages.

        Digests, techniques and verdicts stay. Returns the number of rows changed by table.
        """
        return retention.erase(self._database, platform, report)

    def prune(self, older_than: timedelta | datetime) -> dict[str, int]:
        """Take away what is older and no longer needed; return the rows gone by table.

        What keeps an analyst's edit from being undone is needed at any age: the verdict that
        holds, the last sight of a technique, what was last written, our files' names. So is what
        says that a report counts as curated.
        """
        limit = now() - older_than if isinstance(older_than, timedelta) else older_than
        return retention.prune(self._database, limit)

    def export(self, stream: IO[str]) -> dict[str, int]:
        """Write all but the journal as JSON lines; return the rows by table."""
        return exchange.write(self._database, stream)

    def import_(self, stream: IO[str]) -> dict[str, int]:
        """Add an export's rows that are not here yet; return how many by table.

        Raises
        ------
        LedgerError
            If a line is not of an export; nothing of it is kept then.
        """
        return exchange.read(self._database, stream)

    def _add(
        self,
        table: Table,
        records: tuple[Record, ...],
    ) -> int:
        if not records:
            return 0
        with self._database.writing() as connection:
            return self._database.insert(connection, table, [_row(record) for record in records])


def _row(record: Enrichment | Record) -> dict[str, Any]:
    return asdict(record)
