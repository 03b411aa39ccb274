"""Platt scaling of one-vs-rest margins, the labels' offsets shrunk towards a common one.

A slope and an offset of its own for every label overfit where a label has few positives: its
threshold then follows noise. One slope for all and offsets pulled towards the common one were
better on documents held out (Platt, "Probabilistic Outputs for Support Vector Machines", 1999).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

STEPS = 30
SMALLEST = 1e-6


def platt(
    margins: NDArray[np.float32], positive: NDArray[np.bool_], known: NDArray[np.bool_]
) -> tuple[float, float]:
    """Fit one slope and one offset for all labels.

    Parameters
    ----------
    margins, positive, known : ndarray, shape (n_rows, n_labels)
        Out-of-fold margins; truth; whether the truth is known.

    Returns
    -------
    slope, offset : float
    """
    x = margins[known].astype(np.float64)
    shown = positive[known]
    n_positive, n_negative = int(shown.sum()), int((~shown).sum())
    base = (n_positive + 1) / (n_positive + n_negative + 2)
    parameters = np.array([1.0, float(logit(base))])
    if not n_positive or not n_negative:
        return float(parameters[0]), float(parameters[1])
    # Platt's targets: separable margins would drive the slope to infinity otherwise.
    y = np.where(shown, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = parameters[0] * x + parameters[1]
        difference = expit(odds) - y
        value = float((np.logaddexp(0, odds) - y * odds).sum())
        return value, np.array([difference @ x, difference.sum()])

    found = minimize(loss, parameters, jac=True, method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])


def shrunk_offsets(
    logits: NDArray[np.float32],
    positive: NDArray[np.bool_],
    known: NDArray[np.bool_],
    shrinkage: float,
) -> NDArray[np.float32]:
    """Return what to add to each label's logits, shrunk towards 0 for all.

    The maximum a posteriori of an offset under a normal prior, worth about ``shrinkage``
    positive examples.

    Parameters
    ----------
    logits, positive, known : ndarray, shape (n_rows, n_labels)
    shrinkage : float
        Precision of the prior, in positive examples.

    Returns
    -------
    ndarray of float32, shape (n_labels,)
    """
    n_labels = logits.shape[1]
    offsets = np.zeros(n_labels, dtype=np.float64)
    for _ in range(STEPS):
        p = expit(logits + offsets) * known
        gradient = (p - positive * known).sum(axis=0) + shrinkage * offsets
        curvature = (p * (1 - p)).sum(axis=0) + shrinkage
        step = gradient / curvature
        offsets -= np.clip(step, -1, 1)
        if np.abs(step).max(initial=0) < SMALLEST:
            break
    return offsets.astype(np.float32)
