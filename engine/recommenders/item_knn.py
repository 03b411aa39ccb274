"""Item-kNN: techniques that share reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from engine.recommenders.base import Matrix, WeightedSettings
from engine.recommenders.linear import LinearModel, largest_one

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class ItemKnnSettings(WeightedSettings):
    """Settings of ``ItemKnn``."""

    neighbours: int = Field(default=200, gt=0, description="Kept for each technique.")
    shrinkage: float = Field(
        default=1.0, ge=0, description="Draws similarities that rest on few reports towards zero."
    )


class ItemKnn(LinearModel[ItemKnnSettings]):
    """Cosine similarity of techniques over reports, shrunk, the nearest neighbours kept.

    O(nnz * techniques a report) time, O(n_techniques^2) memory.

    References
    ----------
    M. Deshpande and G. Karypis, "Item-Based Top-N Recommendation Algorithms", ACM TOIS 22(1),
    2004, https://doi.org/10.1145/963770.963776
    """

    name = "item_knn"
    settings_type = ItemKnnSettings

    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        together = (X.multiply(matrix.importance[:, np.newaxis]).T @ X).toarray()
        length = np.sqrt(together.diagonal())
        norm = np.outer(length, length) + self.settings.shrinkage
        similarity = np.divide(together, norm, out=np.zeros_like(together), where=norm > 0)
        np.fill_diagonal(similarity, 0.0)
        if self.settings.neighbours < len(similarity):
            cut = np.partition(similarity, -self.settings.neighbours, axis=0)
            similarity[similarity < cut[-self.settings.neighbours]] = 0.0
        self.item_weights_ = largest_one(similarity.astype(np.float32))
