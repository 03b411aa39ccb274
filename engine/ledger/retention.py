"""What is taken away again: a report's words on request, and what is old and not needed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, and_, func, select

from engine.ledger.database import Database
from engine.ledger.tables import (
    curations,
    enrichments,
    files,
    journal,
    observations,
    outcomes,
    steps,
    texts,
    verdicts,
    withdrawals,
    written,
)

_ERASED = "The report's text was erased on request. Enrich the report again if it is still wanted."


def erase(database: Database, platform: str, report: str) -> dict[str, int]:
    """Take away every word of a report; see ``Ledger.erase``."""
    with database.writing() as connection:
        moment = database.clock(connection)
        ours = select(enrichments.c.id).where(
            enrichments.c.platform == platform, enrichments.c.report == report
        )
        entries = and_(journal.c.platform == platform, journal.c.report == report)
        changed = {
            "texts": _delete(
                connection, texts, texts.c.platform == platform, texts.c.report == report
            ),
            "written": _blank(connection, written, "evidence", written.c.enrichment.in_(ours)),
            "verdicts": _blank(
                connection,
                verdicts,
                "evidence",
                and_(verdicts.c.platform == platform, verdicts.c.report == report),
            ),
            "steps": _blank(
                connection,
                steps,
                "result",
                steps.c.entry.in_(select(journal.c.sequence).where(entries)),
            ),
            # Without its body a message cannot be resumed: it ends here, and whoever holds it
            # hears so at the next step.
            "journal": connection.execute(
                journal.update()
                .where(entries, journal.c.state.in_(("waiting", "taken")))
                .values(
                    body=None,
                    state="failed",
                    error=_ERASED,
                    holder=None,
                    lease_until=None,
                    finished=moment,
                )
            ).rowcount,
        }
    database.forget()
    return changed


def prune(database: Database, limit: datetime) -> dict[str, int]:
    """Take away what is older than ``limit`` and not needed; see ``Ledger.prune``."""
    with database.writing() as connection:
        old_entries = select(journal.c.sequence).where(journal.c.finished < limit)
        gone = {
            "texts": _delete(connection, texts, texts.c.at < limit),
            "steps": _delete(connection, steps, steps.c.entry.in_(old_entries)),
            "journal": _delete(connection, journal, journal.c.finished < limit),
            "verdicts": _delete(
                connection,
                verdicts,
                verdicts.c.at < limit,
                # The one that holds is the last of those that nobody took back.
                _not_last(
                    verdicts,
                    "platform",
                    "report",
                    "technique",
                    among=verdicts.c.id.not_in(select(withdrawals.c.verdict)),
                ),
                verdicts.c.id.not_in(
                    select(withdrawals.c.verdict).where(withdrawals.c.at >= limit)
                ),
            ),
            "curations": _delete(
                connection,
                curations,
                curations.c.at < limit,
                _not_last(curations, "platform", "report"),
            ),
            "observations": _delete(
                connection,
                observations,
                observations.c.at < limit,
                # The last presence is kept beside a later absence: together they are a removal.
                _not_last(observations, "platform", "report", "technique", "object", "present"),
            ),
            "written": _delete(
                connection,
                written,
                written.c.at < limit,
                _not_last_on_report(written, "kind", "technique", "object"),
            ),
            "files": _delete(
                connection,
                files,
                files.c.at < limit,
                _not_last_on_report(files, "name", "digest"),
            ),
        }
        unneeded = select(enrichments.c.id).where(
            enrichments.c.at < limit,
            enrichments.c.id.not_in(_last_enrichments(ended=False)),
            enrichments.c.id.not_in(_last_enrichments(ended=True)),
            enrichments.c.id.not_in(select(written.c.enrichment)),
            enrichments.c.id.not_in(select(files.c.enrichment)),
        )
        ids = list(connection.execute(unneeded).scalars())
        gone["outcomes"] = gone["enrichments"] = 0
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            gone["outcomes"] += _delete(connection, outcomes, outcomes.c.enrichment.in_(some))
            gone["enrichments"] += _delete(connection, enrichments, enrichments.c.id.in_(some))
        gone["evidence"] = _blank(connection, written, "evidence", written.c.at < limit)
        gone["evidence"] += _blank(connection, verdicts, "evidence", verdicts.c.at < limit)
    database.forget()
    return gone


def _delete(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    return connection.execute(table.delete().where(*where)).rowcount


def _blank(connection: Connection, table: Table, column: str, where: ColumnElement[bool]) -> int:
    present = table.c[column].is_not(None)
    return connection.execute(table.update().where(where, present).values({column: None})).rowcount


def _ranked(
    source: FromClause,
    partition: list[Any],
    table: Table,
    among: ColumnElement[bool] | None = None,
) -> Any:
    rank = func.row_number().over(
        partition_by=partition, order_by=(table.c.at.desc(), table.c.sequence.desc())
    )
    query = select(table.c.sequence, rank.label("rank")).select_from(source)
    ranked = (query if among is None else query.where(among)).subquery()
    return select(ranked.c.sequence).where(ranked.c.rank == 1)


def _not_last(
    table: Table, *same: str, among: ColumnElement[bool] | None = None
) -> ColumnElement[bool]:
    """Select rows after which a later one speaks of the same thing, and rows not ``among`` them."""
    return table.c.sequence.not_in(_ranked(table, [table.c[name] for name in same], table, among))


def _not_last_on_report(table: Table, *same: str) -> ColumnElement[bool]:
    source = table.join(enrichments, enrichments.c.id == table.c.enrichment)
    report = [enrichments.c.platform, enrichments.c.report]
    return table.c.sequence.not_in(
        _ranked(source, [*report, *(table.c[name] for name in same)], table)
    )


def _last_enrichments(*, ended: bool) -> Any:
    """Give the id of each report's last enrichment, or of the last that was done."""
    rank = func.row_number().over(
        partition_by=(enrichments.c.platform, enrichments.c.report),
        order_by=(enrichments.c.at.desc(), enrichments.c.sequence.desc()),
    )
    query = select(enrichments.c.id, rank.label("rank"))
    if ended:
        done = select(outcomes.c.enrichment).where(outcomes.c.outcome == "done")
        query = query.where(enrichments.c.id.in_(done))
    ranked = query.subquery()
    return select(ranked.c.id).where(ranked.c.rank == 1)
