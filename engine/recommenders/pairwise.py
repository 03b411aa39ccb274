"""Factor models that learn from pairs: an observed technique before one that is not.

A new report is folded in as the pairwise loss itself says: with item factors V and biases c held
fixed, its factors u minimise

    mean over observed i and unobserved j of  -w_i log sigmoid(u (v_i - v_j) + c_i - c_j)
        + l2/2 |u|^2

which is convex. Newton's method finds the minimum in a few steps without ever listing the pairs.
At the minimum, l2 u is a sum over the observed techniques, which gives what each of them adds to
a score.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from engine.recommenders.least_squares import check_factors
from engine.recommenders.model import Floats, RecommenderModel, S

NEWTON_STEPS: Final = 20
TOLERANCE: Final = 1e-6


class PairwiseModel(RecommenderModel[S]):
    """Scores are u V' + c with u from the pairwise loss.

    Attributes
    ----------
    item_factors_ : ndarray of float32, shape (n_techniques, factors)
    item_bias_ : ndarray of float32, shape (n_techniques,)
    user_factors_ : ndarray of float32, shape (n_rows, factors)
        Of the training rows; only after ``fit``, not saved with the model.
    """

    learned: ClassVar[Mapping[str, type[np.generic]]] = {
        "item_factors_": np.float32,
        "item_bias_": np.float32,
    }

    item_factors_: Floats
    item_bias_: Floats
    user_factors_: Floats

    @abstractmethod
    def _fold_in_l2(self) -> float:
        """Regularisation of a new report's factors."""

    def _score(self, X: Floats) -> Floats:
        scores = np.empty_like(X)
        for row, x in zip(scores, X, strict=True):
            row[:] = self.item_factors_ @ self._parts(x).sum(axis=1) + self.item_bias_
        return scores

    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        contributions: Floats = self.item_factors_[items] @ self._parts(x)
        return contributions

    def _parts(self, x: Floats) -> Floats:
        """Return what each observed technique adds to u, shape (factors, n_observed)."""
        l2 = self._fold_in_l2()
        V = self.item_factors_.astype(np.float64)
        bias = self.item_bias_.astype(np.float64)
        seen, unseen = np.flatnonzero(x), np.flatnonzero(x == 0)
        if not len(seen) or not len(unseen):
            return np.zeros((V.shape[1], len(seen)), dtype=np.float32)
        Vi, Vj = V[seen], V[unseen]
        share = (x[seen] / x[seen].sum() / len(unseen))[:, np.newaxis]

        def pull(u: NDArray[np.float64]) -> NDArray[np.float64]:
            """Shares of the pairs that are still in the wrong order, shape (seen, unseen)."""
            margin = (Vi @ u + bias[seen])[:, np.newaxis] - (Vj @ u + bias[unseen])
            wrong: NDArray[np.float64] = 0.5 - 0.5 * np.tanh(0.5 * margin)
            return wrong

        u = np.zeros(V.shape[1])
        for _ in range(NEWTON_STEPS):
            wrong = pull(u)
            force = share * wrong
            gradient = l2 * u - Vi.T @ force.sum(axis=1) + Vj.T @ force.sum(axis=0)
            curve = force * (1 - wrong)
            cross = Vi.T @ curve @ Vj
            hessian = (
                l2 * np.eye(len(u))
                + (Vi.T * curve.sum(axis=1)) @ Vi
                + (Vj.T * curve.sum(axis=0)) @ Vj
                - cross
                - cross.T
            )
            step = np.linalg.solve(hessian, gradient)
            # A full step may overshoot where the sigmoid is flat.
            u -= step / max(1.0, float(np.linalg.norm(step)))
            if float(np.abs(step).max()) < TOLERANCE:
                break
        force = share * pull(u)
        parts: NDArray[np.float64] = (Vi.T * force.sum(axis=1) - Vj.T @ force.T) / l2
        return parts.astype(np.float32)

    def _check(self) -> None:
        check_factors(self.item_factors_, len(self.techniques_))
        if self.item_bias_.shape != (len(self.techniques_),):
            raise ValueError(f"item bias of shape {self.item_bias_.shape}")
