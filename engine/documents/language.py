"""Warn where the text is not what the models were trained on: English."""

from __future__ import annotations

import re
import unicodedata

_SAMPLE = 20_000
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    [
        "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with",
        "be", "by", "on", "not", "he", "his", "but", "at", "are", "this", "have", "from",
        "or", "had", "an", "they", "which", "you", "were", "all", "their", "has", "would",
        "been", "there", "can", "if", "will", "when", "who", "more", "no", "also", "its",
        "into", "than", "other", "some", "these", "used", "uses", "using", "may", "such",
        "our", "we",
    ]
)  # fmt: skip
_RTL = ("R", "AL")


def language_warnings(text: str) -> tuple[str, ...]:
    """Say what of a text the models cannot be expected to read.

    Judged by the share of letters outside the Latin script, of right-to-left letters, and of
    English function words; short texts are not judged by words.
    """
    sample = text if len(text) <= _SAMPLE else text[: _SAMPLE // 2] + text[-_SAMPLE // 2 :]
    words = _WORD.findall(sample)
    letters = sum(map(len, words))
    if letters < 20:
        return ()
    foreign = [char for word in words for char in word if ord(char) > 0x24F]
    other = sum(not unicodedata.name(char, "").startswith("LATIN") for char in foreign)
    rtl = sum(unicodedata.bidirectional(char) in _RTL for char in foreign)
    warnings = []
    if rtl > 0.1 * letters:
        warnings.append("Part of the text is written from right to left; the models are English.")
    if other > 0.3 * letters:
        warnings.append("The text does not look English; the models are English.")
    elif len(words) >= 60:
        lowered = [word.lower() for word in words if word.islower() or word.istitle()]
        share = sum(word in _ENGLISH for word in lowered) / max(len(lowered), 1)
        accented = sum(not word.isascii() for word in words) / len(words)
        if share < 0.06 and (accented > 0.02 or _is_running_text(sample, lowered)):
            warnings.append("The text does not look English; the models are English.")
    return tuple(warnings)


def _is_running_text(sample: str, words: list[str]) -> bool:
    """Whether words make up the text, and not lists of indicators or code."""
    return sum(map(len, words)) > 0.65 * len(sample.replace(" ", "").replace("\n", ""))
