"""Whether probabilities mean what they say: reliability bins, calibration error, Brier score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Binning = Literal["mass", "width"]


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of similar probability.

    ``low`` and ``high`` are the smallest and largest probability in it, ``mean`` their mean,
    ``rate`` the share that is true.
    """

    low: float
    high: float
    mean: float
    rate: float
    count: int


def reliability(
    truth: ArrayLike, probabilities: ArrayLike, bins: int = 10, binning: Binning = "mass"
) -> tuple[Bin, ...]:
    """Sort predictions into bins, lowest probability first.

    Parameters
    ----------
    truth : array of bool, any shape
        Whether the label is there.
    probabilities : array of float in [0, 1], same shape
        What was predicted.
    bins : int
        How many; bins without predictions are left out.
    binning : {"mass", "width"}
        Bins of equally many predictions, or of equal width. Equal probabilities may part in
        bins of equal mass.
    """
    flat, values = _flat(truth, probabilities)
    order = np.argsort(values, kind="stable")
    flat, values = flat[order], values[order]
    if binning == "mass":
        parts = np.array_split(np.arange(len(values)), bins)
    else:
        which = np.minimum((values * bins).astype(np.intp), bins - 1)
        parts = [np.flatnonzero(which == number) for number in range(bins)]
    return tuple(
        Bin(
            low=float(values[part[0]]),
            high=float(values[part[-1]]),
            mean=float(values[part].mean()),
            rate=float(flat[part].mean()),
            count=len(part),
        )
        for part in parts
        if len(part)
    )


def expected_calibration_error(
    truth: ArrayLike, probabilities: ArrayLike, bins: int = 10, binning: Binning = "mass"
) -> float:
    """Return the mean distance of probability and truth over bins, weighted by their counts.

    Source: Naeini et al. 2015 (equal width), Nguyen and O'Connor 2015 (equal mass).
    """
    found = reliability(truth, probabilities, bins, binning)
    total = sum(part.count for part in found)
    return sum(part.count * abs(part.mean - part.rate) for part in found) / total if total else 0.0


def brier(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean squared distance of probability and truth."""
    flat, values = _flat(truth, probabilities)
    return float(np.mean((values - flat) ** 2)) if len(values) else 0.0


def _flat(
    truth: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    flat = np.asarray(truth, dtype=bool).astype(np.float64).ravel()
    values = np.asarray(probabilities, dtype=np.float64).ravel()
    if flat.shape != values.shape:
        raise ValueError(f"{flat.size} labels, but {values.size} probabilities")
    if len(values) and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError("probabilities must be in [0, 1]")
    return flat, values
