"""What the nights of bench/loop.py brought, of one split and of several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.evaluation import Interval, bootstrap
from training.gate import Decision


@dataclass(frozen=True)
class Score:
    """F1 by document on the test documents; ``each`` is that of every one."""

    f1: Interval
    each: tuple[float, ...]


@dataclass
class Night:
    """What one night brought.

    ``challenger`` is the release that was put before the gate, ``champion`` the one in use in the
    morning.
    """

    number: int
    reports: int
    verdicts: dict[str, int]
    decision: Decision | None
    challenger: Score
    champion: Score
    seconds: float


@dataclass
class Result:
    """The whole run."""

    split: dict[str, int]
    seed: Score
    everything: Score
    nights: list[Night] = field(default_factory=list)
    adversarial: dict[str, object] = field(default_factory=dict)

    def share(self, score: Score) -> float:
        """Return which part of the gap between seed and everything a score has closed."""
        gap = self.everything.f1.value - self.seed.f1.value
        return (score.f1.value - self.seed.f1.value) / gap


def score(each: Sequence[float]) -> Score:
    """Return the score of documents by the F1 of each."""
    values = tuple(map(float, each))
    return Score(bootstrap.interval(bootstrap.mean(np.array(values)), len(values)), values)


def pooled(results: Sequence[Result]) -> Result:
    """Return the mean over all test documents of all splits, night by night.

    Each split begins with a seed release of its own, so a document counts once for the splits
    that test on it. There is no decision that holds for all.
    """

    def together(scores: Sequence[Score]) -> Score:
        return score([value for one in scores for value in one.each])

    def added(counts: Sequence[dict[str, int]]) -> dict[str, int]:
        return {name: sum(one[name] for one in counts) for name in counts[0]}

    nights = [
        Night(
            nights[0].number,
            sum(night.reports for night in nights),
            added([night.verdicts for night in nights]),
            None,
            together([night.challenger for night in nights]),
            together([night.champion for night in nights]),
            sum(night.seconds for night in nights),
        )
        for nights in zip(*(result.nights for result in results), strict=True)
    ]
    return Result(
        added([result.split for result in results]),
        together([result.seed for result in results]),
        together([result.everything for result in results]),
        nights,
    )
