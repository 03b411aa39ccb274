"""Plain text: kept character for character, cut into sentences line by line."""

from __future__ import annotations

import re

from engine.documents.blocks import Parsed, Span
from engine.documents.encodings import decode
from engine.documents.limits import Limits
from engine.documents.sentences import split_sentences

# One for one, so that a caller's offsets stay right.
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff]")


def parse(data: bytes, limits: Limits) -> Parsed:
    """Read plain text in any common encoding."""
    text, warning = decode(data)
    return parse_text(text, limits, (warning,) if warning else ())


def parse_text(text: str, limits: Limits, warnings: tuple[str, ...] = ()) -> Parsed:
    """Cut a text into sentences; its length stays as it is unless it passes the limit."""
    if len(text) > limits.max_text_chars:
        text = text[: limits.max_text_chars]
        warnings += (f"Only the first {limits.max_text_chars:,} characters were read.",)
    text = _UNPRINTABLE.sub(lambda match: " " if match[0] < "\x80" else "\ufffd", text)
    spans = (Span(s.start, s.end, s.page, s.kind, s.heading) for s in split_sentences(text))
    return Parsed(text, tuple(spans), None, warnings)
