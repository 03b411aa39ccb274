"""User-kNN: what the most similar reports of the training matrix show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.errors import ReleaseError
from engine.recommenders.base import Matrix, RecommenderSettings, Row
from engine.recommenders.model import Floats, RecommenderModel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

ROWS: Final = "rows.json"


class UserKnnSettings(RecommenderSettings):
    """Settings of ``UserKnn``."""

    neighbours: int = Field(default=65, gt=0, description="Reports that are asked.")
    sharpness: float = Field(
        default=4.2,
        gt=0,
        description="Power of the similarity: the larger, the more the nearest count.",
    )
    rarity: float = Field(
        default=0.7,
        ge=0,
        le=3,
        description="Power of the inverse document frequency: how much more a rare technique in "
        "common counts than a frequent one.",
    )
    length: float = Field(
        default=0.46,
        ge=0,
        le=1,
        description="How much the length of the training report divides the similarity; that of "
        "the observed techniques divides with one minus this. 0.5 is the cosine.",
    )


class UserKnn(RecommenderModel[UserKnnSettings]):
    """Votes of the nearest reports, weighted by similarity.

    Keeps the training matrix; one recommendation looks at the rows that share a technique.

    Attributes
    ----------
    indices_, row_of_ : ndarray of int, shape (nnz,)
        Technique and row of every entry of the matrix.
    importance_ : ndarray of float32, shape (n_rows,)
    rarity_ : ndarray of float32, shape (n_techniques,)
    rows_ : tuple of Row
        What the rows are, for the explanation by similar reports.

    References
    ----------
    J. Herlocker et al., "An Algorithmic Framework for Performing Collaborative Filtering",
    SIGIR 1999, https://doi.org/10.1145/312624.312682
    """

    name = "user_knn"
    settings_type = UserKnnSettings
    learned: ClassVar[Mapping[str, type[np.generic]]] = {
        "indices_": np.uint16,
        "row_of_": np.uint32,
        "importance_": np.float16,
        "rarity_": np.float32,
    }

    indices_: NDArray[np.uint16]
    row_of_: NDArray[np.uint32]
    importance_: Floats
    rarity_: Floats
    rows_: tuple[Row, ...]

    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        # A report of one technique names nothing further.
        chosen = np.flatnonzero(np.diff(X.indptr) > 1)
        X = X[chosen].sorted_indices()
        self.rows_ = tuple(matrix.rows[index] for index in chosen)
        self.indices_ = X.indices.astype(np.uint16)
        self.row_of_ = np.repeat(np.arange(len(chosen)), np.diff(X.indptr)).astype(np.uint32)
        self.importance_ = matrix.importance[chosen]
        count = np.bincount(self.indices_, minlength=len(self.techniques_))
        self.rarity_ = np.log(len(chosen) / (count + 1) + 1).astype(np.float32)
        self._prepare()

    def _prepare(self) -> None:
        n_rows, n_techniques = len(self.importance_), len(self.techniques_)
        self._rarity: Floats = self.rarity_**self.settings.rarity
        lengths = np.bincount(self.row_of_, weights=self._rarity[self.indices_], minlength=n_rows)
        self._lengths = np.maximum(lengths, 1e-9) ** -self.settings.length
        # Where the entries of a row begin, and the rows of each technique, so that one answer
        # touches only the rows that share something and the entries of the nearest.
        self._row_starts = np.searchsorted(self.row_of_, np.arange(n_rows + 1))
        by_technique = np.argsort(self.indices_, kind="stable")
        self._rows_with = self.row_of_[by_technique]
        self._technique_starts = np.searchsorted(
            self.indices_[by_technique], np.arange(n_techniques + 1)
        )

    def _similarity(self, x: Floats) -> NDArray[np.float64]:
        """Similarity to every row of the matrix, shape (n_rows,)."""
        known = np.flatnonzero(x)
        weighted = (x * self._rarity)[known]
        entries, count = _ranges(self._technique_starts, known)
        shared = np.bincount(
            self._rows_with[entries],
            weights=np.repeat(weighted, count),
            minlength=len(self.importance_),
        )
        own = max(float(weighted.sum()), 1e-9) ** (self.settings.length - 1)
        similarity: NDArray[np.float64] = shared * self._lengths * own
        return similarity

    def _votes(self, x: Floats) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the nearest rows and what the vote of each counts."""
        similarity = self._similarity(x)
        rows = np.flatnonzero(similarity)
        votes = similarity[rows] ** self.settings.sharpness * self.importance_[rows]
        if self.settings.neighbours < len(votes):
            cut = np.partition(votes, -self.settings.neighbours)[-self.settings.neighbours]
            rows, votes = rows[votes >= cut], votes[votes >= cut]
        # The scale says nothing; this one keeps scores of long and short reports comparable.
        return rows, votes / max(float(votes.sum()), 1e-12)

    def _score(self, X: Floats) -> Floats:
        scores = np.empty_like(X)
        for row, x in zip(scores, X, strict=True):
            nearest, votes = self._votes(x)
            entries, count = _ranges(self._row_starts, nearest)
            row[:] = np.bincount(
                self.indices_[entries], weights=np.repeat(votes, count), minlength=X.shape[1]
            )
        return scores

    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        # A neighbour's vote is shared among the observed techniques as its similarity is.
        known = np.flatnonzero(x)
        nearest, votes = self._votes(x)
        rows = self._dense(nearest)
        shares: NDArray[Any] = rows[:, known] * (x * self._rarity)[known]
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
        parts: Floats = (rows[:, items].T * votes) @ shares
        return parts.astype(np.float32)

    def _dense(self, rows: NDArray[np.intp]) -> Floats:
        dense = np.zeros((len(rows), len(self.techniques_)), dtype=np.float32)
        entries, count = _ranges(self._row_starts, rows)
        dense[np.repeat(np.arange(len(rows)), count), self.indices_[entries]] = 1.0
        return dense

    def similar(
        self, observed: Mapping[str, float], k: int
    ) -> list[tuple[Row, float, tuple[str, ...]]]:
        """Return the rows of the training matrix most like a report.

        Parameters
        ----------
        observed : mapping from technique to weight
        k : int

        Returns
        -------
        list of (Row, similarity, techniques in common)
            Best first; rows that share nothing are left out.
        """
        x = self._vector(observed, k)
        similarity = self._similarity(x)
        best = [row for row in np.argsort(-similarity, kind="stable")[:k] if similarity[row] > 0]
        shared = self._dense(np.array(best, dtype=np.intp)) * (x > 0)
        return [
            (
                self.rows_[row],
                float(similarity[row]),
                tuple(self.techniques_[column] for column in np.flatnonzero(common)),
            )
            for row, common in zip(best, shared, strict=True)
        ]

    def save(self, directory: Path) -> None:
        """Write the model, and what its rows are into ``rows.json``."""
        super().save(directory)
        facts = [[row.id, row.kind, row.title, row.url] for row in self.rows_]
        text = "[\n" + ",\n".join(json.dumps(fact, ensure_ascii=False) for fact in facts) + "\n]\n"
        (directory / ROWS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model that ``save`` wrote; see the Protocol."""
        model = super().load(directory)
        path = directory / ROWS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            model.rows_ = tuple(
                Row(identifier, kind, title, url, float(importance))
                for (identifier, kind, title, url), importance in zip(
                    facts, model.importance_, strict=True
                )
            )
        except (OSError, ValueError, TypeError) as error:
            raise ReleaseError(
                f"{path} of the recommender is missing or damaged ({error}). Fetch the release "
                "again, or use another: ttpscribe releases list"
            ) from error
        model._prepare()
        return model

    def _check(self) -> None:
        if self.rarity_.shape != (len(self.techniques_),):
            raise ValueError(f"rarity of shape {self.rarity_.shape}")
        if self.indices_.shape != self.row_of_.shape:
            raise ValueError("entries of the matrix without a row")
        if self.indices_.size and self.indices_.max() >= len(self.techniques_):
            raise ValueError("an entry of the matrix outside its columns")
        if self.row_of_.size and self.row_of_.max() >= len(self.importance_):
            raise ValueError("an entry of the matrix outside its rows")


def _ranges(
    starts: NDArray[np.intp], chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places from ``starts[i]`` to ``starts[i + 1]`` of all i chosen, and how many."""
    count = starts[chosen + 1] - starts[chosen]
    begin = np.repeat(starts[chosen] - np.cumsum(count) + count, count)
    return begin + np.arange(len(begin)), count
