"""Models that score a technique by a weighted sum over the observed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.recommenders.model import Floats, RecommenderModel, S


class LinearModel(RecommenderModel[S]):
    """``scores = x @ item_weights_``; what an observed technique adds is exact.

    Attributes
    ----------
    item_weights_ : ndarray of float32, shape (n_techniques, n_techniques)
        Row: the observed technique; column: the one that it speaks for. Zero on the diagonal.
    """

    learned: ClassVar[Mapping[str, type[np.generic]]] = {"item_weights_": np.float16}

    item_weights_: Floats

    def _score(self, X: Floats) -> Floats:
        scores: Floats = X @ self.item_weights_
        return scores

    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        known = np.flatnonzero(x)
        parts: Floats = (x[known, np.newaxis] * self.item_weights_[np.ix_(known, items)]).T
        return parts

    def _check(self) -> None:
        count = len(self.techniques_)
        if self.item_weights_.shape != (count, count):
            raise ValueError(f"item weights of shape {self.item_weights_.shape}")


def largest_one(weights: Floats) -> Floats:
    """Scale so that the largest absolute value is 1.

    Ranks stay as they are, and half precision, in which weights are stored, spans what is left.
    """
    largest = float(np.abs(weights).max(initial=0.0))
    return weights / largest if largest > 0 else weights
