"""The connection to SQLite or PostgreSQL: its settings, its transactions, its errors."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from engine.errors import LedgerError
from engine.ledger.explain import explained
from engine.ledger.schema import migrate
from engine.paths import data_directory
from engine.secret_files import secret_from_file

URL_VARIABLE = "TTPSCRIBE_LEDGER_URL"
PASSWORD_VARIABLE = "TTPSCRIBE_LEDGER_PASSWORD"  # noqa: S105 - the name of a setting
FILE_NAME = "ledger.sqlite"
BUSY_SECONDS = 30.0
_ROWS_AT_ONCE = 500  # SQLite takes at most 32,766 values in a statement.


class Database:
    """An opened database with the newest schema.

    A transaction belongs to the thread that began it; calls inside it join it.

    Parameters
    ----------
    url : str, Path or None
    migrating : bool
        Bring it to the newest schema. Without it, it may be of any.
    """

    def __init__(self, url: str | Path | None, *, migrating: bool = True) -> None:
        self.url = resolve(url)
        self.location = _shown(self.url)
        with explained(self.location):
            self._engine = _engine(self.url)
        self._thread = threading.local()
        if not migrating:
            return
        try:
            with self.writing() as connection:
                migrate(connection, self.location)
        except BaseException:
            self.close()
            raise

    @property
    def dialect(self) -> str:
        """``"sqlite"`` or ``"postgresql"``."""
        return self._engine.dialect.name

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection of this thread's transaction; begin one where there is none."""
        running: Connection | None = getattr(self._thread, "connection", None)
        if running is not None:
            with explained(self.location):
                yield running
            return
        with explained(self.location), self._engine.begin() as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                self._thread.connection = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the whole, and does not block writers."""
        running: Connection | None = getattr(self._thread, "connection", None)
        if running is not None:
            with explained(self.location):
                yield running
            return
        with explained(self.location), self._engine.connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                connection.execution_options(reading=True)
            yield connection

    def insert(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> int:
        """Add rows that are not there yet, in this order; return how many were new."""
        make = postgresql.insert if self.dialect == "postgresql" else sqlite.insert
        new = 0
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = [_storable(row) for row in rows[start : start + _ROWS_AT_ONCE]]
            statement = make(table).values(some).on_conflict_do_nothing()
            # Without the option SQLAlchemy leaves the count out where it costs a look-up.
            statement = statement.execution_options(preserve_rowcount=True)
            new += connection.execute(statement).rowcount
        return new

    def clock(self, connection: Connection) -> datetime:
        """Return the time that all processes at this database agree on."""
        if self.dialect == "postgresql":
            moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            return moment.astimezone(UTC)
        return datetime.now(UTC)

    def forget(self) -> None:
        """Let SQLite take what was deleted out of its log as well, where nobody is reading."""
        if self.dialect == "sqlite" and getattr(self._thread, "connection", None) is None:
            with explained(self.location), self._engine.connect() as connection:
                driver = cast(sqlite3.Connection, connection.connection.driver_connection)
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _storable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Replace what a database cannot hold in a text: NUL, and halves of surrogate pairs."""
    return {
        name: value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        if isinstance(value, str)
        else value
        for name, value in row.items()
    }


def resolve(url: str | Path | None) -> URL:
    """Return the URL that is meant by a URL, a path, or nothing.

    Without one it is ``TTPSCRIBE_LEDGER_URL``, and without that a file in the user's data
    directory. A password that the URL leaves out is read from the file that
    ``TTPSCRIBE_LEDGER_PASSWORD_FILE`` names.
    """
    given = str(url or os.environ.get(URL_VARIABLE) or data_directory() / FILE_NAME)
    if "://" not in given:
        return URL.create("sqlite", database=str(Path(given).expanduser().absolute()))
    try:
        parsed = make_url(given)
    except (ArgumentError, ValueError):  # The latter for a port that is no number.
        # The text is not repeated: it may hold a password.
        raise LedgerError(
            "The ledger's URL cannot be read. It is sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST/NAME."
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise LedgerError(
            "The ledger's URL names no file. A ledger has to last: sqlite:////var/lib/ledger.sqlite"
        )
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise LedgerError(
            f"A ledger is kept in SQLite or PostgreSQL, not in {parsed.get_backend_name()}."
        )
    if parsed.get_backend_name() == "postgresql" and parsed.password is None:
        parsed = parsed.set(password=secret_from_file(PASSWORD_VARIABLE))
    return parsed


def _shown(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(query={}).render_as_string(hide_password=True)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    arguments: dict[str, object] = {}
    if "connect_timeout" not in url.query:
        arguments["connect_timeout"] = 10
    if "options" not in url.query:
        arguments["options"] = f"-c lock_timeout={round(BUSY_SECONDS * 1000)}"
    try:
        # Connections that the server closed meanwhile are replaced before they are used.
        return create_engine(url, pool_pre_ping=True, connect_args=arguments)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise LedgerError(
            "A ledger on PostgreSQL needs the package psycopg: pip install 'ttpscribe[postgres]'"
        ) from error


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Evidence may be confidential: nobody else reads a ledger that we make.
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be made: {error.strerror}. Name a file in a directory that "
            "this user may write to."
        ) from error
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # We begin transactions, not the driver.
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # What was recorded outlives a power cut.
        connection.execute("PRAGMA secure_delete = ON")  # What was erased is gone from the file.
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer queues up at once: two that have read could not both go on to write.
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode, which the file keeps.

    SQLite does not wait for a lock here as it does elsewhere, so that processes that open a new
    ledger together would fail.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
