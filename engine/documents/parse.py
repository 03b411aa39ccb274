"""Bytes of a known format -> text and sentences. Runs in the parser's process."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from engine.documents.blocks import Parsed
from engine.documents.limits import Limits
from engine.documents.sniff import DOCX, HTML, MARKDOWN, PDF, TEXT

# Loaded on first use: who reads Markdown does not pay for the PDF library.
_PARSERS = {
    PDF: "engine.documents.pdf",
    DOCX: "engine.documents.docx",
    HTML: "engine.documents.html",
    MARKDOWN: "engine.documents.markdown",
    TEXT: "engine.documents.plain",
}


def parse(data: bytes, media_type: str, limits: Limits) -> Parsed:
    """Parse a document in this process, without protection against a hostile one.

    Raises
    ------
    DocumentError
        If it cannot be read; the text says what to do.
    """
    parser = cast("Callable[[bytes, Limits], Parsed]", import_module(_PARSERS[media_type]).parse)
    return parser(data, limits)
