"""From labelled spans of a text to labelled sentences."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from engine.documents.sentences import split_sentences
from training.labels.types import Example

# A shared stretch this long counts if it is a fair part of the span: long spans run over
# several sentences, each of which shows a part of what was marked.
LONG_OVERLAP = 25
FAIR_PART = 0.25


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a text that shows a technique; offsets half-open."""

    start: int
    end: int
    technique: str


def label_sentences(
    text: str,
    spans: Sequence[Span],
    *,
    document: str,
    source: str,
    weight: float,
    known: frozenset[str] | None,
    body_start: int = 0,
) -> tuple[Example, ...]:
    """Split a text into sentences and give each the techniques of the spans that lie in it.

    A span labels a sentence if at least half of either lies in the other, or if they share
    25 characters and a quarter of the span.
    """
    ordered = sorted(spans)
    starts = [span.start for span in ordered]
    longest = max((span.end - span.start for span in ordered), default=0)
    examples = []
    for sentence in split_sentences(text):
        if sentence.start < body_start:
            continue
        first = bisect_left(starts, sentence.start - longest)
        last = bisect_left(starts, sentence.end)
        techniques = frozenset(
            span.technique
            for span in ordered[first:last]
            if _labels(span, sentence.start, sentence.end)
        )
        examples.append(
            Example(
                text=sentence.text,
                techniques=techniques,
                id=f"{document}#s{sentence.index:04d}",
                document=document,
                source=source,
                weight=weight,
                known=known,
                start=sentence.start,
                end=sentence.end,
                kind="sentence",
            )
        )
    return tuple(examples)


def _labels(span: Span, start: int, end: int) -> bool:
    shared = min(span.end, end) - max(span.start, start)
    if shared <= 0:
        return False
    length = span.end - span.start
    return (
        2 * shared >= length
        or 2 * shared >= end - start
        or (shared >= LONG_OVERLAP and shared >= FAIR_PART * length)
    )
