# ruff: noqa: RUF001 - the characters that documents really hold
"""Places of text on a page -> lines in reading order, columns and table rows told apart."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

_BULLET = re.compile(
    r"\s*(?:[•‣▪▫◦●○■□∙➢➤\uf0b7\uf0a7o–-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)])\s*\Z"
)
_WIDE = 0.8  # a wider gap, in font sizes, parts columns
_EDGE = 0.12  # share of a page's height in which running heads and feet stand


@dataclass(slots=True)
class Piece:
    """A run of glyphs on one baseline; points, the origin at the page's lower left."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    base: float
    size: float
    bold: bool = False
    mono: bool = False
    order: int = 0  # in which it was drawn

    def meets(self, left: float, bottom: float, right: float, top: float) -> bool:
        """Whether its middle lies in the box's height and it overlaps the box's width."""
        middle = (self.bottom + self.top) / 2
        return bottom <= middle <= top and self.left < right and self.right > left


@dataclass(slots=True)
class Page:
    """What was found on a page: pieces in drawing order and rules as (y, left, right)."""

    number: int
    width: float
    height: float
    pieces: list[Piece]
    rules: list[tuple[float, float, float]]


@dataclass(slots=True)
class Line:
    """A line of running text, or one row of a table with its ``cells``."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    base: float
    size: float
    bold: bool
    mono: bool
    page: int
    edge: float  # the right margin of the column it stands in
    cells: list[list[Line]] = field(default_factory=list)


def page_lines(page: Page) -> list[Line]:
    """Put the pieces of a page into lines in reading order."""
    rows = _rows(page.pieces)
    lines: list[Line] = []
    plain: list[list[Piece]] = []

    def close() -> None:
        if plain:
            right = max(row[-1].right for row in plain)
            lines.extend(_line(row, page.number, right) for row in plain)
            plain.clear()

    at = 0
    while at < len(rows):
        end = _zone(rows, at)
        if end - at < 2:
            plain.append(rows[at])
            at += 1
            continue
        zone = rows[at:end]
        columns = _columns(zone)
        if len(columns) < 2:
            plain.extend(zone)
        elif _are_prose(columns) and not _is_ruled(columns, page):
            close()
            for column in columns:
                inner = Page(page.number, page.width, page.height, column, page.rules)
                lines.extend(page_lines(inner))
        else:
            close()
            lines.extend(_table(zone, columns, page))
        at = end
    close()
    return lines


def _rows(pieces: list[Piece]) -> list[list[Piece]]:
    """Lines from top to bottom, each the pieces that a wide gap parts."""
    return [_joined(sorted(row, key=lambda p: p.left)) for row in _grouped(pieces)]


def _grouped(pieces: list[Piece]) -> list[list[Piece]]:
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: (-p.base, p.left)):
        for row in rows[-3:]:
            # A superscript is higher and smaller; it belongs to the line it overlaps.
            first = max(row, key=lambda p: p.size)
            small, large = sorted((first.size, piece.size))
            near = abs(first.base - piece.base) < (0.45 if small < 0.8 * large else 0.35) * large
            if near and all(p.right <= piece.left + 2 or p.left >= piece.right - 2 for p in row):
                row.append(piece)
                break
        else:
            rows.append([piece])
    return rows


def _joined(row: list[Piece]) -> list[Piece]:
    merged = [row[0]]
    for piece in row[1:]:
        last = merged[-1]
        gap = piece.left - last.right
        size = max(last.size, piece.size)
        bullet = len(merged) == 1 and _BULLET.match(last.text) and gap < 5 * size
        # Cells of a narrow table stand close, but are not drawn one after the other.
        apart = _WIDE if piece.order == last.order + 1 else 0.35
        if gap > apart * size and not bullet and not (last.mono and piece.mono):
            merged.append(piece)
            continue
        mark = piece.text.strip()
        raised = piece.size < 0.8 * last.size and piece.base > last.base + 0.15 * last.size
        if raised and mark.isdigit() and len(mark) < 4:
            text = f"[{mark}]" + (" " if piece.text.endswith(" ") else "")
        else:
            text = piece.text
        before = last.text.rstrip() if raised else last.text
        space = " " if gap > 0.2 * size and not raised and not before.endswith(" ") else ""
        wider = last if len(last.text) >= len(piece.text) else piece
        merged[-1] = Piece(
            before + space + text, last.left, min(last.bottom, piece.bottom),
            max(last.right, piece.right), max(last.top, piece.top), wider.base, wider.size,
            wider.bold and (last.bold or bool(bullet)), wider.mono, piece.order,
        )  # fmt: skip
    return merged


def _line(row: list[Piece], page: int, edge: float) -> Line:
    main = max(row, key=lambda p: len(p.text))
    text = row[0].text
    for a, b in pairwise(row):
        text += (" " if b.left - a.right > 0.2 * b.size else "") + b.text
    return Line(
        text.strip(" "), row[0].left, row[-1].right,
        min(p.bottom for p in row), max(p.top for p in row), main.base, main.size,
        all(p.bold for p in row), main.mono, page, edge,
    )  # fmt: skip


def _zone(rows: list[list[Piece]], at: int) -> int:
    """Find the end of the rows that share vertical gutters with the row at which they begin."""
    if len(rows[at]) < 2:
        return at
    recent = [_gaps(rows[at])]  # of the last rows with several cells
    end = at + 1
    size = median(p.size for p in rows[at])
    low = min(p.bottom for p in rows[at])
    for position in range(at + 1, len(rows)):
        row = rows[position]
        if len(row) > 1:
            gaps = _gaps(row)
            if not any(_overlap(a, b) for gap in recent[-3:] for a in gap for b in gaps):
                break
            recent.append(gaps)
        else:
            # One cell alone must cross no gutter, stand close below, and be no heading.
            only = row[0]
            crosses = any(only.left < a - 2 and only.right > b + 2 for a, b in recent[-1])
            far = low - only.top > 1.2 * only.size
            if crosses or far or only.size > 1.2 * size:
                break
        end = position + 1
        low = min(p.bottom for p in row)
    return end if len(recent) > 1 else at


def _gaps(row: list[Piece]) -> list[tuple[float, float]]:
    return [(a.right, b.left) for a, b in pairwise(row)]


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return min(a[1], b[1]) - max(a[0], b[0]) >= 4


def _columns(zone: list[list[Piece]]) -> list[list[Piece]]:
    """Part the pieces of a zone at the strips that hardly any of its rows covers."""
    pieces = [piece for row in zone for piece in row]
    events = sorted([(p.left, 1) for p in pieces] + [(p.right, -1) for p in pieces])
    allowed = len(zone) // 10  # a heading over two columns, two cells that touch
    edges: list[float] = []
    depth, opened = 0, None
    for x, step in events:
        if depth <= allowed and opened is not None and depth + step > allowed and x - opened >= 2:
            edges.append((opened + x) / 2)
        depth += step
        if depth <= allowed and step < 0:
            opened = x
    columns: list[list[Piece]] = [[] for _ in range(len(edges) + 1)]
    for piece in pieces:
        middle = (piece.left + piece.right) / 2
        columns[sum(middle > edge for edge in edges)].append(piece)
    return [column for column in columns if column]


def _are_prose(columns: list[list[Piece]]) -> bool:
    """Whether the columns are read one after the other: few, long, filled with words."""
    if not 2 <= len(columns) <= 3:
        return False
    full = 0
    for column in columns:
        width = max(p.right for p in column) - min(p.left for p in column)
        wide = sum(p.right - p.left > 0.6 * width for p in column)
        words = median(len(p.text.split()) for p in column)
        full += len(column) >= 5 and wide > 0.5 * len(column) and words >= 3.5
    # A narrow sidebar beside a full column still is read by itself.
    return full == len(columns) or (full == len(columns) - 1 and max(map(len, columns)) >= 15)


def _is_ruled(columns: list[list[Piece]], page: Page) -> bool:
    return len(_ruled(page.rules, [piece for column in columns for piece in column])) >= 2


def _table(zone: list[list[Piece]], columns: list[list[Piece]], page: Page) -> list[Line]:
    pieces = [piece for column in columns for piece in column]
    right = max(p.right for p in pieces)
    cuts = _ruled(page.rules, pieces) or _spaced(zone)
    rows: list[Line] = []
    bounds = [float("inf"), *cuts, float("-inf")]
    for upper, lower in pairwise(bounds):
        cells = []
        for column in columns:
            held = [p for p in column if lower <= (p.top + p.bottom) / 2 < upper]
            held.sort(key=lambda p: (-round(p.base), p.left))
            if held:
                edge = max(p.right for p in column)
                cells.append([_line(row, page.number, edge) for row in _rows(held)])
        if cells:
            held = [p for c in columns for p in c if lower <= (p.top + p.bottom) / 2 < upper]
            if len(cells) == 1 and rows and not _starts_row(held, columns[0]):
                rows[-1].cells[-1].extend(cells[0])  # a box drawn inside a cell, no border
                continue
            row = _line(held, page.number, right)
            row.cells = cells
            rows.append(row)
    return rows


def _starts_row(held: list[Piece], first: list[Piece]) -> bool:
    return any(piece is other for piece in held for other in first)


def _ruled(rules: list[tuple[float, float, float]], pieces: list[Piece]) -> list[float]:
    """Heights of the lines drawn across a table, from the top."""
    left, right = min(p.left for p in pieces), max(p.right for p in pieces)
    top, bottom = max(p.top for p in pieces), min(p.bottom for p in pieces)
    widths: Counter[int] = Counter()
    for y, a, b in rules:
        if bottom < y < top:
            # Borders are drawn cell by cell, some a hair apart.
            widths[round(y / 2)] += round(max(0.0, min(b, right) - max(a, left)))
    return sorted(
        (2.0 * y for y, wide in widths.items() if wide > 0.6 * (right - left)), reverse=True
    )


def _spaced(zone: list[list[Piece]]) -> list[float]:
    """Heights at which white space parts the rows of a table without rules, from the top."""
    spans = sorted(((p.top, p.bottom) for row in zone for p in row), reverse=True)
    gaps: list[tuple[float, float]] = []  # (height of the gap, its middle)
    low = spans[0][1]
    for top, bottom in spans[1:]:
        if top < low + 0.5:
            gaps.append((low - top, (low + top) / 2))
        low = min(low, bottom)
    if not gaps:
        # Lines stand too close to see space: every line with several cells begins a row.
        return [max(p.top for p in row) for row in zone[1:] if len(row) > 1]
    least = min(gap for gap, _ in gaps)
    size = median(p.size for row in zone for p in row)
    wide = [middle for gap, middle in gaps if gap > least + 0.35 * size]
    return wide or [middle for _, middle in gaps]


def drop_running_lines(pages: list[Page]) -> None:
    """Drop heads and feet: what many pages repeat at their upper or lower edge."""
    if len(pages) < 2:
        return
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_shape(piece) for piece in page.pieces if _at_edge(piece, page)})
    often = max(2, round(0.3 * len(pages)))
    for page in pages:
        dropped: set[int] = set()
        for row in _grouped([p for p in page.pieces if _at_edge(p, page)]):
            # A date that differs goes with the rest of its line.
            if sum(seen[_shape(piece)] >= often for piece in row) * 2 >= len(row):
                dropped.update(id(piece) for piece in row)
        page.pieces = [piece for piece in page.pieces if id(piece) not in dropped]


def _at_edge(piece: Piece, page: Page) -> bool:
    middle = (piece.top + piece.bottom) / 2
    return not _EDGE * page.height < middle < (1 - _EDGE) * page.height


def _shape(piece: Piece) -> str:
    return re.sub(r"\d+|\s+", "#", piece.text.strip().lower())
