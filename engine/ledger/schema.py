"""Brings a database to the schema of this version, or refuses it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from engine.errors import LedgerError

HEAD = "0004"  # A test holds it to the newest revision.
VERSION_TABLE = "ledger_version"
# Any number will do, as long as it is always the same: who holds it is migrating.
_ADVISORY_LOCK = 7_700_017_001


def migrate(connection: Connection, location: str, to: str = HEAD) -> None:
    """Bring the database of a connection to the newest schema, inside its transaction.

    Several processes may do so at once: one does the work, the others wait and find it done.

    Raises
    ------
    LedgerError
        If the schema is of a newer version of ttpscribe, or the database is something else.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    current = revision(connection)
    if current == to:
        return
    if current is None and connection.dialect.name == "sqlite" and _tables(connection):
        raise LedgerError(
            f"{location} is a database, but not a ledger of ttpscribe. Name another file."
        )
    # Only here: a ledger is opened often and migrated seldom, and alembic takes time to import.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("path_separator", "os")
    # alembic interpolates its options.
    scripts = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", scripts)
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise LedgerError(
            f"The ledger at {location} has the schema {current}, which this version of ttpscribe "
            f"does not know (its own is {HEAD}): a newer version wrote it. Update ttpscribe, "
            "or name another ledger."
        )
    command.upgrade(config, to)


def revision(connection: Connection) -> str | None:
    """Return the revision of a database's schema; None where there is no ledger yet."""
    if VERSION_TABLE not in _tables(connection):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return None if found is None else str(found)


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()
