"""Sparse, quantised one-vs-rest linear models, as the svc recognizer stores them.

A weight is kept as an 8-bit integer times one scale a label; small weights are left out. The
columns of a label are 16-bit numbers, which is why there are at most 65,536 features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LARGEST = 127
BLOCK = 1024


@dataclass(frozen=True)
class LinearModel:
    """Decision functions of many labels, and what turns them into probabilities.

    Attributes
    ----------
    labels : tuple of str
    weights : csr_matrix of float32, shape (n_features, n_labels)
    bias, slope, offset : ndarray of float32, shape (n_labels,)
        ``logit = slope * (features @ weights + bias) + offset``: Platt scaling, whose offsets
        are shrunk towards one value for all labels.
    """

    labels: tuple[str, ...]
    weights: csr_matrix
    bias: NDArray[np.float32]
    slope: NDArray[np.float32]
    offset: NDArray[np.float32]

    def margins(self, features: csr_matrix) -> NDArray[np.float32]:
        """Return the decision functions, float32 of shape (n_rows, n_labels)."""
        margins: NDArray[np.float32] = (features @ self.weights).toarray()
        margins += self.bias
        return margins

    def probabilities(self, features: csr_matrix) -> NDArray[np.float32]:
        """Return calibrated probabilities, float32 of shape (n_rows, n_labels)."""
        from scipy.special import expit

        margins = self.margins(features)
        margins *= self.slope
        margins += self.offset
        result: NDArray[np.float32] = expit(margins)
        return result

    def sparse_probabilities(self, features: csr_matrix, floor: float) -> csr_matrix:
        """Return the probabilities at or over a floor; works block by block on many rows."""
        from scipy.sparse import csr_matrix, vstack

        blocks = []
        for begin in range(0, features.shape[0], BLOCK):
            dense = self.probabilities(features[begin : begin + BLOCK])
            dense[dense < floor] = 0
            blocks.append(csr_matrix(dense))
        if not blocks:
            return csr_matrix((0, len(self.labels)), dtype=np.float32)
        return vstack(blocks, format="csr")

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Return what to store, each name with the prefix."""
        by_label = self.weights.tocsc()
        by_label.sort_indices()
        scales = np.ones(len(self.labels), dtype=np.float32)
        for label in range(len(self.labels)):
            part = by_label.data[by_label.indptr[label] : by_label.indptr[label + 1]]
            if part.size:
                scales[label] = np.abs(part).max() / LARGEST
        counts = np.diff(by_label.indptr)
        quantised = np.rint(by_label.data / np.repeat(scales, counts)).astype(np.int8)
        return {
            f"{prefix}.counts": counts.astype(np.int32),
            f"{prefix}.columns": by_label.indices.astype(np.uint16),
            f"{prefix}.values": quantised,
            f"{prefix}.scales": scales,
            f"{prefix}.bias": self.bias.astype(np.float32),
            f"{prefix}.slope": self.slope.astype(np.float32),
            f"{prefix}.offset": self.offset.astype(np.float32),
        }

    @classmethod
    def from_arrays(
        cls,
        prefix: str,
        arrays: Mapping[str, NDArray[np.generic]],
        labels: Sequence[str],
        n_features: int,
    ) -> Self:
        """Rebuild from what `arrays` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        from scipy.sparse import csc_matrix

        counts = arrays[f"{prefix}.counts"]
        values = arrays[f"{prefix}.values"].astype(np.float32)
        values *= np.repeat(arrays[f"{prefix}.scales"], counts)  # type: ignore[arg-type]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        columns = arrays[f"{prefix}.columns"].astype(np.int32)
        by_label = csc_matrix((values, columns, indptr), shape=(n_features, len(labels)))
        return cls(
            labels=tuple(labels),
            weights=by_label.tocsr(),
            bias=arrays[f"{prefix}.bias"].astype(np.float32),
            slope=arrays[f"{prefix}.slope"].astype(np.float32),
            offset=arrays[f"{prefix}.offset"].astype(np.float32),
        )
