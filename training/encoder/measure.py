"""Figures of sentence scores: the best F1 over thresholds, and what a change costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_f1(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], known: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the best micro-F1 over one threshold for all labels, and the threshold.

    Parameters
    ----------
    scores, positive, known : ndarray, shape (n_sentences, n_labels)
        Scores; truth; whether the truth is known. Unknown cells do not count.
    """
    chosen, truth = scores[known], positive[known]
    total = int(truth.sum())
    if not total:
        return 0.0, float("inf")
    order = np.argsort(-chosen, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + total)
    # A threshold between equal scores cannot be had.
    last_of_equals = np.append(np.diff(chosen[order]) != 0, True)
    best = int(np.argmax(np.where(last_of_equals, f1, 0)))
    return float(f1[best]), float(chosen[order][best])


def f1_at(
    scores: NDArray[np.float32],
    positive: NDArray[np.bool_],
    known: NDArray[np.bool_],
    threshold: float,
) -> float:
    """Return the micro-F1 at a threshold, over known cells."""
    found = (scores >= threshold) & known
    truth = positive & known
    both = int((found & truth).sum())
    return 2 * both / max(1, int(found.sum()) + int(truth.sum()))
