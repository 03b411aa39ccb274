"""Confidence intervals by resampling documents, and the comparison of two systems.

Documents are resampled, not sentences: sentences of one report resemble each other, so that
resampling them would promise too much. Source: Efron and Tibshirani 1993; for the paired test
Berg-Kirkpatrick et al. 2012, https://aclanthology.org/D12-1091/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import f1_of

Statistic = Callable[[NDArray[np.intp]], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much the second of two systems is better than the first, on the same documents.

    Attributes
    ----------
    difference : Interval
        Second minus first.
    p_value : float
        Two-sided: how often a difference this far from none arises by the choice of documents.
    """

    difference: Interval
    p_value: float

    @property
    def better(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.difference.low > 0

    @property
    def worse(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.difference.high < 0


def interval(
    statistic: Statistic,
    documents: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a figure with its percentile bootstrap interval.

    Parameters
    ----------
    statistic : callable
        Takes indices of documents (with repetition) and returns the figure on them.
    documents : int
        How many documents there are.
    resamples, level, seed
        Number of resamples, confidence level, and seed of their choice.
    """
    values = [statistic(chosen) for chosen in _resamples(documents, resamples, seed)]
    low, high = _percentiles(values, level)
    return Interval(statistic(np.arange(documents)), low, high)


def compare(
    first: Statistic,
    second: Statistic,
    documents: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same resamples of documents (paired bootstrap)."""
    everything = np.arange(documents)
    difference = second(everything) - first(everything)
    values = np.array(
        [second(chosen) - first(chosen) for chosen in _resamples(documents, resamples, seed)]
    )
    low, high = _percentiles(values, level)
    # Shifted to where there is no difference, how often is it as far off as what was seen?
    as_far = np.abs(values - difference) >= abs(difference)
    p_value = (1 + int(as_far.sum())) / (1 + resamples)
    return Comparison(Interval(difference, low, high), p_value)


def multiplicities(documents: int, *, resamples: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """Return how often each resample draws each document, shape (resamples, documents).

    For many figures at once: the counts of all resamples are one product with it.
    """
    chosen = _resamples(documents, resamples, seed)
    return np.stack([np.bincount(row, minlength=documents) for row in chosen])


def micro_f1(counts: NDArray[np.int64]) -> Statistic:
    """Return the statistic "micro F1" of counts a document, shape (n_documents, 3).

    The counts are those of `metrics.count_by_row`; for sentences, summed by document with
    `sum_by_document`.
    """
    return lambda chosen: float(f1_of(counts[chosen].sum(axis=0)))


def macro_f1(counts: NDArray[np.int64]) -> Statistic:
    """Return the statistic "macro F1" of counts of shape (n_documents, n_labels, 3).

    As in `metrics.macro_f1`, labels that do not occur in the resample do not count.
    """

    def statistic(chosen: NDArray[np.intp]) -> float:
        total = counts[chosen].sum(axis=0)
        present = total[:, 0] + total[:, 2] > 0
        return float(f1_of(total[present]).mean()) if present.any() else 0.0

    return statistic


def mean(values: NDArray[np.float64]) -> Statistic:
    """Return the statistic "mean" of a figure a document, for example `document_f1s`."""
    return lambda chosen: float(values[chosen].mean())


def sum_by_document(
    counts: NDArray[np.int64], documents: NDArray[np.intp], number: int
) -> NDArray[np.int64]:
    """Sum counts a sentence, shape (n_sentences, ...), into counts a document, (number, ...)."""
    total = np.zeros((number, *counts.shape[1:]), dtype=np.int64)
    np.add.at(total, documents, counts)
    return total


def _resamples(documents: int, resamples: int, seed: int) -> NDArray[np.intp]:
    if documents < 1:
        raise ValueError("there is nothing to resample without documents")
    random = np.random.default_rng(seed)
    return random.integers(0, documents, size=(resamples, documents), dtype=np.intp)


def _percentiles(values: list[float] | NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
