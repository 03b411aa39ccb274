"""EASE: a linear autoencoder in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from engine.recommenders.base import Matrix, WeightedSettings
from engine.recommenders.linear import LinearModel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class EaseSettings(WeightedSettings):
    """Settings of ``Ease``."""

    l2: float = Field(
        default=24.0, gt=0, description="Regularisation, the same for every technique."
    )
    dropout: float = Field(
        default=1.2,
        ge=0,
        description="Further regularisation in proportion to how frequent a technique is: as if "
        "p/(1+p) of the observed techniques were hidden at random in training.",
    )
    row_norm: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A row of n techniques counts n to the power of minus this: at 0 a report "
        "that lists 80 techniques makes 100 times the pairs of one that lists 8.",
    )


class Ease(LinearModel[EaseSettings]):
    """Embarrassingly shallow autoencoder, with dropout in the regularisation.

    With row weights W, Gram matrix G = X'WX and P = (G + l2 I + dropout diag(G))^-1, the item
    weights are B = I - P diag(P)^-1: the solution of min |X - XB|^2 with a zero diagonal.

    Fitting inverts one matrix of n_techniques by n_techniques, whatever the number of reports:
    O(nnz * techniques a report + n_techniques^3) time, O(n_techniques^2) memory.

    References
    ----------
    H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019,
    https://arxiv.org/abs/1905.03375; and "Autoencoders that don't overfit towards the Identity",
    NeurIPS 2020 (the term in proportion to diag(G)).
    """

    name = "ease"
    settings_type = EaseSettings

    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        from scipy.linalg import inv

        settings = self.settings
        size = np.maximum(np.asarray(X.sum(axis=1)).ravel(), 1.0)
        rows = matrix.importance * size**-settings.row_norm
        gram = (X.multiply(rows[:, np.newaxis]).T @ X).toarray().astype(np.float64)
        diagonal = np.diag_indices_from(gram)
        gram[diagonal] += settings.l2 * rows.mean() + settings.dropout * gram[diagonal]
        inverse = inv(gram, overwrite_a=True, check_finite=False)
        weights = inverse / -inverse[diagonal]
        weights[diagonal] = 0.0
        self.item_weights_ = weights.astype(np.float32)
