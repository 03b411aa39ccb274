"""The tables, as migrations leave them. A test compares them with the migrations' result.

Core tables rather than mapped classes: rows are appended and read, never changed as objects, and
``records`` already says what they are. ``sequence`` is the order in which rows were recorded here;
``id`` is the row's name in every copy of the ledger.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class Moment(TypeDecorator[datetime]):
    """An aware moment, kept in UTC to the microsecond.

    SQLite has no type for it and forgets the zone; there UTC is stored and given back.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What a value is in Python."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the ledger takes moments with a time zone, not {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Give the moment back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts up by itself only where the key is called INTEGER.
COUNTER = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _sequence() -> Column[Any]:
    return Column("sequence", COUNTER, primary_key=True, autoincrement=True)


def _id() -> Column[Any]:
    return Column("id", String(32), nullable=False, unique=True)


def _of_enrichment() -> Column[Any]:
    return Column("enrichment", String(32), ForeignKey("enrichments.id"), nullable=False)


def _report() -> tuple[Column[Any], Column[Any]]:
    return Column("platform", String(64), nullable=False), Column("report", Text, nullable=False)


enrichments = Table(
    "enrichments",
    metadata,
    _sequence(),
    _id(),
    *_report(),
    Column("digest", String(64), nullable=False),
    Column("digests", JSON, nullable=False),
    Column("release", Text, nullable=False),
    Column("attack_version", String(32), nullable=False),
    Column("operating_point", String(64), nullable=False),
    Column("tlp", String(32)),
    Column("at", Moment, nullable=False),
    Index(None, "platform", "report"),
    sqlite_autoincrement=True,
)

outcomes = Table(
    "outcomes",
    metadata,
    _sequence(),
    _id(),
    _of_enrichment(),
    Column("outcome", String(16), _one_of("outcome", "done", "failed"), nullable=False),
    Column("detail", Text),
    Column("at", Moment, nullable=False),
    Index(None, "enrichment"),
    sqlite_autoincrement=True,
)

written = Table(
    "written",
    metadata,
    _sequence(),
    _id(),
    _of_enrichment(),
    Column(
        "kind",
        String(16),
        _one_of("kind", "ref", "relationship", "note", "tag", "object", "inference"),
        nullable=False,
    ),
    Column("technique", String(16)),
    Column("object", Text),
    Column("probability", Float),
    Column("recognizer", Text),
    Column("evidence", Text),
    Column("evidence_digest", String(64)),
    Column("source", Text),
    Column("page", Integer),
    Column("content_digest", String(64)),
    Column("at", Moment, nullable=False),
    Index(None, "enrichment"),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    metadata,
    _sequence(),
    _id(),
    _of_enrichment(),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "enrichment"),
    sqlite_autoincrement=True,
)

observations = Table(
    "observations",
    metadata,
    _sequence(),
    _id(),
    *_report(),
    Column("technique", String(16)),
    Column("object", Text),
    Column("present", Boolean, nullable=False),
    Column("who", Text),
    Column("origin", Text),
    Column("at", Moment, nullable=False),
    Index(None, "platform", "report"),
    sqlite_autoincrement=True,
)

verdicts = Table(
    "verdicts",
    metadata,
    _sequence(),
    _id(),
    *_report(),
    Column("technique", String(16), nullable=False),
    Column(
        "verdict",
        String(16),
        _one_of("verdict", "confirmed", "rejected", "added"),
        nullable=False,
    ),
    Column("known_by", String(64), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("who", Text),
    Column("evidence", Text),
    Column("evidence_digest", String(64)),
    # No foreign key: a verdict outlives the enrichment that it judged.
    Column("enrichment", String(32)),
    Column("release", Text),
    Column("attack_version", String(32)),
    Column("tlp", String(32)),
    Column("origin", Text),
    Column("at", Moment, nullable=False),
    Index(None, "platform", "report"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

withdrawals = Table(
    "withdrawals",
    metadata,
    _sequence(),
    _id(),
    *_report(),
    Column("technique", String(16), nullable=False),
    # No foreign key: it stays when its verdict is pruned, so that no copy brings that back.
    Column("verdict", String(32), nullable=False),
    Column("who", Text),
    Column("origin", Text),
    Column("at", Moment, nullable=False),
    Index(None, "platform", "report"),
    Index(None, "verdict"),
    sqlite_autoincrement=True,
)

curations = Table(
    "curations",
    metadata,
    _sequence(),
    _id(),
    *_report(),
    Column("complete", Boolean, nullable=False),
    Column("known_by", String(64), nullable=False),
    Column("who", Text),
    Column("tlp", String(32)),
    Column("digest", String(64)),
    Column("attack_version", String(32)),
    Column("origin", Text),
    Column("at", Moment, nullable=False),
    Index(None, "platform", "report"),
    sqlite_autoincrement=True,
)

texts = Table(
    "texts",
    metadata,
    Column("platform", String(64), primary_key=True),
    Column("report", Text, primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("platform", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    _sequence(),
    Column("platform", String(64), nullable=False),
    Column("queue", String(128), nullable=False),
    Column("message", String(255), nullable=False),
    Column("work", Text),
    Column("report", Text),
    Column("body", Text),
    Column(
        "state",
        String(16),
        _one_of("state", "waiting", "taken", "done", "failed"),
        nullable=False,
    ),
    Column("attempts", Integer, nullable=False),
    Column("holder", String(32)),
    Column("lease_until", Moment),
    Column("error", Text),
    Column("received", Moment, nullable=False),
    Column("finished", Moment),
    Index(None, "platform", "queue", "message", unique=True),
    Index(None, "platform", "queue", "state"),
    sqlite_autoincrement=True,
)

steps = Table(
    "steps",
    metadata,
    _sequence(),
    Column("entry", COUNTER, ForeignKey("journal.sequence"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("at", Moment, nullable=False),
    Index(None, "entry", "name", unique=True),
    sqlite_autoincrement=True,
)
