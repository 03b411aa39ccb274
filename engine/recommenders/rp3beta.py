"""RP3beta: a walk from observed techniques over reports to further techniques."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from engine.recommenders.base import Matrix, WeightedSettings
from engine.recommenders.linear import LinearModel, largest_one

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Rp3BetaSettings(WeightedSettings):
    """Settings of ``Rp3Beta``."""

    row_norm: float = Field(
        default=0.75,
        ge=0,
        le=2,
        description="A step out of a report of n techniques has weight n to the minus this; "
        "1 is a true random walk.",
    )
    beta: float = Field(
        default=0.45, ge=0, le=1, description="How strongly frequent techniques are held down."
    )


class Rp3Beta(LinearModel[Rp3BetaSettings]):
    """Weight of the walks technique - report - technique, over popularity to the power beta.

    O(nnz * techniques a report) time, O(n_techniques^2) memory.

    References
    ----------
    B. Paudel et al., "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive
    Applications", ACM TiiS 7(1), 2016, https://doi.org/10.1145/2955101
    """

    name = "rp3beta"
    settings_type = Rp3BetaSettings

    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        weighted = X.multiply(matrix.importance[:, np.newaxis]).tocsr()
        count = np.asarray(weighted.sum(axis=0)).ravel()
        inverse = np.divide(1.0, count, out=np.zeros_like(count), where=count > 0)
        size = np.maximum(np.asarray(X.sum(axis=1)).ravel(), 1.0)
        step = X.multiply(size[:, np.newaxis] ** -self.settings.row_norm)
        walks = (weighted.T @ step).toarray() * inverse[:, np.newaxis]
        walks *= inverse**self.settings.beta
        np.fill_diagonal(walks, 0.0)
        self.item_weights_ = largest_one(walks.astype(np.float32))
