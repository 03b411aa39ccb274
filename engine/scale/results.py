"""Results of a big job on disk: each kept as soon as it is there, all written out at the end.

The directory holds ``journal.sqlite`` while the job runs and after it, so that the same call
again does only what is missing; ``results.jsonl`` and ``failures.jsonl`` appear when all is done,
whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from engine.errors import TtpscribeError, UsageError

JOURNAL: Final = "journal.sqlite"
RESULTS: Final = "results.jsonl"
FAILURES: Final = "failures.jsonl"

_TABLES = """
CREATE TABLE IF NOT EXISTS job (description TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS done (key BLOB PRIMARY KEY, line TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
  number INTEGER PRIMARY KEY, key BLOB NOT NULL, identifier TEXT NOT NULL, problem TEXT
);
"""


class Results:
    """What is done of a job.

    Parameters
    ----------
    directory : Path
    job : mapping
        All that results depend on besides the documents; plain JSON values.

    Raises
    ------
    UsageError
        If the directory holds the results of another job, or another process works on it.
    TtpscribeError
        If it cannot be written to.
    """

    def __init__(self, directory: Path, job: Mapping[str, Any]) -> None:
        self.directory = directory
        with self._told():
            directory.mkdir(parents=True, exist_ok=True)
            # No other process may write it meanwhile: both would do the same work.
            self._base = sqlite3.connect(directory / JOURNAL, timeout=0, isolation_level=None)
            try:
                self._open(job)
            except BaseException:
                self._base.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def ask(self, number: int, identifier: Any, digest: str) -> bytes | None:
        """Note that a document is part of the job.

        Returns
        -------
        bytes or None
            The key to hand its result in by; None where that is known from an earlier call.
        """
        written = json.dumps(identifier)
        key = hashlib.sha256(f"{digest} {written}".encode()).digest()
        with self._told():
            self._base.execute("INSERT INTO asked VALUES (?, ?, ?, NULL)", (number, key, written))
            known = self._base.execute("SELECT 1 FROM done WHERE key = ?", (key,)).fetchone()
        return None if known else key

    def keep(self, key: bytes, line: str) -> None:
        """Keep a result; from here on it is not lost."""
        with self._told():
            self._base.execute("INSERT OR REPLACE INTO done VALUES (?, ?)", (key, line))

    def fail(self, key: bytes, problem: str) -> None:
        """Note why there is no result; another call tries again."""
        with self._told():
            self._base.execute(
                "UPDATE asked SET problem = ? WHERE key = ?", (json.dumps(problem), key)
            )

    def refuse(self, number: int, identifier: Any, problem: str) -> None:
        """Note a document whose content cannot even be fetched."""
        values = (number, json.dumps(identifier), json.dumps(problem))
        with self._told():
            self._base.execute("INSERT INTO asked VALUES (?, x'', ?, ?)", values)

    def write_out(self) -> Path:
        """Write results and failures, in the order of the documents; return the former's path."""
        with self._told():
            self._replace(
                FAILURES,
                "SELECT '{\"id\": ' || identifier || ', \"error\": ' || problem || '}' || char(10) "
                "FROM asked WHERE problem IS NOT NULL ORDER BY number",
            )
            return self._replace(
                RESULTS, "SELECT line FROM asked JOIN done USING (key) ORDER BY number"
            )

    def _open(self, job: Mapping[str, Any]) -> None:
        self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.executescript(_TABLES)
        description = json.dumps(job, sort_keys=True)
        row = self._base.execute("SELECT description FROM job").fetchone()
        if row is None:
            self._base.execute("INSERT INTO job VALUES (?)", (description,))
        elif row[0] != description:
            before = json.loads(row[0])
            differs = ", ".join(
                f"{name} {before.get(name)}, now {value}"
                for name, value in job.items()
                if before.get(name) != value
            )
            raise UsageError(
                f"{self.directory} holds the results of another job ({differs}). Name another "
                "--output, or call with what it was called with."
            )
        self._base.execute("DELETE FROM asked")

    def _replace(self, name: str, query: str) -> Path:
        path = self.directory / name
        scratch = path.with_suffix(".part")
        try:
            with scratch.open("w", encoding="ascii", newline="\n") as file:
                for (line,) in self._base.execute(query):
                    file.write(line)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        return path

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UsageError(
                    f"Another process works on {self.directory}. Wait for it, or name another "
                    "--output."
                ) from error
            raise self._unwritable(error) from error
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> TtpscribeError:
        return TtpscribeError(
            f"{self.directory} cannot be used ({error}). Make room or name another --output; "
            "what is done is kept, and the same call goes on from there."
        )
