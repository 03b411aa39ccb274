"""Top items: the most frequent techniques, whatever was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.recommenders.base import Matrix, RecommenderSettings
from engine.recommenders.model import Floats, RecommenderModel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class TopItemsSettings(RecommenderSettings):
    """Settings of ``TopItems``: none of its own."""


class TopItems(RecommenderModel[TopItemsSettings]):
    """Ranks by popularity: the measure that every other recommender has to beat.

    Nothing observed speaks for any of its answers, so ``because`` is empty.
    """

    name = "top_items"
    settings_type = TopItemsSettings

    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        """Learn nothing beyond the popularity, which every model has."""

    def _score(self, X: Floats) -> Floats:
        return np.tile(self.popularity_, (len(X), 1))

    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        return np.zeros((len(items), np.count_nonzero(x)), dtype=np.float32)

    def _check(self) -> None:
        return
