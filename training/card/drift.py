"""How incoming text and analysts' corrections change over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.ledger import Verdict
from engine.recognizers.tfidf import unknown_share, words
from engine.releases import Release
from training import unknown_words
from training.card.content import Period

# Rare words differ between any two heaps of text; only these tell of a change.
COMMON = 2000
LENGTHS = (1, 7, 30, 91, 365)
MOST_PERIODS = 26


def drift(
    verdicts: Iterable[Verdict],
    texts: Iterable[tuple[datetime, str]] = (),
    known: Collection[str] | None = None,
) -> tuple[Period, ...]:
    """Sort verdicts and reports into periods and describe each.

    Parameters
    ----------
    verdicts : iterable of Verdict
        Those that hold.
    texts : iterable of (datetime, str)
        Reports as they came in.
    known : collection of str, optional
        Words that the release knows; see `known_words`.

    Returns
    -------
    tuple of Period
        Days, weeks, months, quarters or years, so that there are not more than some 26; those
        without anything are left out.
    """
    judged = [(verdict.at.astimezone(UTC), verdict.verdict) for verdict in verdicts]
    read = [(at.astimezone(UTC), text) for at, text in texts]
    moments = [at for at, _ in (*judged, *read)]
    if not moments:
        return ()
    begin = min(moments).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (max(moments) - begin).days + 1
    length = next((part for part in LENGTHS if days <= part * MOST_PERIODS), LENGTHS[-1])

    counts: dict[int, Counter[str]] = defaultdict(Counter)
    spoken: dict[int, Counter[str]] = defaultdict(Counter)
    reports: Counter[int] = Counter()
    for at, verdict in judged:
        counts[(at - begin).days // length][verdict] += 1
    for at, text in read:
        period = (at - begin).days // length
        reports[period] += 1
        spoken[period].update(words(text))
    novelty = _novelty(spoken)
    return tuple(
        Period(
            begin=begin + timedelta(days=length * number),
            reports=reports[number],
            unknown_words=_unknown(spoken[number], known),
            novelty=novelty.get(number),
            confirmed=counts[number]["confirmed"],
            rejected=counts[number]["rejected"],
            added=counts[number]["added"],
        )
        for number in sorted({*counts, *spoken})
    )


def known_words(release: Release) -> frozenset[str] | None:
    """Return the words that a release's svc knows; None where it has none."""
    folder = release.directory("recognizers/svc")
    if folder is None:
        return None
    return unknown_words.known_words(folder)


def _unknown(spoken: Counter[str], known: Collection[str] | None) -> float | None:
    share = None if known is None else unknown_share(spoken, known)
    return None if share is None else round(share, 4)


def _novelty(spoken: dict[int, Counter[str]]) -> dict[int, float]:
    """Return the Jensen-Shannon distance of each period from the first, over common words.

    Source: Endres and Schindelin 2003; the logarithm is to base 2, so that 1 is the most.
    """
    numbers = sorted(number for number, counted in spoken.items() if counted)
    if len(numbers) < 2:
        return {}
    together: Counter[str] = Counter()
    for number in numbers:
        together.update(spoken[number])
    common = sorted(together, key=lambda word: (-together[word], word))[:COMMON]
    shares = {}
    for number in numbers:
        row = np.array([spoken[number][word] for word in common], dtype=np.float64)
        shares[number] = row / max(row.sum(), 1.0)
    first = shares[numbers[0]]
    return {number: round(_distance(first, shares[number]), 4) for number in numbers[1:]}


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    middle = (one + other) / 2

    def divergence(part: NDArray[np.float64]) -> float:
        there = part > 0
        return float((part[there] * np.log2(part[there] / middle[there])).sum())

    return float(np.sqrt(min(max((divergence(one) + divergence(other)) / 2, 0.0), 1.0)))
