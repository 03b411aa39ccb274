"""Markdown -> blocks, by way of HTML: lists, tables and inline HTML are read by one walker."""

from __future__ import annotations

import re

from engine.documents.blocks import Block, Parsed, assemble, clean
from engine.documents.encodings import decode
from engine.documents.html import read_html
from engine.documents.limits import Limits
from engine.errors import DocumentError

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_PAIR = re.compile(r"[\w .-]+:(?:\s|$)")


def parse(data: bytes, limits: Limits) -> Parsed:
    """Read Markdown with tables and front matter."""
    text, warning = decode(data)
    blocks = read_markdown(text)
    if not blocks:
        raise DocumentError("The Markdown file shows no text.")
    return assemble(blocks, max_chars=limits.max_text_chars, warnings=(warning,) if warning else ())


def read_markdown(text: str) -> list[Block]:
    """Turn Markdown into blocks; lines of front matter come first, as table rows."""
    from markdown_it import MarkdownIt

    blocks: list[Block] = []
    front = _FRONT_MATTER.match(text)
    if front and _PAIR.match(front[1]):
        blocks = [Block(clean(line), "table_row") for line in front[1].split("\n") if line.strip()]
        text = text[front.end() :]
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # Hard line breaks of the source are not line breaks of the page.
    return blocks + read_html(markdown.render(text), whole=True)
