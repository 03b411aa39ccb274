"""What all recommenders share: checks, ranking, explanations, the format on disk.

A recommender gives ``_fit``, ``_score`` and ``_contributions``, and the names of the arrays that
it has learned; public ``fit`` and ``recommend`` check, the private ones compute. Serving needs
numpy only; what a fit needs beyond it is imported in ``_fit``.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from engine.arrays import write_arrays
from engine.errors import ReleaseError, TrainingDataError, UsageError
from engine.recommenders.base import (
    Matrix,
    Recommendation,
    RecommenderSettings,
    WeightedSettings,
)
from engine.types import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]
S = TypeVar("S", bound=RecommenderSettings)

FORMAT: Final = 1
DESCRIPTION: Final = "recommender.json"
ARRAYS: Final = "model.safetensors"
# So many observed techniques are named for an inference; the rest says little.
BECAUSE_SHOWN: Final = 5


class RecommenderModel(ABC, Generic[S]):
    """Base of the recommenders of this package; see the Protocol ``Recommender``.

    Parameters
    ----------
    settings : RecommenderSettings, optional
        Of the class's own type; its defaults without one.

    Attributes
    ----------
    techniques_ : tuple of str
        The columns of the matrix it was fitted on.
    popularity_ : ndarray of float32, shape (n_techniques,)
        Share of the rows, by importance, that hold the technique; breaks ties, and ranks where
        nothing was observed.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[RecommenderSettings]]
    # Learned arrays with their type on disk: what is rounded there is rounded in ``fit`` already,
    # so that a model read back gives the same answers.
    learned: ClassVar[Mapping[str, type[np.generic]]] = {}

    settings: S
    techniques_: tuple[str, ...]
    popularity_: Floats

    def __init__(self, settings: S | None = None) -> None:
        self.settings = settings if settings is not None else self.settings_type()  # type: ignore[assignment]
        self.techniques_ = ()

    # -- learning

    def fit(self, matrix: Matrix) -> Self:
        """Learn from a matrix; what was learned before is forgotten."""
        if matrix.weights.nnz == 0:
            raise TrainingDataError(
                f"There is nothing to learn from: the matrix has {matrix.shape[0]} rows and no "
                "technique in any of them. Check that the data holds techniques whose ids are "
                "known (ttpscribe knowledge show ID)."
            )
        X = self._weights(matrix)
        present = X.copy()
        present.data[:] = 1.0
        total = float(matrix.importance.sum())
        self.techniques_ = matrix.techniques
        self.popularity_ = np.asarray(present.T @ matrix.importance / total, dtype=np.float32)
        self._fit(matrix, X)
        for name, kind in self.learned.items():
            value = np.ascontiguousarray(getattr(self, name), dtype=kind)
            floating = np.issubdtype(kind, np.floating)
            setattr(self, name, value.astype(np.float32) if floating else value)
        return self

    def _weights(self, matrix: Matrix) -> csr_matrix:
        X = matrix.weights.astype(np.float32, copy=True)
        settings = self.settings
        if isinstance(settings, WeightedSettings) and settings.frequencies == "log":
            X.data = 1.0 + np.log2(np.maximum(X.data, 1.0))
        else:
            X.data[:] = 1.0
        return X

    @abstractmethod
    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        """Learn; ``X`` holds the weights with frequencies as the settings want them."""

    # -- answering

    def recommend(self, observed: Mapping[str, float], k: int) -> list[Recommendation]:
        """Rank further techniques; see the Protocol."""
        x = self._vector(observed, k)
        excluded = self._excluded(observed)
        known = np.flatnonzero(x)
        scores = self._score(x[np.newaxis])[0] if len(known) else self.popularity_
        order = np.lexsort((np.arange(len(x)), -self.popularity_, -scores))
        items = order[~excluded[order]][:k]
        contributions = self._contributions(x, items)
        return [
            Recommendation(self.techniques_[item], float(scores[item]), self._because(known, row))
            for item, row in zip(items, contributions, strict=True)
        ]

    def score(self, X: Floats) -> Floats:
        """Score all techniques for many reports; see the Protocol."""
        empty = ~X.any(axis=1)
        scores = self._score(np.ascontiguousarray(X, dtype=np.float32))
        scores[empty] = self.popularity_
        return scores

    def contributions(self, observed: Mapping[str, float], technique: str) -> dict[str, float]:
        """Return what each observed technique adds to the score of a technique.

        For models that are linear in the observed techniques these add up to the score.
        """
        x = self._vector(observed, 1)
        row = self._contributions(x, np.array([self.techniques_.index(technique)]))[0]
        names = (self.techniques_[i] for i in np.flatnonzero(x))
        return dict(zip(names, map(float, row), strict=True))

    @abstractmethod
    def _score(self, X: Floats) -> Floats:
        """Score, shape (n_reports, n_techniques), for rows that may be empty."""

    @abstractmethod
    def _contributions(self, x: Floats, items: NDArray[np.intp]) -> Floats:
        """Return what each observed technique adds to the score of some items.

        Parameters
        ----------
        x : ndarray of float32, shape (n_techniques,)
        items : ndarray of int, shape (n_items,)

        Returns
        -------
        ndarray of float32, shape (n_items, number of non-zeros in ``x``)
        """

    def _vector(self, observed: Mapping[str, float], k: int) -> Floats:
        if k < 1:
            raise UsageError(f"The number of inferences must be at least 1, not {k}.")
        for technique, weight in observed.items():
            if not (math.isfinite(weight) and weight > 0):
                raise UsageError(
                    f"The weight of {technique} is {weight}; give a number over 0, at most 1."
                )
        column = {technique: index for index, technique in enumerate(self.techniques_)}
        x = np.zeros(len(self.techniques_), dtype=np.float32)
        for technique, weight in observed.items():
            if (index := column.get(technique)) is not None:
                x[index] = weight
        return x

    def _excluded(self, observed: Mapping[str, float]) -> NDArray[np.bool_]:
        # A sub-technique's parent is in its id, and is as good as observed with it.
        hidden = {*observed, *(technique.partition(".")[0] for technique in observed)}
        return np.array([technique in hidden for technique in self.techniques_], dtype=bool)

    def _because(self, known: NDArray[np.intp], row: Floats) -> tuple[Because, ...]:
        strongest = np.argsort(-row, kind="stable")[:BECAUSE_SHOWN]
        return tuple(
            Because(self.techniques_[known[i]], float(row[i])) for i in strongest if row[i] > 0
        )

    # -- on disk

    def save(self, directory: Path) -> None:
        """Write ``recommender.json`` and ``model.safetensors``."""
        directory.mkdir(parents=True, exist_ok=True)
        description = {
            "format": FORMAT,
            "name": self.name,
            "settings": self.settings.model_dump(mode="json"),
            "techniques": list(self.techniques_),
        }
        text = json.dumps(description, ensure_ascii=False, sort_keys=True) + "\n"
        (directory / DESCRIPTION).write_text(text, encoding="utf-8")
        arrays = {"popularity": self.popularity_}
        for name, kind in self.learned.items():
            arrays[name.rstrip("_")] = getattr(self, name).astype(kind)
        write_arrays(arrays, directory / ARRAYS)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model that ``save`` wrote; see the Protocol."""
        description = read_description(directory)
        if description["name"] != cls.name:
            raise ReleaseError(
                f"{directory} holds the recommender '{description['name']}', not '{cls.name}'."
            )
        try:
            model = cls(cls.settings_type.model_validate(description["settings"]))  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise damaged(directory, f"its setting {where} is wrong: {first['msg']}") from error
        model.techniques_ = tuple(description["techniques"])
        arrays = _read_arrays(directory)
        try:
            model._restore(arrays)
        except (KeyError, ValueError) as error:
            raise damaged(directory, f"an array is missing or wrong ({error})") from error
        return model

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.popularity_ = arrays["popularity"]
        if self.popularity_.shape != (len(self.techniques_),):
            raise ValueError(f"popularity of shape {self.popularity_.shape}")
        for name, kind in self.learned.items():
            value = arrays[name.rstrip("_")]
            floating = np.issubdtype(kind, np.floating)
            setattr(self, name, value.astype(np.float32) if floating else value)
        self._check()

    @abstractmethod
    def _check(self) -> None:
        """Raise ValueError if the shapes of the arrays do not fit the techniques."""


def read_description(directory: Path) -> dict[str, Any]:
    """Read the description of a saved recommender: its name, settings and techniques.

    Raises
    ------
    ReleaseError
        If it is missing, damaged or of a newer format.
    """
    path = directory / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReleaseError(f"The recommender's {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise damaged(directory, f"{DESCRIPTION} is not JSON") from error
    if not isinstance(description, dict) or not {"name", "settings", "techniques"} <= {
        *description
    }:
        raise damaged(directory, f"{DESCRIPTION} lacks a part")
    if description.get("format") != FORMAT:
        raise ReleaseError(
            f"The recommender in {directory} is of format {description.get('format')}; this "
            f"ttpscribe reads format {FORMAT}. Upgrade ttpscribe, or use an older release."
        )
    return description


def _read_arrays(directory: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(directory / ARRAYS))
    except OSError as error:
        raise ReleaseError(f"{directory / ARRAYS} cannot be read: {error}.") from error
    except SafetensorError as error:
        raise damaged(directory, str(error)) from error


def damaged(directory: Path, why: str) -> ReleaseError:
    """Return the error to raise for files that cannot be used."""
    return ReleaseError(
        f"The recommender in {directory} is damaged: {why}. "
        "Fetch the release again, or use another: ttpscribe releases list"
    )
