"""Alternating least squares of the library implicit, on a GPU where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from engine.recommenders.base import Matrix, WeightedSettings
from engine.recommenders.devices import Device, implicit_on_gpu
from engine.recommenders.least_squares import LeastSquaresModel
from engine.recommenders.model import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class ImplicitAlsSettings(WeightedSettings):
    """Settings of ``ImplicitAls``."""

    factors: int = Field(default=8, gt=0, le=512, description="Dimension of the factors.")
    alpha: float = Field(
        default=7.0, gt=0, description="An observed technique of weight w has confidence alpha w."
    )
    l2: float = Field(default=40.0, gt=0, description="Regularisation of all factors.")
    epochs: int = Field(
        default=15, gt=0, description="Rounds of solving for reports, then techniques."
    )
    seed: int = Field(default=0, ge=0, description="Of the factors to begin with.")
    device: Device = Field(
        default="auto", description="Where to fit; auto takes a GPU if there is one."
    )


class ImplicitAls(LeastSquaresModel[ImplicitAlsSettings]):
    """The same objective as ``Wals`` but for the scale of alpha, by conjugate gradient.

    The library is needed for the fit only: new reports are folded in here.

    References
    ----------
    Hu et al. 2008 as for ``Wals``; G. Takacs et al., "Applications of the Conjugate Gradient
    Method for Implicit Feedback Collaborative Filtering", RecSys 2011,
    https://doi.org/10.1145/2043932.2043987; https://benfred.github.io/implicit/
    """

    name = "implicit_als"
    settings_type = ImplicitAlsSettings

    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        from implicit.als import AlternatingLeastSquares

        settings = self.settings
        model = AlternatingLeastSquares(
            factors=settings.factors,
            alpha=settings.alpha,
            regularization=settings.l2,
            iterations=settings.epochs,
            random_state=settings.seed,
            use_gpu=implicit_on_gpu(settings.device),
            # Sums in a fixed order: the same seed gives the same model.
            num_threads=1,
        )
        model.fit(X.multiply(matrix.importance[:, np.newaxis]).tocsr(), show_progress=False)
        self.user_factors_ = to_numpy(model.user_factors)
        self.item_factors_ = to_numpy(model.item_factors)

    def _terms(self, weights: Floats) -> tuple[Floats, Floats]:
        confidence = self.settings.alpha * weights
        # implicit lets confidence replace the 1 of an unobserved technique, not add to it.
        return confidence - 1, confidence

    def _regularisation(self) -> tuple[float, float]:
        return 1.0, self.settings.l2


def to_numpy(factors: object) -> Floats:
    """Return factors of implicit, which on a GPU are matrices of its own, as an array."""
    plain = factors.to_numpy() if hasattr(factors, "to_numpy") else factors
    return np.array(plain, dtype=np.float32)
