"""The measures of the Technique Inference Engine as its code has them.

Only to compare with its published table; for anything else use ``metrics``. They differ from
what their names promise:

- the ranking still holds the techniques of the training part, which take the first places;
- precision is a mean over all reports, those without a test technique too;
- precision and recall count a tie at place k as outside (rank by the worst of the tied places);
- NDCG is the mean gain over all reports divided by the mean best gain, a ratio of means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Scores = NDArray[np.floating]


def tie_precision_at_k(scores: Scores, test: NDArray[np.bool_], k: int) -> float:
    """Precision as TIE's code has it.

    Parameters
    ----------
    scores : ndarray, shape (n_reports, n_techniques)
        Of all techniques, those of the training part included.
    test : ndarray of bool, same shape
    k : int
    """
    return float(_in_top(scores, test, k).mean() / k)


def tie_recall_at_k(scores: Scores, test: NDArray[np.bool_], k: int) -> float:
    """Recall as TIE's code has it: reports without a test technique are left out."""
    count = test.sum(axis=1)
    tried = count > 0
    return float((_in_top(scores, test, k)[tried] / count[tried]).mean())


def tie_ndcg_at_k(scores: Scores, test: NDArray[np.bool_], k: int) -> float:
    """NDCG as TIE's code has it: a ratio of means over all reports."""
    place = np.stack([rankdata(-row, method="ordinal") for row in scores])
    gain = ((place <= k) & test) / np.log2(place + 1)
    best = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))
    ideal = [best[min(count, k) - 1] if count else 0.0 for count in test.sum(axis=1)]
    return float(gain.sum(axis=1).mean() / np.mean(ideal))


def tie_mean_squared_error(scores: Scores, test: NDArray[np.bool_]) -> float:
    """MSE as TIE's code has it: over the test cells only, which are all 1."""
    return float(np.mean((scores[test] - 1.0) ** 2))


def _in_top(scores: Scores, test: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    place = np.stack([rankdata(-row, method="max") for row in scores])
    count: NDArray[np.int64] = ((place <= k) & test).sum(axis=1)
    return count
