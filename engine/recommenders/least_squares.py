"""Factor models whose report factors are the solution of a small weighted least squares problem.

For a report with weights x over the techniques and item factors V, all of them solve

    A = unseen V'V + V' diag(a) V + l2 I,   A u = V' b

with ``a`` and ``b`` zero except for the observed techniques. They differ in a, b, unseen and l2,
and in how V was learned. A new report is folded in by the same equation as one in training, and
since u is linear in b, what each observed technique adds to a score is exact.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.recommenders.model import Floats, RecommenderModel, S


class LeastSquaresModel(RecommenderModel[S]):
    """Scores are u V' with u from the normal equations.

    Attributes
    ----------
    item_factors_ : ndarray of float32, shape (n_techniques, factors)
    user_factors_ : ndarray of float32, shape (n_rows, factors)
        Of the training rows; only after ``fit``, not saved with the model.
    """

    learned: ClassVar[Mapping[str, type[np.generic]]] = {"item_factors_": np.float32}

    item_factors_: Floats
    user_factors_: Floats

    @abstractmethod
    def _terms(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return ``a`` and ``b`` of the observed techniques, from their weights."""

    @abstractmethod
    def _regularisation(self) -> tuple[float, float]:
        """Return ``unseen``, the weight of all predictions, and ``l2``."""

    def _score(self, X: Floats) -> Floats:
        scores = np.empty_like(X)
        gram = self._gram()
        for row, x in zip(scores, X, strict=True):
            row[:] = self.item_factors_ @ self._parts(x, gram).sum(axis=1)
        return scores

    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        contributions: Floats = self.item_factors_[items] @ self._parts(x, self._gram())
        return contributions

    def _gram(self) -> NDArray[np.float64]:
        V = self.item_factors_.astype(np.float64)
        unseen, l2 = self._regularisation()
        return unseen * (V.T @ V) + l2 * np.eye(V.shape[1])

    def _parts(self, x: Floats, gram: NDArray[np.float64]) -> Floats:
        """Return what each observed technique adds to u, shape (factors, n_observed)."""
        known = np.flatnonzero(x)
        V = self.item_factors_[known].astype(np.float64)
        a, b = self._terms(x[known])
        # Least squares rather than solve: without regularisation the matrix may be singular.
        parts = np.linalg.lstsq(gram + (V.T * a) @ V, V.T * b, rcond=None)[0]
        return parts.astype(np.float32)

    def _check(self) -> None:
        check_factors(self.item_factors_, len(self.techniques_))


def check_factors(factors: Floats, count: int) -> None:
    """Raise ValueError unless there is one row of factors a technique."""
    if factors.ndim != 2 or factors.shape[0] != count:
        raise ValueError(f"item factors of shape {factors.shape}")
