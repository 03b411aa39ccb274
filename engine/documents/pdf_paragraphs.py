# ruff: noqa: RUF001 - the characters that documents really hold
"""Lines of a PDF -> paragraphs, headings, list items, table rows and code."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from statistics import median

from engine.documents.blocks import Block, clean, promote_headings, row_text
from engine.documents.pdf_layout import Line

_BULLET = re.compile(
    r"(?:[•‣▪▫◦●○■□∙➢➤\uf0b7\uf0a7–-]|o(?=\s)|\(?(?:\d{1,3}|[A-Za-z])[.)](?=\s))\s*"
)
_TERMINAL = re.compile(r"[.!?:;…][\"'”’)\]]*(?:\[\d{1,3}\])?$")
_SOFT = "\u2010"  # stands for a hyphen that PDFium takes for the end of a divided word
_HYPHEN = re.compile(rf"(\S*[^\W_])[-{_SOFT}]$")
_HEX = re.compile(r"(?=[a-fA-F]*\d)[0-9a-fA-F]{5,}$")
_HEX_TAIL = re.compile(r"[0-9a-fA-F]{1,4}(?!\w)")
_URL_TAIL = re.compile(r"(?:https?|hxxps?|ftp|www)\S*[/_=&?%.\-]$|\S+/\S*[/\-]$", re.IGNORECASE)
_URLISH = re.compile(r"[\w%\-.\[\]]*[/._=&%\-\d]\S*")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


class _Words:
    """The document's own vocabulary, to tell a hyphenated compound from a divided word."""

    def __init__(self, lines: list[Line]) -> None:
        self.count: Counter[str] = Counter()
        for line in lines:
            for part in [line] if not line.cells else [x for cell in line.cells for x in cell]:
                found = _WORD.findall(part.text.rstrip("-\xad").lower())
                self.count.update(found)

    def join(self, above: str, below: str) -> str:
        """Join two lines of one paragraph."""
        if _URL_TAIL.search(above) and _URLISH.match(below):
            return above.replace(_SOFT, "-") + below
        divided = _HYPHEN.search(above)
        if divided is None:
            hash_ = _HEX.fullmatch(above.rsplit(" ", 1)[-1])
            if hash_ and (_HEX.match(below) or (len(hash_[0]) >= 20 and _HEX_TAIL.match(below))):
                return above + below
            return f"{above} {below}"
        kept, dropped = above[:-1] + "-" + below, above[:-1] + below
        if _HEX.search(divided[1]) and _HEX.match(below.split(" ", 1)[0]):
            return dropped  # a hash broken by the typesetter
        head = re.split(r"[^\w-]", divided[1])[-1].lower()
        word = _WORD.match(below)
        tail = word[0].lower().split("-")[0] if word else ""
        if not tail or not head.isalpha() or re.search(r"[\\@=]", divided[0]):
            return kept
        compound, merged = self.count[f"{head}-{tail}"], self.count[head + tail]
        if compound or merged:
            return kept if compound > merged else dropped
        if below[0].isupper() != above[-2].isupper():
            return kept
        # Both lines count their halves once; more means that the half is a word of its own.
        soft = above[-1] == _SOFT
        known = (self.count[head] > 1 and len(head) > 3, self.count[tail] > 1 and len(tail) > 3)
        return kept if (all(known) if soft else any(known)) else dropped


def build_blocks(pages: list[list[Line]]) -> list[Block]:
    """Join lines to blocks, over the ends of columns and pages too."""
    flat = [line for page in pages for line in page]
    if not flat:
        return []
    words = _Words(flat)
    body = _body_size(flat)
    pitch = _pitch(flat)
    blocks: list[Block] = []
    paragraph: list[Line] = []
    waiting: tuple[Block, Line] | None = None  # a paragraph that a page's end may have cut

    def close() -> None:
        nonlocal waiting
        if not paragraph:
            return
        block = _block(paragraph, words, body)
        first, last = paragraph[0], paragraph[-1]
        paragraph.clear()
        if waiting and block.kind == "prose" and _continues(waiting, first, block):
            held = waiting[0]
            joined = words.join(held.text, block.text)
            held.marks.append((max(len(joined) - len(block.text), 0), first.page))
            held.text = joined
            block = held
        else:
            blocks.append(block)
        if block.kind in ("prose", "list_item") and not _TERMINAL.search(block.text):
            if last.size >= 0.93 * body:
                waiting = (block, last)
        elif (
            block.kind in ("prose", "list_item") and last.size >= 0.93 * body
        ) or block.kind == "heading":
            waiting = None

    for line in flat:
        if line.cells:
            close()
            cells = [_text(cell, words) for cell in line.cells]
            blocks.append(Block(row_text(cells), "table_row", [(0, line.page)]))
        else:
            if paragraph and _breaks(paragraph, line, pitch):
                close()
            paragraph.append(line)
    close()
    promote_headings(blocks)
    return blocks


def _body_size(lines: list[Line]) -> float:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0]


def _pitch(lines: list[Line]) -> float:
    """Find the usual distance of baselines within a paragraph, in units of the font's size."""
    steps = [
        (a.base - b.base) / a.size
        for a, b in pairwise(lines)
        if a.page == b.page and abs(a.size - b.size) < 0.5 and 0 < a.base - b.base < 2.2 * a.size
        and a.right > a.edge - 0.2 * (a.edge - a.left)
    ]  # fmt: skip
    return median(steps) if steps else 1.2


def _breaks(paragraph: list[Line], line: Line, pitch: float) -> bool:
    """Whether a line begins a new paragraph."""
    first, last = paragraph[0], paragraph[-1]
    if line.page != last.page or line.base >= last.base:
        return True  # the next page or column: decided when the block is known
    if _begins_item(line, first, last):
        return True
    if line.mono and last.mono:
        return True
    # A word of code may begin or end a line of prose; then only a far size parts them.
    ratio = line.size / last.size
    if not (0.8 < ratio < 1.2 if line.mono != last.mono else 0.88 < ratio < 1.14):
        return True
    if last.base - line.base > max(1.28 * pitch * last.size, (pitch + 0.25) * last.size):
        return True
    ends_bold = line.bold != last.bold and (first.bold == last.bold or len(paragraph) == 1)
    if ends_bold and not (line.text[:1].islower() or last.text.rstrip().endswith(",")):
        return True
    if line.left < first.left - 0.6 * line.size and len(paragraph) > 1:
        return True
    hanging = bool(_BULLET.match(first.text))
    if hanging and line.left < first.left + 0.3 * line.size and _TERMINAL.search(last.text):
        return True
    if line.text[:1].islower() and not _TERMINAL.search(last.text):
        return False
    # The first word would have fitted on the line above: its author ended that line.
    word = line.text.split(" ", 1)[0]
    needed = (len(word) + 1) * (line.right - line.left) / max(len(line.text), 1)
    return last.edge - last.right > needed + 0.6 * last.size and (
        bool(_TERMINAL.search(last.text)) or last.edge - last.right > 0.25 * (last.edge - last.left)
    )


def _begins_item(line: Line, first: Line, last: Line) -> bool:
    """Whether a line begins a list item, and does not just start with a dash or "(855)"."""
    if not _BULLET.match(line.text):
        return False
    if line.left > first.left + 2 and not _BULLET.match(first.text):
        return False
    indented = line.left >= last.left + 2
    return not (line.text[0].isalnum() and indented and not _TERMINAL.search(last.text))


def _block(paragraph: list[Line], words: _Words, body: float) -> Block:
    first = paragraph[0]
    text = _text(paragraph, words)
    block = Block(text, "prose", [(0, first.page)])
    large = first.size > 1.12 * body
    if all(line.mono for line in paragraph) and len(paragraph) == 1 and not _BULLET.match(text):
        block.kind = "code"
    elif (
        (match := _BULLET.match(text))
        and len(text) > match.end()
        and not (large and len(text) < 100)
    ):
        block.kind = "list_item"
        if text[0] in "\uf0b7\uf0a7" or text.startswith("o "):
            block.text = "• " + text[match.end() :]
    if (
        block.kind == "prose"
        and len(text) <= 150
        and len(paragraph) <= 4
        and not _TERMINAL.search(text)
        and text[0].isalnum()
        and re.search(r"[^\W\d_]{3}", text)
        and (large or all(line.bold for line in paragraph) or (text.isupper() and len(text) > 5))
    ):
        block.kind = "heading"
    return block


def _text(lines: list[Line], words: _Words) -> str:
    text = ""
    for line in lines:
        part = clean(line.text)
        if line.text.endswith("\xad"):
            part += _SOFT
        if part:
            text = words.join(text, part) if text else part
    return text.replace(_SOFT, "-")


def _continues(waiting: tuple[Block, Line], first: Line, block: Block) -> bool:
    """Whether a block goes on with the sentence that the page or column before broke off."""
    held, last = waiting
    if first.page - last.page > 1 or abs(first.size - last.size) > 0.1 * last.size:
        return False
    if first.page == last.page and first.base < last.base:
        return False  # below it on the same page: a break that was seen
    if first.mono != last.mono:
        return False
    return block.text[:1].islower() or (
        held.kind == "prose"
        and last.right > last.edge - 0.15 * (last.edge - last.left)
        and not block.text[:1].isdigit()
    )
