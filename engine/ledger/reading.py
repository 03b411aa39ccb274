"""What the ledger can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, Subquery, exists, func, select

from engine.ledger.database import Database
from engine.ledger.records import (
    Curation,
    Enrichment,
    Observation,
    Outcome,
    OwnFile,
    Verdict,
    Withdrawal,
    Written,
)
from engine.ledger.tables import (
    curations,
    cursors,
    enrichments,
    files,
    observations,
    outcomes,
    texts,
    verdicts,
    withdrawals,
    written,
)

Record = TypeVar("Record", Curation, Enrichment, OwnFile, Observation, Verdict, Withdrawal, Written)


class LedgerReader:
    """The questions. ``platform`` and ``report`` are as they were recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enrichment(self, id_: str) -> Enrichment | None:
        """Return one enrichment with its last outcome."""
        found = self._records(Enrichment, _enrichments().where(enrichments.c.id == id_))
        return found[0] if found else None

    def last_enrichment(
        self, platform: str, report: str, outcome: Outcome | None = "done"
    ) -> Enrichment | None:
        """Return the last enrichment of a report that ended so; of any outcome with None.

        Where its digest and its release are those of now, there is nothing to do.
        """
        query = _enrichments().where(*_of(enrichments.c, platform, report))
        for enrichment in reversed(self._records(Enrichment, query)):
            if outcome in (None, enrichment.outcome):
                return enrichment
        return None

    def written(self, platform: str, report: str) -> tuple[Written, ...]:
        """Return everything that was written on a report, each thing as last written.

        A thing is a kind with its technique and its object on the platform.
        """
        query = (
            select(written)
            .join(enrichments, enrichments.c.id == written.c.enrichment)
            .where(*_of(enrichments.c, platform, report))
            .order_by(written.c.at, written.c.sequence)
        )
        last = {(w.kind, w.technique, w.object): w for w in self._records(Written, query)}
        return tuple(last.values())

    def own_files(self, platform: str, report: str) -> tuple[OwnFile, ...]:
        """Return the files that we attached to a report."""
        query = (
            select(files)
            .join(enrichments, enrichments.c.id == files.c.enrichment)
            .where(*_of(enrichments.c, platform, report))
            .order_by(files.c.sequence)
        )
        return tuple(self._records(OwnFile, query))

    def is_own_file(self, platform: str, report: str, name: str, digest: str | None = None) -> bool:
        """Say whether a file is one that we attached, by its name or by its bytes."""
        return any(
            file.name == name or file.digest == digest for file in self.own_files(platform, report)
        )

    def last_seen(self, platform: str, report: str) -> dict[str, Observation]:
        """Return the last observation of each technique on a report."""
        seen = self._observations(platform, report)
        return {o.technique: o for o in seen if o.technique is not None}

    def last_seen_objects(self, platform: str, report: str) -> dict[str, Observation]:
        """Return the last observation of each object of ours on a report."""
        return {o.object: o for o in self._observations(platform, report) if o.object is not None}

    def seen_present(self, platform: str, report: str) -> frozenset[str]:
        """Return the techniques that were seen on a report at any time.

        Only of these does an absence say that somebody removed them.
        """
        seen = self._observations(platform, report)
        return frozenset(o.technique for o in seen if o.present and o.technique is not None)

    def current_verdicts(self, platform: str, report: str) -> dict[str, Verdict]:
        """Return the verdict that holds for each technique of a report.

        It is the latest of those that were not withdrawn.
        """
        where = _of(verdicts.c, platform, report)
        found = self._records(Verdict, _current_verdicts(*where))
        return {verdict.technique: verdict for verdict in found}

    def removed(self, platform: str, report: str) -> frozenset[str]:
        """Return the techniques that an analyst took off a report: never write them again."""
        return self._judged(platform, report, "rejected")

    def added(self, platform: str, report: str) -> frozenset[str]:
        """Return the techniques that an analyst put on a report."""
        return self._judged(platform, report, "added")

    def history(
        self, platform: str, report: str, technique: str | None = None
    ) -> tuple[Verdict, ...]:
        """Return all verdicts on a report, or on one technique of it, oldest first.

        But for those that were withdrawn: what nobody says any more speaks for nothing.
        """
        query = select(verdicts).where(*_of(verdicts.c, platform, report), _standing())
        if technique is not None:
            query = query.where(verdicts.c.technique == technique)
        query = query.order_by(verdicts.c.at, verdicts.c.sequence)
        return tuple(self._records(Verdict, query))

    def withdrawn(self, platform: str, report: str) -> tuple[tuple[Verdict, Withdrawal], ...]:
        """Return the verdicts on a report that were taken back, each with its withdrawal."""
        taken = select(withdrawals).where(*_of(withdrawals.c, platform, report))
        by_verdict = {each.verdict: each for each in self._records(Withdrawal, taken)}
        query = select(verdicts).where(*_of(verdicts.c, platform, report), ~_standing())
        query = query.order_by(verdicts.c.at, verdicts.c.sequence)
        return tuple((each, by_verdict[each.id]) for each in self._records(Verdict, query))

    def said(self, platform: str, *known_by: str) -> tuple[Verdict, ...]:
        """Return the verdicts that are known in one of these ways and were not withdrawn."""
        query = select(verdicts).where(
            verdicts.c.platform == platform, verdicts.c.known_by.in_(known_by), _standing()
        )
        return tuple(self._records(Verdict, query.order_by(verdicts.c.sequence)))

    def verdicts(
        self, platform: str | None = None, since: datetime | None = None
    ) -> Iterator[Verdict]:
        """Give the verdicts that hold on all reports, by report and technique.

        Parameters
        ----------
        since : datetime, optional
            Only those that were given at this time or later.
        """
        where = [] if platform is None else [verdicts.c.platform == platform]
        query = _current_verdicts(*where, since=since).execution_options(yield_per=1000)
        with self._database.reading() as connection:
            for row in connection.execute(query):
                yield _record(Verdict, row)

    def curation(self, platform: str, report: str) -> Curation | None:
        """Return what was last said of a report's completeness; None where nothing was."""
        found = self._records(Curation, _current_curations(*_of(curations.c, platform, report)))
        return found[0] if found else None

    def curations(self, platform: str | None = None) -> tuple[Curation, ...]:
        """Return, by report, that it counts as curated; only for reports that still do."""
        where = [] if platform is None else [curations.c.platform == platform]
        return tuple(c for c in self._records(Curation, _current_curations(*where)) if c.complete)

    def reports(self, platform: str | None = None) -> tuple[tuple[str, str], ...]:
        """Return (platform, report) of every report enriched, judged or curated, sorted."""
        known = (
            select(enrichments.c.platform, enrichments.c.report)
            .union(
                select(verdicts.c.platform, verdicts.c.report),
                select(curations.c.platform, curations.c.report),
            )
            .subquery()
        )
        query = select(known).order_by(known.c.platform, known.c.report)
        if platform is not None:
            query = query.where(known.c.platform == platform)
        with self._database.reading() as connection:
            return tuple((row.platform, row.report) for row in connection.execute(query))

    def text(self, platform: str, report: str, digest: str) -> str | None:
        """Return a text that was read, where texts are kept and it was not erased."""
        query = select(texts.c.text).where(
            *_of(texts.c, platform, report), texts.c.digest == digest
        )
        with self._database.reading() as connection:
            found: str | None = connection.execute(query).scalar()
            return found

    def cursor(self, platform: str, name: str) -> str | None:
        """Return how far a harvester has come; None before its first run."""
        query = select(cursors.c.value).where(
            cursors.c.platform == platform, cursors.c.name == name
        )
        with self._database.reading() as connection:
            found: str | None = connection.execute(query).scalar()
            return found

    def _observations(self, platform: str, report: str) -> list[Observation]:
        query = select(observations).where(*_of(observations.c, platform, report))
        query = query.order_by(observations.c.at, observations.c.sequence)
        return self._records(Observation, query)

    def _judged(self, platform: str, report: str, verdict: str) -> frozenset[str]:
        current = self.current_verdicts(platform, report)
        return frozenset(technique for technique, v in current.items() if v.verdict == verdict)

    def _records(self, kind: type[Record], query: Select[Any]) -> list[Record]:
        with self._database.reading() as connection:
            return [_record(kind, row) for row in connection.execute(query)]


def _of(columns: Any, platform: str, report: str) -> tuple[ColumnElement[bool], ...]:
    return columns.platform == platform, columns.report == report


def _record(kind: type[Record], row: Row[Any]) -> Record:
    fields = {name: value for name, value in row._mapping.items() if name not in _ORDER}
    return kind(**fields)


_ORDER = frozenset({"sequence", "rank"})  # Columns that only put rows in order.


def _standing() -> ColumnElement[bool]:
    """Select the verdicts that nobody took back."""
    return ~exists().where(withdrawals.c.verdict == verdicts.c.id)


def _last_outcomes() -> Subquery:
    """Give the last outcome of each enrichment."""
    rank = func.row_number().over(
        partition_by=outcomes.c.enrichment, order_by=outcomes.c.sequence.desc()
    )
    ranked = select(outcomes, rank.label("rank")).subquery()
    return select(ranked).where(ranked.c.rank == 1).subquery()


def _enrichments() -> Select[Any]:
    last = _last_outcomes()
    return (
        select(enrichments, func.coalesce(last.c.outcome, "begun").label("outcome"), last.c.detail)
        .outerjoin(last, last.c.enrichment == enrichments.c.id)
        .order_by(enrichments.c.at, enrichments.c.sequence)
    )


def _current_verdicts(*where: ColumnElement[bool], since: datetime | None = None) -> Select[Any]:
    rank = func.row_number().over(
        partition_by=(verdicts.c.platform, verdicts.c.report, verdicts.c.technique),
        order_by=(verdicts.c.at.desc(), verdicts.c.sequence.desc()),
    )
    standing = (*where, _standing())
    ranked = select(verdicts, rank.label("rank")).where(*standing).subquery()
    query = select(ranked).where(ranked.c.rank == 1)
    if since is not None:  # After ranking: an older verdict does not hold for being asked later.
        query = query.where(ranked.c.at >= since)
    return query.order_by(ranked.c.platform, ranked.c.report, ranked.c.technique)


def _current_curations(*where: ColumnElement[bool]) -> Select[Any]:
    rank = func.row_number().over(
        partition_by=(curations.c.platform, curations.c.report),
        order_by=(curations.c.at.desc(), curations.c.sequence.desc()),
    )
    ranked = select(curations, rank.label("rank")).where(*where).subquery()
    query = select(ranked).where(ranked.c.rank == 1)
    return query.order_by(ranked.c.platform, ranked.c.report)
