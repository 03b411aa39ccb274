"""The parts of the fusion that are fitted: logistic regressions, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Logistic:
    """A logistic regression over named features.

    Attributes
    ----------
    names : tuple of str
    coefficients : ndarray of float64, shape (n_features,)
    intercept : float
    """

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    intercept: float

    def probabilities(
        self, features: NDArray[np.float32], offsets: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities of rows; ``offsets`` are added to their log-odds."""
        from scipy.special import expit

        odds = features @ self.coefficients + self.intercept
        if offsets is not None:
            odds = odds + offsets
        result: NDArray[np.float32] = expit(odds).astype(np.float32)
        return result

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, in full precision."""
        weights = dict(zip(self.names, map(float, self.coefficients), strict=True))
        return {"intercept": float(self.intercept), "coefficients": weights}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], names: Sequence[str]) -> Self:
        """Rebuild; the names of the features must be those that this version computes."""
        weights = fields["coefficients"]
        if sorted(weights) != sorted(names):
            raise ValueError(f"features {sorted(weights)} instead of {sorted(names)}")
        coefficients = np.array([weights[name] for name in names], dtype=np.float64)
        return cls(tuple(names), coefficients, float(fields["intercept"]))


@dataclass(frozen=True)
class Priors:
    """What is known of each technique before a word is read; float32, shape (n_techniques,).

    Attributes
    ----------
    sentence, document : ndarray
        Log-odds that a sentence or a document shows it, from the label counts of the training.
    sentence_offset, document_offset : ndarray
        What to add to its fused log-odds, where its own labels say so.
    """

    sentence: NDArray[np.float32]
    document: NDArray[np.float32]
    sentence_offset: NDArray[np.float32]
    document_offset: NDArray[np.float32]
