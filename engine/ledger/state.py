"""The state of a ledger from outside, for those who watch it: nothing in it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, select

from engine.ledger.database import Database, resolve
from engine.ledger.explain import explained
from engine.ledger.schema import HEAD, revision
from engine.ledger.tables import enrichments, journal, outcomes, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """What can be seen of a ledger.

    Attributes
    ----------
    location : str
        Where it is, without a password.
    schema : str or None
        Its revision; None where there is no ledger yet. What follows is known only where it is
        that of this version, ``HEAD``.
    clock : datetime
        The time by which leases are counted.
    messages : mapping from (platform, state) to int
        The journal's messages.
    waiting_since : mapping from platform to datetime
        When the oldest message arrived that nobody has taken, or whose holder is dead.
    outcomes : mapping from (platform, outcome) to int
        How enrichments ended.
    last_done : mapping from platform to datetime
        When the last enrichment ended well.
    verdicts : mapping from (platform, verdict) to int
        What analysts made of techniques, counting every change of mind.
    """

    location: str
    schema: str | None
    clock: datetime
    messages: Mapping[tuple[str, str], int] = field(default_factory=dict)
    waiting_since: Mapping[str, datetime] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last_done: Mapping[str, datetime] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, str], int] = field(default_factory=dict)


def state_of(url: str | Path | None = None) -> LedgerState:
    """Look at a ledger without opening it for work: no table is made, no schema is changed.

    Raises
    ------
    LedgerError
        If it cannot be reached.
    """
    target = resolve(url)
    if target.get_backend_name() == "sqlite" and not Path(str(target.database)).exists():
        return LedgerState(location=str(target.database), schema=None, clock=datetime.now(UTC))
    database = Database(url, migrating=False)
    try:
        return _seen(database)
    finally:
        database.close()


def _seen(database: Database) -> LedgerState:
    with explained(database.location), database.reading() as connection:
        clock, schema = database.clock(connection), revision(connection)
        if schema != HEAD:
            return LedgerState(location=database.location, schema=schema, clock=clock)
        ended = select(enrichments.c.platform, outcomes.c.outcome, func.count()).join(
            enrichments, enrichments.c.id == outcomes.c.enrichment
        )
        well = (
            select(enrichments.c.platform, func.max(outcomes.c.at))
            .join(enrichments, enrichments.c.id == outcomes.c.enrichment)
            .where(outcomes.c.outcome == "done")
            .group_by(enrichments.c.platform)
        )
        idle = (journal.c.state == "waiting") | (
            (journal.c.state == "taken") & (journal.c.lease_until < clock)
        )
        waits = (
            select(journal.c.platform, func.min(journal.c.received))
            .where(idle)
            .group_by(journal.c.platform)
        )
        return LedgerState(
            location=database.location,
            schema=schema,
            clock=clock,
            messages=_counts(connection, select(journal.c.platform, journal.c.state, func.count())),
            waiting_since={row[0]: row[1] for row in connection.execute(waits)},
            outcomes=_counts(connection, ended),
            last_done={row[0]: row[1] for row in connection.execute(well)},
            verdicts=_counts(
                connection, select(verdicts.c.platform, verdicts.c.verdict, func.count())
            ),
        )


def _counts(connection: Connection, query: Select[Any]) -> dict[tuple[str, str], int]:
    """Return the counts of a query by its first two columns."""
    grouped = query.group_by(*list(query.selected_columns)[:2])
    return {(row[0], row[1]): row[2] for row in connection.execute(grouped)}
