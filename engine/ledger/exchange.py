"""The ledger as JSON lines: to look at, to move to another database, to merge.

The first line names the format, each other line is a row with the name of its table. The journal
is left out: it says what running processes hold, and only means something beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

from sqlalchemy import Column, Table, select

from engine.errors import LedgerError
from engine.ledger.database import Database
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

FORMAT = 3  # 1 had no curations, 2 no withdrawals; both are read as well.
# In this order, as rows refer to rows of the tables before.
TABLES = (
    enrichments, outcomes, written, files, observations, verdicts, withdrawals, curations, texts,
    cursors,
)  # fmt: skip
_ROWS_AT_ONCE = 500


def write(database: Database, stream: IO[str]) -> dict[str, int]:
    """Write all rows, as they are at one moment; return how many by table."""
    counts = {}
    with database.reading() as connection:
        _write_line(stream, {"ledger": FORMAT})
        for table in TABLES:
            order = table.c.sequence if "sequence" in table.c else table.primary_key
            columns = _columns(table)
            order_by = [order] if isinstance(order, Column) else list(order)
            query = select(*columns).order_by(*order_by).execution_options(yield_per=1000)
            counts[table.name] = 0
            for row in connection.execute(query):
                _write_line(stream, {"table": table.name, **row._mapping})
                counts[table.name] += 1
    return counts


def read(database: Database, stream: IO[str]) -> dict[str, int]:
    """Add the rows that are not there yet; return how many by table."""
    counts = {table.name: 0 for table in TABLES}
    with database.writing() as connection:
        batch: list[dict[str, Any]] = []
        current: Table | None = None
        for table, row in _rows(stream):
            if current is not None and (table is not current or len(batch) == _ROWS_AT_ONCE):
                counts[current.name] += database.insert(connection, current, batch)
                batch = []
            current = table
            batch.append(row)
        if current is not None:
            counts[current.name] += database.insert(connection, current, batch)
    return counts


def _columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.name != "sequence"]


def _write_line(stream: IO[str], content: dict[str, Any]) -> None:
    json.dump(content, stream, ensure_ascii=False, default=_moment, allow_nan=False)
    stream.write("\n")


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no form for {type(value).__name__} in an export")


def _rows(stream: IO[str]) -> Iterator[tuple[Table, dict[str, Any]]]:
    tables = {table.name: table for table in TABLES}
    number = 0
    try:
        for number, line in enumerate(stream, 1):
            content = json.loads(line)
            if not isinstance(content, dict):
                raise ValueError("it is no JSON object")
            if number == 1:
                _check_format(content)
                continue
            name = content.pop("table", None)
            if name not in tables:
                raise ValueError(f"there is no table {name!r}")
            yield tables[name], _checked(tables[name], content)
    except (ValueError, RecursionError) as error:
        raise LedgerError(
            f"Line {number or 1} is not of a ledger's export: {error}. Nothing was imported. Make "
            "the export again: ttpscribe ledger export"
        ) from error
    if number == 0:
        raise LedgerError("The export is empty. Make it again: ttpscribe ledger export")


def _check_format(header: dict[str, Any]) -> None:
    found = header.get("ledger")
    if not isinstance(found, int):
        raise ValueError("the first line does not name the format")
    if found > FORMAT:
        raise LedgerError(
            f"The export has format {found}; this version of ttpscribe reads up to {FORMAT}. "
            "Update ttpscribe."
        )


def _checked(table: Table, content: dict[str, Any]) -> dict[str, Any]:
    columns = _columns(table)
    if odd := content.keys() ^ {column.name for column in columns}:
        raise ValueError(f"{', '.join(sorted(odd))} missing or unknown in {table.name}")
    return {column.name: _value(column, content[column.name]) for column in columns}


def _value(column: Column[Any], value: object) -> object:
    kind = column.type.python_type
    if value is None and column.nullable:
        return None
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(f"{column.name} has no time zone")
        return moment
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind):
        raise ValueError(f"{column.name} is {value!r}")
    return value
