"""From sentences and evidence to the blocks of the page, the text kept as it was.

Sentences become blocks (a paragraph, a heading, a list item, a table row, a line of code),
blocks of one kind become groups (a list, a table, a listing). Evidence may overlap: a sentence
is cut into pieces wherever evidence begins or ends, and each piece knows all the findings it
speaks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from engine.outputs.text import one_line, percent, visible
from engine.types import Analysis, Sentence, SentenceKind

CELL_BORDER = " | "  # what documents put between the cells of a table row


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text; ``numbers`` are the findings whose evidence it is, ``level`` 0 to 10."""

    text: str
    numbers: str = ""
    level: int = 0
    named: bool = False
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A sentence or the text between two; ``index`` is None where it is no sentence's first."""

    pieces: tuple[Piece, ...]
    sentence: bool
    index: int | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """The technique beside the text."""

    number: int
    technique: str
    name: str
    percent: str
    kind: str


@dataclass(slots=True)
class Block:
    """One paragraph, heading, item, row or line; a row has one cell or more, all others one."""

    kind: SentenceKind
    cells: list[list[Part]] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    page: int | None = None
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks that stand in one list, table or listing."""

    kind: SentenceKind
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    number: int
    probability: float
    named: bool
    suggested: bool


def lay_out(analysis: Analysis) -> list[Group]:
    """Return the document's groups of blocks in reading order."""
    document = analysis.document
    marks = _marks(analysis)
    page: int | None = None
    blocks = []
    for begin, sentences in _lines(document.text, document.sentences):
        blocks.append(_block(document.text, begin, sentences, marks, page, analysis))
        page = sentences[-1].page or page
    groups: list[Group] = []
    for kind, run in groupby(blocks, key=lambda block: block.kind):
        if kind in ("prose", "heading"):
            groups.extend(Group(kind, (block,)) for block in run)
        else:
            groups.extend(_at_pages(kind, list(run)))
    return groups


def _at_pages(kind: SentenceKind, blocks: list[Block]) -> Iterator[Group]:
    """Cut a group where a page begins, so that the page's mark can stand between the two."""
    starts = [0, *(n for n, block in enumerate(blocks) if n and block.page), len(blocks)]
    for begin, end in pairwise(starts):
        yield Group(kind, tuple(blocks[begin:end]))


def _lines(text: str, sentences: Sequence[Sentence]) -> Iterator[tuple[int, list[Sentence]]]:
    """Yield (offset after the block before, sentences of the block)."""
    block: list[Sentence] = []
    begin = 0
    for sentence in sentences:
        if block:
            gap = text[block[-1].end : sentence.start]
            together = sentence.kind == block[-1].kind and (
                gap.count("\n") < 2 if sentence.kind == "prose" else "\n" not in gap
            )
            if not together:
                yield begin, block
                begin, block = block[-1].end, []
        block.append(sentence)
    if block:
        yield begin, block


def _block(
    text: str,
    begin: int,
    sentences: list[Sentence],
    marks: dict[int, list[_Mark]],
    page: int | None,
    analysis: Analysis,
) -> Block:
    first = sentences[0]
    block = Block(first.kind, page=first.page if first.page != page else None)
    parts: list[Part] = []
    block.cells.append(parts)
    # What stands before the block's first sentence is a bullet, or nothing.
    block.lead = visible(text[begin : first.start].strip())
    before = first
    for sentence in sentences:
        if sentence is not first:
            gap = text[before.end : sentence.start]
            parts.append(Part((Piece(visible(gap)),), sentence=False))
        turned = sentence.page if sentence.page != before.page else None
        _add_sentence(block, text, sentence, marks.get(sentence.index, []), turned)
        parts = block.cells[-1]
        before = sentence
    block.chips = _chips([m for s in sentences for m in marks.get(s.index, [])], analysis)
    return block


def _add_sentence(
    block: Block, text: str, sentence: Sentence, marks: list[_Mark], page: int | None
) -> None:
    ranges = [(sentence.start, sentence.end)]
    if block.kind == "table_row":
        ranges = _cells(text, sentence.start, sentence.end)
    for n, (start, end) in enumerate(ranges):
        if n:
            block.cells.append([])
        pieces = tuple(_pieces(text, start, end, marks))
        index, turned = (None, None) if n else (sentence.index, page)
        block.cells[-1].append(Part(pieces, True, index, turned))


def _cells(text: str, start: int, end: int) -> list[tuple[int, int]]:
    ranges = []
    while (border := text.find(CELL_BORDER, start, end)) >= 0:
        ranges.append((start, border))
        start = border + len(CELL_BORDER)
    return [*ranges, (start, end)]


def _pieces(text: str, start: int, end: int, marks: list[_Mark]) -> Iterator[Piece]:
    inside = [m for m in marks if m.start < end and m.end > start]
    cuts = {start, end}
    for mark in inside:
        cuts |= {max(mark.start, start), min(mark.end, end)}
    for a, b in pairwise(sorted(cuts)):
        over = [m for m in inside if m.start <= a and m.end >= b]
        shown = visible(text[a:b])
        if not over:
            yield Piece(shown)
            continue
        yield Piece(
            shown,
            numbers=" ".join(str(n) for n in sorted({m.number for m in over})),
            level=int(max(m.probability for m in over) * 10),
            named=any(m.named for m in over),
            suggested=all(m.suggested for m in over),
        )


def _marks(analysis: Analysis) -> dict[int, list[_Mark]]:
    marks: dict[int, list[_Mark]] = defaultdict(list)
    count = len(analysis.findings)
    for number, finding in enumerate((*analysis.findings, *analysis.suggestions)):
        for e in finding.evidence:
            named = finding.explicit and e.recognizer == "explicit"
            suggested = number >= count
            marks[e.sentence].append(_Mark(e.start, e.end, number, e.probability, named, suggested))
    return marks


def _chips(marks: list[_Mark], analysis: Analysis) -> list[Chip]:
    listed = (*analysis.findings, *analysis.suggestions)
    return [
        Chip(
            number,
            listed[number].technique,
            one_line(listed[number].name),
            percent(listed[number].probability),
            "finding" if number < len(analysis.findings) else "suggestion",
        )
        for number in dict.fromkeys(mark.number for mark in marks)
    ]
