"""One slope and one offset that turn logits into probabilities.

Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with his smoothed targets, and
with steps that are halved until they help: classes that a small label set separates entirely must
not drive the slope to infinity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

STEPS = 50
ENOUGH = 1e-6


def calibrate(
    logits: NDArray[np.float32], positive: NDArray[np.bool_], known: NDArray[np.bool_]
) -> tuple[float, float]:
    """Fit ``probability = 1 / (1 + exp(-(slope * logit + offset)))``.

    Parameters
    ----------
    logits, positive, known : ndarray, shape (n_rows, n_labels)
        Of rows that were not learned from; unknown cells do not count.

    Returns
    -------
    slope, offset : float
        1 and 0 where the rows hold but one class.
    """
    x = logits[known].astype(np.float64)
    truth = positive[known]
    hits, misses = int(truth.sum()), int((~truth).sum())
    if not hits or not misses:
        return 1.0, 0.0
    y = np.where(truth, (hits + 1) / (hits + 2), 1 / (misses + 2))
    parameters = np.array([1.0, 0.0])
    loss = _loss(parameters, x, y)
    for _ in range(STEPS):
        p = expit(parameters[0] * x + parameters[1])
        error, weight = p - y, np.maximum(p * (1 - p), 1e-12)
        gradient = np.array([error @ x, error.sum()])
        mixed = weight @ x
        hessian = np.array([[(weight * x) @ x, mixed], [mixed, weight.sum()]])
        step = np.linalg.solve(hessian + ENOUGH * np.eye(2), gradient)
        while (new := _loss(parameters - step, x, y)) > loss and np.abs(step).max() > ENOUGH:
            step /= 2
        parameters, loss = parameters - step, new
        if np.abs(step).max() <= ENOUGH:
            break
    return float(parameters[0]), float(parameters[1])


def _loss(parameters: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    logit = parameters[0] * x + parameters[1]
    return float(np.logaddexp(0, logit).sum() - y @ logit)
