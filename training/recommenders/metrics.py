"""Measures of a ranking, each a mean over the reports tried.

All take ``ranked``: columns best first, one row a report, observed techniques already left out
and -1 where the ranking ended early; and ``hidden``: what is to be found. Reports with nothing
hidden are left out of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.intp]
Values = NDArray[np.float64]


def rank(scores: NDArray[np.float32], excluded: NDArray[np.bool_], k: int) -> Columns:
    """Return the k best columns that are not excluded; ties go to the first column.

    Parameters
    ----------
    scores : ndarray, shape (n_reports, n_techniques)
    excluded : ndarray of bool, same shape
    k : int

    Returns
    -------
    ndarray of int, shape (n_reports, min(k, n_techniques))
        -1 where fewer than k are left.
    """
    masked = np.where(excluded, -np.inf, scores)
    order = np.argsort(-masked, axis=1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(excluded, order, axis=1), -1, order)


def hits(ranked: Columns, hidden: Sequence[Columns]) -> NDArray[np.bool_]:
    """Tell which places of the ranking hold a hidden technique, shape of ``ranked``."""
    found = [np.isin(row, wanted) for row, wanted in zip(ranked, hidden, strict=True)]
    return np.array(found, dtype=bool).reshape(ranked.shape)


def precision_at_k(ranked: Columns, hidden: Sequence[Columns], k: int) -> Values:
    """Share of the first k places that hold a hidden technique, for each report tried."""
    tried = _tried(hidden)
    precision: Values = hits(ranked, hidden)[tried, :k].sum(axis=1) / k
    return precision


def recall_at_k(ranked: Columns, hidden: Sequence[Columns], k: int) -> Values:
    """Share of the hidden techniques among the first k places, for each report tried."""
    tried = _tried(hidden)
    count = np.array([len(wanted) for wanted in hidden], dtype=np.float64)[tried]
    recall: Values = hits(ranked, hidden)[tried, :k].sum(axis=1) / count
    return recall


def ndcg_at_k(ranked: Columns, hidden: Sequence[Columns], k: int) -> Values:
    """Normalised discounted cumulative gain of the first k places, for each report tried.

    A hit at place p (from 1) gains 1 / log2(p + 1); the sum is divided by that of the best
    possible ranking of the same report. The mean over reports is a mean of ratios.

    References
    ----------
    K. Jarvelin and J. Kekalainen, "Cumulated Gain-Based Evaluation of IR Techniques", ACM TOIS
    20(4), 2002, https://doi.org/10.1145/582415.582418
    """
    tried = _tried(hidden)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    found = hits(ranked, hidden)[tried, :k]
    gain = (found * discount[: found.shape[1]]).sum(axis=1)
    counts = np.array([min(len(wanted), k) for wanted in hidden])[tried]
    ndcg: Values = gain / np.cumsum(discount)[counts - 1]
    return ndcg


def coverage_at_k(ranked: Columns, n_techniques: int, k: int) -> float:
    """Share of all techniques that are among the first k places for at least one report."""
    shown = np.unique(ranked[:, :k])
    return float((shown >= 0).sum() / n_techniques)


def novelty_at_k(ranked: Columns, popularity: NDArray[np.float32], k: int) -> float:
    """Mean self-information, in bits, of what is recommended.

    A technique that a share p of the training rows holds tells -log2 p. The popularity of a
    technique that is in no training row is taken as that of the rarest one.
    """
    floor = popularity[popularity > 0].min(initial=1.0)
    information = -np.log2(np.maximum(popularity, floor))
    shown = ranked[:, :k]
    return float(information[shown[shown >= 0]].mean()) if (shown >= 0).any() else 0.0


def mean_squared_error(
    predicted: NDArray[np.float32], rows: Columns, columns: Columns, values: Values
) -> float:
    """Mean squared difference of predictions and values over some cells.

    Only for models whose scores approximate the values of the matrix (wals, factorization,
    implicit_als, ease); a ranking score has no scale.
    """
    return float(np.mean((predicted[rows, columns] - values) ** 2))


def interval(values: Values, seed: int = 0, rounds: int = 1000) -> tuple[float, float]:
    """95% bootstrap interval of a mean over reports."""
    if not len(values):
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(values), size=(rounds, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _tried(hidden: Sequence[Columns]) -> NDArray[np.bool_]:
    return np.array([len(wanted) > 0 for wanted in hidden], dtype=bool)
