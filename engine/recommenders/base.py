"""The Protocol of recommenders: observed techniques in, ranked further ones out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from engine.types import Because

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

RowKind = Literal["report", "cited report", "flow", "group", "software", "campaign"]


@dataclass(frozen=True, slots=True)
class Row:
    """What one row of a training matrix is.

    Attributes
    ----------
    id : str
        Stable and unique in the matrix.
    kind : RowKind
        A report, or what stands for many: a group, a piece of software, a campaign.
    title : str
        What to call it to a person; may be empty.
    url : str
        Where it can be read; may be empty.
    importance : float
        How much it counts in training, relative to a report of 1.
    """

    id: str
    kind: RowKind = "report"
    title: str = ""
    url: str = ""
    importance: float = 1.0


@dataclass(frozen=True, slots=True)
class Matrix:
    """Reports by techniques, to learn from.

    Attributes
    ----------
    rows : tuple of Row
    techniques : tuple of str
        Ids of the columns, sorted.
    weights : csr_matrix of float32, shape (n_rows, n_techniques)
        How often the technique is in the report; what is not stored is zero.
    """

    rows: tuple[Row, ...]
    techniques: tuple[str, ...]
    weights: csr_matrix

    def __post_init__(self) -> None:
        if self.weights.shape != (len(self.rows), len(self.techniques)):
            raise ValueError(
                f"weights of shape {self.weights.shape} for {len(self.rows)} rows and "
                f"{len(self.techniques)} techniques"
            )
        if list(self.techniques) != sorted(set(self.techniques)):
            raise ValueError("techniques are not sorted, or one is there twice")
        if self.weights.nnz and not float(self.weights.data.min()) > 0:
            raise ValueError("a stored weight is not positive")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of techniques."""
        return len(self.rows), len(self.techniques)

    @property
    def importance(self) -> NDArray[np.float32]:
        """How much each row counts, shape (n_rows,)."""
        import numpy as np

        return np.array([row.importance for row in self.rows], dtype=np.float32)

    def take(self, indices: NDArray[np.intp]) -> Matrix:
        """Return the matrix of some rows, with all columns."""
        return Matrix(
            tuple(self.rows[index] for index in indices), self.techniques, self.weights[indices]
        )


class Recommendation(NamedTuple):
    """A technique that a recommender ranks as likely.

    ``because`` names the observed techniques that speak for it, strongest first, in the units of
    ``score``. Scores of different recommenders have different scales.
    """

    technique: str
    score: float
    because: tuple[Because, ...] = ()


class RecommenderSettings(BaseModel):
    """Base of the settings classes, one for each recommender."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WeightedSettings(RecommenderSettings):
    """Settings of recommenders that can learn from how often a report shows a technique."""

    frequencies: Literal["ignore", "log"] = Field(
        default="ignore",
        description="Whether a technique that a report shows five times counts more than one "
        "that it shows once (1 + log2 of the number), or just as much.",
    )


@runtime_checkable
class Recommender(Protocol):
    """Ranks the techniques that are likely, given those observed.

    The constructor only stores settings; ``fit`` learns; learned attributes end in ``_``.
    Once fitted or loaded it is shared by threads: ``recommend`` does not change it.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[RecommenderSettings]]
    settings: RecommenderSettings
    techniques_: tuple[str, ...]

    def fit(self, matrix: Matrix) -> Self:
        """Learn from a matrix; what was learned before is forgotten.

        Raises
        ------
        TrainingDataError
            If there is nothing in the matrix to learn from.
        """
        ...

    def recommend(self, observed: Mapping[str, float], k: int) -> list[Recommendation]:
        """Rank further techniques for a report, whether it was in training or not.

        Parameters
        ----------
        observed : mapping from technique to weight
            Weights in (0, 1]: 1 for what is certain, the probability for what was read from
            text. Techniques that were not in training are passed over.
        k : int
            How many at most; fewer come back where the catalogue is smaller.

        Returns
        -------
        list of Recommendation
            Best first. Neither an observed technique nor a parent of one is among them. With
            nothing observed, the most frequent techniques.

        Raises
        ------
        UsageError
            If ``k`` is not positive or a weight is no positive, finite number.
        """
        ...

    def score(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score all techniques for many reports at once.

        Parameters
        ----------
        X : ndarray of float32, shape (n_reports, n_techniques)
            Weights of the observed techniques, zero elsewhere; columns as ``techniques_``.

        Returns
        -------
        ndarray of float32, shape (n_reports, n_techniques)
            The larger, the likelier; also for the observed techniques.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write the model as safetensors and JSON into a directory."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model that ``save`` wrote.

        Raises
        ------
        ReleaseError
            If a file is missing or damaged.
        """
        ...
