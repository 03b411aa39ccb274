"""Quality over all thresholds: precision-recall curve, average precision, the best threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every threshold; predicted is what scores at or over it.

    Attributes
    ----------
    thresholds, precision, recall : ndarray of float, shape (n_thresholds,)
        Thresholds ascending.
    average_precision : float
        Area under the curve as a step function.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average_precision: float

    def best(self) -> tuple[float, float]:
        """Return the threshold with the best F1, and that F1."""
        total = self.precision + self.recall
        f1 = np.divide(
            2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0
        )
        at = int(f1.argmax())
        return float(self.thresholds[at]), float(f1[at])


def curve(truth: ArrayLike, scores: ArrayLike) -> Curve:
    """Return the precision-recall curve.

    Parameters
    ----------
    truth : array of bool, any shape
        Whether the label is there. A matrix is taken as all its cells (micro).
    scores : array of float, same shape
        How sure the system is.

    Raises
    ------
    ValueError
        If nothing is true: there is no recall then.
    """
    flat = np.asarray(truth, dtype=bool).ravel()
    values = np.asarray(scores, dtype=np.float64).ravel()
    if not flat.any():
        raise ValueError("a precision-recall curve needs at least one true label")
    precision, recall, thresholds = precision_recall_curve(flat, values)
    return Curve(
        thresholds=thresholds,
        precision=precision[:-1],
        recall=recall[:-1],
        average_precision=float(average_precision_score(flat, values)),
    )


def mean_average_precision(truth: ArrayLike, scores: ArrayLike) -> float:
    """Return the mean over labels (columns) with a true cell of their average precision."""
    gold = np.asarray(truth, dtype=bool)
    values = np.asarray(scores, dtype=np.float64)
    columns = np.flatnonzero(gold.any(axis=0))
    if not len(columns):
        return 0.0
    return float(np.mean([average_precision_score(gold[:, c], values[:, c]) for c in columns]))
