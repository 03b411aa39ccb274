"""Rows of Word tables as a reader sees them.

Converters from PDF make a table row of every printed line and draw the real rows by the borders
of the cells alone. Read row by row, such a table breaks its sentences into pieces.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


class _Cell(NamedTuple):
    element: Any
    start: int
    end: int
    bottom: bool
    right: bool
    continues: bool


def drawn_rows(rows: list[list[Any]]) -> list[list[list[Any]]] | None:
    """Group the cells of a table by the borders drawn around them.

    Parameters
    ----------
    rows : list of list
        The cells (``w:tc``) of each row of the file.

    Returns
    -------
    list of list of list, or None
        Rows of columns of cells in reading order; None where the borders tell no more than the
        file's own rows.
    """
    table = [_cells(row) for row in rows]
    closing = [_share(cell.bottom for cell in row) >= 0.5 for row in table]
    open_ = sum(not any(cell.bottom for cell in row) for row in table)
    if sum(closing) < 2 or open_ < 0.3 * len(table):
        return None
    drawn: list[list[list[Any]]] = []
    group: list[list[_Cell]] = []
    for row, closes in zip(table, closing, strict=True):
        group.append(row)
        if closes:
            drawn.append(_columns(group))
            group = []
    if group:
        drawn.append(_columns(group))
    return drawn


def _share(flags: Any) -> float:
    held = list(flags)
    return sum(held) / len(held) if held else 0.0


def _cells(row: list[Any]) -> list[_Cell]:
    cells, at = [], 0
    for element in row:
        span = element.find(f"{_W}tcPr/{_W}gridSpan")
        value = span.get(f"{_W}val") if span is not None else "1"
        width = int(value) if value and value.isdecimal() and len(value) < 4 else 1
        merge = element.find(f"{_W}tcPr/{_W}vMerge")
        continues = merge is not None and merge.get(f"{_W}val") in (None, "continue")
        cells.append(
            _Cell(
                element,
                at,
                at + width,
                _drawn(element, "bottom"),
                _drawn(element, "right"),
                continues,
            )
        )
        at += width
    return cells


def _drawn(cell: Any, side: str) -> bool:
    border = cell.find(f"{_W}tcPr/{_W}tcBorders/{_W}{side}")
    return border is not None and border.get(f"{_W}val") not in (None, "nil", "none")


def _columns(group: list[list[_Cell]]) -> list[list[Any]]:
    counted = Counter(cell.end for row in group for cell in row if cell.right)
    edges = sorted(end for end, times in counted.items() if times >= 0.5 * len(group))
    columns: list[list[Any]] = [[] for _ in range(len(edges) + 1)]
    line: list[_Cell] = []

    def close() -> None:
        for cell in sorted(line, key=lambda c: c.start):
            columns[sum(edge <= cell.start for edge in edges)].append(cell.element)
        line.clear()

    for row in group:
        # A cell that goes on from the row above stands on the same printed line.
        if not any(cell.continues for cell in row):
            close()
        line.extend(row)
    close()
    return columns
