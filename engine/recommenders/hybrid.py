"""The default: a weighted sum of EASE, user-kNN, popularity and tactics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.recommenders.base import Matrix, RecommenderSettings
from engine.recommenders.ease import Ease, EaseSettings
from engine.recommenders.model import Floats, RecommenderModel, damaged
from engine.recommenders.user_knn import UserKnn, UserKnnSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class HybridSettings(RecommenderSettings):
    """Settings of ``Hybrid``: those of its parts, and what each part counts."""

    # What is best here differs from what is best for EASE alone.
    ease: EaseSettings = EaseSettings(l2=8.0, dropout=0.6, row_norm=0.55)
    user_knn: UserKnnSettings = UserKnnSettings()
    ease_weight: float = Field(default=1.0, ge=0)
    user_knn_weight: float = Field(default=1.55, ge=0)
    popularity_weight: float = Field(
        default=-1.05,
        description="Of the logarithm of popularity; negative, since the parts favour the frequent "
        "techniques more than is good for the ranking.",
    )
    tactic_weight: float = Field(
        default=0.35,
        description="Of how often the observed techniques have the technique's tactics.",
    )


class Hybrid(RecommenderModel[HybridSettings]):
    """EASE and user-kNN on one scale, with popularity and tactics.

    Each part's scores are brought to mean 0 and standard deviation 1 over the techniques that are
    not observed, then added with the weights of the settings. Both parts take the probabilities of
    the observed techniques as weights. Platforms, parents and sibling sub-techniques were tried as
    further terms and did not help, nor did a third recommender (docs/models/recommenders.md).

    What an observed technique adds is the sum of what it adds to the two parts and to the
    tactics; popularity and the means stay out of it, since nothing observed speaks through them.

    Attributes
    ----------
    ease_, user_knn_ : the fitted parts
    tactics_ : ndarray of float32, shape (n_techniques, n_tactics)
        Rows sum to 1; zero for techniques that the knowledge does not know.
    """

    name = "hybrid"
    settings_type = HybridSettings
    learned: ClassVar[Mapping[str, type[np.generic]]] = {"tactics_": np.float32}

    ease_: Ease
    user_knn_: UserKnn
    tactics_: Floats

    def _fit(self, matrix: Matrix, _X: csr_matrix) -> None:
        self.ease_ = Ease(self.settings.ease).fit(matrix)
        self.user_knn_ = UserKnn(self.settings.user_knn).fit(matrix)
        self.tactics_ = _tactics(matrix.techniques)
        self._prepare()

    def _prepare(self) -> None:
        log = np.log(np.maximum(self.popularity_, 1e-4))
        self._popularity: Floats = ((log - log.mean()) / max(float(log.std()), 1e-6)).astype(
            np.float32
        )

    def _parts(self) -> tuple[tuple[RecommenderModel, float], ...]:  # type: ignore[type-arg]
        settings = self.settings
        return (
            (self.ease_, settings.ease_weight),
            (self.user_knn_, settings.user_knn_weight),
        )

    def _score(self, X: Floats) -> Floats:
        free = X == 0
        total: Floats = np.tile(self.settings.popularity_weight * self._popularity, (len(X), 1))
        for part, weight in self._parts():
            scores = part._score(X)
            mean, spread = _scale(scores, free)
            total += weight * (scores - mean) / spread
        tactics = self._tactic_scores(X)
        mean, spread = _scale(tactics, free)
        total += self.settings.tactic_weight * (tactics - mean) / spread
        return total

    def _tactic_scores(self, X: Floats) -> Floats:
        share: Floats = X @ self.tactics_
        scores: Floats = share @ self.tactics_.T
        return scores

    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        known = np.flatnonzero(x)
        X, free = x[np.newaxis], x[np.newaxis] == 0
        total = np.zeros((len(items), len(known)))
        for part, weight in self._parts():
            spread = float(_scale(part._score(X), free)[1][0, 0])
            total += weight / spread * part._contributions(x, items)
        spread = float(_scale(self._tactic_scores(X), free)[1][0, 0])
        tactics = self.tactics_[items] @ (self.tactics_[known] * x[known, np.newaxis]).T
        total += self.settings.tactic_weight * tactics / spread
        return total.astype(np.float32)

    def save(self, directory: Path) -> None:
        """Write the model, each part into a directory of its own."""
        super().save(directory)
        for part, _ in self._parts():
            part.save(directory / part.name)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model that ``save`` wrote; see the Protocol."""
        model = super().load(directory)
        model.ease_ = Ease.load(directory / "ease")
        model.user_knn_ = UserKnn.load(directory / "user_knn")
        if any(part.techniques_ != model.techniques_ for part, _ in model._parts()):
            raise damaged(directory, "a part of it knows other techniques than the whole")
        model._prepare()
        return model

    def _check(self) -> None:
        if self.tactics_.ndim != 2 or len(self.tactics_) != len(self.techniques_):
            raise ValueError(f"tactics of shape {self.tactics_.shape}")


def _scale(scores: Floats, free: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each row over the free columns, shape (n_rows, 1)."""
    count = np.maximum(free.sum(axis=1, keepdims=True), 1).astype(np.float32)
    mean = np.where(free, scores, 0).sum(axis=1, keepdims=True) / count
    variance = np.where(free, (scores - mean) ** 2, 0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(variance)
    # All alike: the part says nothing, and must not become a division by zero.
    return mean, np.where(spread > 1e-9, spread, np.float32(1.0))


def _tactics(techniques: tuple[str, ...]) -> Floats:
    from engine.knowledge import Knowledge

    knowledge = Knowledge.load()
    column = {tactic.id: index for index, tactic in enumerate(knowledge.tactics())}
    tactics = np.zeros((len(techniques), len(column)), dtype=np.float32)
    for row, technique in zip(tactics, techniques, strict=True):
        known = knowledge.resolve(technique).technique
        for tactic in known.tactics if known else ():
            row[column[tactic]] = 1.0 / len(known.tactics)  # type: ignore[union-attr]
    return tactics
