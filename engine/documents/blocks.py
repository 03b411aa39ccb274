# ruff: noqa: RUF001 - the characters that documents really hold
"""What every parser returns: blocks of text in reading order; and how they become a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from engine.documents.links import show_targets
from engine.documents.sentences import sentence_spans
from engine.types import SentenceKind

# A longer table row is cut at its sentences' ends: an encoder would not see its tail.
MAX_ROW_CHARS = 800

_SPACES = re.compile(r"[^\S\n]+")
# C0 and C1 controls, soft hyphens, zero-width and bidirectional marks, noncharacters, surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_MARK = re.compile(r"(?:[•‣▪▫◦●○■□·∙➢➤✓✔*–—-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})[.)])\s+")


@dataclass(slots=True)
class Block:
    """A paragraph, heading, list item, table row or line of code, on one line.

    ``marks`` holds (offset in ``text``, page) wherever a page begins, in order.
    """

    text: str
    kind: SentenceKind = "prose"
    marks: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence before it has its text: offsets, page, kind, heading."""

    start: int
    end: int
    page: int | None
    kind: SentenceKind
    heading: str | None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The outcome of one parser."""

    text: str
    spans: tuple[Span, ...]
    pages: int | None = None
    warnings: tuple[str, ...] = ()


def clean(text: str) -> str:
    """Collapse white space to single spaces and drop what nobody sees."""
    return _SPACES.sub(" ", _INVISIBLE.sub("", text).replace("\n", " ")).strip()


def row_text(cells: Iterable[str]) -> str:
    """Join the cells of a table row, empty ones left out."""
    return " | ".join(cell for cell in cells if cell)


def promote_headings(blocks: Sequence[Block]) -> None:
    """Make headings of short lines above a paragraph, where a format has no mark for them."""
    for block, below in pairwise(blocks):
        if (
            block.kind == "prose"
            and len(block.text) <= 70
            and len(below.text) > max(2 * len(block.text), 60)
            and below.kind == "prose"
            and block.text[0].isupper()
            and block.text[-1] not in ".!?:;,…"
            and not re.search(r"[\\/=<>@{}\[\]|]|\d{4}", block.text)
        ):
            block.kind = "heading"


def assemble(
    blocks: Sequence[Block],
    *,
    max_chars: int,
    pages: int | None = None,
    warnings: Sequence[str] = (),
) -> Parsed:
    """Join blocks to one text and cut them into sentences.

    Blocks of a list, a table or a listing stand on neighbouring lines; an empty line parts the
    rest. No sentence spans two blocks.
    """
    parts: list[str] = []
    spans: list[Span] = []
    notes = list(warnings)
    length = 0
    heading: str | None = None
    previous: Block | None = None
    shown = show_targets([block.text for block in blocks])
    for block, text in zip(blocks, shown, strict=True):
        if not text:
            continue
        block = Block(text, block.kind, block.marks)
        gap = _gap(previous, block)
        room = max_chars - length - len(gap)
        if len(block.text) > room:
            notes.append(f"Only the first {max_chars:,} characters were read.")
            block = Block(block.text[: max(room, 0)].rstrip(), block.kind, block.marks)
            if not block.text:
                break
        start = length + len(gap)
        parts += (gap, block.text)
        length = start + len(block.text)
        spans += (
            Span(start + a, start + b, _page(block, a), block.kind, heading)
            for a, b in _spans_of(block)
        )
        if block.kind == "heading":
            heading = block.text
        previous = block
        if length >= max_chars:
            break
    return Parsed("".join(parts), tuple(spans), pages, tuple(dict.fromkeys(notes)))


def _gap(previous: Block | None, block: Block) -> str:
    if previous is None:
        return ""
    dense = block.kind in ("list_item", "table_row", "code") and block.kind == previous.kind
    return "\n" if dense else "\n\n"


def _page(block: Block, offset: int) -> int | None:
    page = None
    for begins, number in block.marks:
        if begins > offset and page is not None:
            break
        page = number
    return page


def _spans_of(block: Block) -> list[tuple[int, int]]:
    text = block.text
    if block.kind in ("heading", "code") or (
        block.kind == "table_row" and len(text) <= MAX_ROW_CHARS
    ):
        return sentence_spans(text, whole=True)
    if block.kind == "list_item" and (mark := _MARK.match(text)) and mark.end() < len(text):
        return sentence_spans(text, mark.end())
    return sentence_spans(text)
