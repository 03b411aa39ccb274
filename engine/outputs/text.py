"""Make text from untrusted documents safe to show, and short enough to read."""

from __future__ import annotations

import re

# Terminal and spreadsheet control codes, the Unicode marks that reorder what follows them,
# and halves of surrogate pairs, which no encoding can hold.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def encodable(text: str) -> str:
    """Replace lone surrogates by U+FFFD, so that the text fits UTF-8; the length stays."""
    return _SURROGATE.sub("\ufffd", text)


def one_line(text: str, limit: int | None = None) -> str:
    """Return the text without control codes, on one line, cut at a word before ``limit``."""
    line = _SPACE.sub(" ", _CONTROL.sub(" ", encodable(text))).strip()
    if limit is None or len(line) <= limit:
        return line
    cut = line[: limit - 1]
    word_end = cut.rfind(" ")
    return (cut[:word_end] if word_end > limit // 2 else cut).rstrip() + "…"


def percent(probability: float) -> str:
    """Return a probability as whole percents; 100% only for certainty itself."""
    return f"{min(round(probability * 100), 99) if probability < 1 else 100}%"


def visible(text: str) -> str:
    """Put U+FFFD for every control code but tab and line end; the length stays."""
    return _UNSEEN.sub("\ufffd", text)
