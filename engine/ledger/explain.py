"""Says in a sentence what a database's error means and what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.errors import LedgerError

# Beginnings of SQLite's messages. Its codes say no more, and Python 3.11's errors lack some.
_SQLITE = (
    (
        ("database is locked", "database table is locked"),
        "another process has been writing to it for too long. Try again; if it stays so, end the "
        "process that holds it",
    ),
    (("database or disk is full",), "the disk is full. Make room and try again"),
    (
        ("unable to open database file",),
        "the file cannot be opened. Check its directory and who may write there",
    ),
    (
        ("attempt to write a readonly database",),
        "the file may not be written to by this user. Change its owner or its mode",
    ),
    (
        ("file is not a database", "database disk image is malformed"),
        "the file is damaged or no SQLite database. Put back a copy, or name another file",
    ),
    (("disk I/O error",), "the disk does not read or write. Check it and its free space"),
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html, by the longest prefix
_POSTGRES = (
    ("28", "the user or the password is not accepted. Check the ledger's URL"),
    ("3D000", "there is no database of this name. Create it: createdb NAME"),
    ("42501", "the user lacks rights there. Make it the owner of the database"),
    ("53100", "the server's disk is full. Make room there and try again"),
    ("53300", "the server has no connection left. Raise its max_connections, or wait"),
    ("40P01", "two processes waited for each other. Try again"),
    ("40001", "another process changed the same rows. Try again"),
    ("55P03", "another process has been writing to it for too long. Try again"),
    ("57P", "the server is shutting down or starting. Try again when it is up"),
    ("08", "the connection broke. Check that the server is up, and try again"),
    ("25006", "the server takes no writes, as a standby does. Name the primary"),
)


@contextmanager
def explained(location: str) -> Iterator[None]:
    """Turn errors of the database into ``LedgerError``; a wrong argument stays what it is."""
    try:
        yield
    except StatementError as error:
        if not isinstance(error, DBAPIError) and error.orig is not None:
            raise error.orig from None
        raise LedgerError(f"The ledger at {location} cannot be used: {_reason(error)}.") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise LedgerError(f"The ledger at {location} cannot be used: {_reason(error)}.") from error


def _reason(error: SQLAlchemyError | sqlite3.Error) -> str:
    if isinstance(error, PoolTimeoutError):
        return "all connections are in use. Work on fewer reports at once"
    # Only the driver's words: SQLAlchemy's hold the statement, and with it the report's text.
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = str(cause).strip()
    for beginnings, reason in _SQLITE:
        if words.startswith(beginnings):
            return reason
    state = getattr(cause, "sqlstate", None)
    for prefix, reason in _POSTGRES:
        if state and state.startswith(prefix):
            return reason
    first = words.splitlines()[0].rstrip(".") if words else type(cause).__name__
    if type(cause).__module__.startswith("psycopg") and state is None:
        return _unreachable(words, first)
    return first


def _unreachable(words: str, first: str) -> str:
    """PostgreSQL refuses before there is a session with a message, without a code."""
    for beginning, state in (("password authentication", "28"), ("no pg_hba.conf entry", "28")):
        if beginning in words:
            return dict(_POSTGRES)[state]
    if 'database "' in words and "does not exist" in words:
        return dict(_POSTGRES)["3D000"]
    return f"the server does not answer ({first}). Check that it is up, and the ledger's URL"
