"""Bring the scores of one recognizer onto the label space of the release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.types import Recognition

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from engine.knowledge import Knowledge


@dataclass(frozen=True)
class LabelSpace:
    """The techniques that can be found, in the ids of the knowledge in use.

    Attributes
    ----------
    techniques : tuple of str
        Sorted; active in the knowledge.
    column : mapping from technique to int
    parent : ndarray of int64, shape (n_techniques,)
        Column of the parent; -1 where there is none.
    """

    techniques: tuple[str, ...]
    column: Mapping[str, int]
    parent: NDArray[np.int64]

    @classmethod
    def of(cls, ids: Iterable[str], knowledge: Knowledge) -> LabelSpace:
        """Return the space of the given ids and their parents, revoked ones replaced."""
        resolved = (knowledge.resolve(given).technique for given in ids)
        active = [technique.id for technique in resolved if technique is not None]
        techniques = tuple(sorted(knowledge.with_parents(active)))
        column = {technique: number for number, technique in enumerate(techniques)}
        parents = [column.get(knowledge.parent(technique) or "", -1) for technique in techniques]
        return cls(techniques, column, np.array(parents, dtype=np.int64))

    def columns_of(self, ids: Iterable[str], knowledge: Knowledge) -> NDArray[np.int64]:
        """Return the column of each id, revoked ones by their successor; -1 where there is none."""
        resolved = (knowledge.resolve(given).technique for given in ids)
        return np.array(
            [-1 if found is None else self.column.get(found.id, -1) for found in resolved],
            dtype=np.int64,
        )


@dataclass(frozen=True)
class Aligned:
    """A recognizer's scores in a label space.

    Attributes
    ----------
    sentences : csr_matrix of float32, shape (n_sentences, n_techniques)
        A sub-technique's score counts for its parent too.
    documents : ndarray of float32, shape (n_techniques,)
        NaN where the recognizer does not score whole documents.
    covered : ndarray of bool, shape (n_techniques,)
        True where the recognizer can find the technique at all.
    """

    sentences: csr_matrix
    documents: NDArray[np.float32]
    covered: NDArray[np.bool_]

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of pairs of sentence and technique, shape (n_pairs,)."""
        # scipy gives a matrix, not an array, where there are no pairs.
        if not rows.size:
            return np.zeros(0, dtype=np.float32)
        return np.asarray(self.sentences[rows, columns], dtype=np.float32).ravel()


def align(recognition: Recognition, space: LabelSpace, knowledge: Knowledge) -> Aligned:
    """Bring a recognition onto a label space; scores of ids outside it are left out.

    Where two of its ids are one technique today, the larger score counts.
    """
    columns = space.columns_of(recognition.techniques, knowledge)
    size = len(space.techniques)
    scores = recognition.sentence_scores.tocoo()
    target = columns[scores.col]
    kept = target >= 0
    row, target, value = scores.row[kept], target[kept], scores.data[kept].astype(np.float32)
    parent = space.parent[target]
    has_parent = parent >= 0
    documents = np.full(size, np.nan, dtype=np.float32)
    if recognition.document_scores is not None:
        inside = columns >= 0
        np.fmax.at(documents, columns[inside], recognition.document_scores[inside])
    covered = np.zeros(size, dtype=bool)
    covered[columns[columns >= 0]] = True
    covered[space.parent[covered & (space.parent >= 0)]] = True
    return Aligned(
        _largest(
            np.concatenate([row, row[has_parent]]),
            np.concatenate([target, parent[has_parent]]),
            np.concatenate([value, value[has_parent]]),
            (scores.shape[0], size),
        ),
        documents,
        covered,
    )


def _largest(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    value: NDArray[np.float32],
    shape: tuple[int, int],
) -> csr_matrix:
    """Return a sparse matrix; of several values at one place the largest."""
    from scipy.sparse import csr_matrix

    order = np.lexsort((-value, column, row))
    row, column, value = row[order], column[order], value[order]
    first = np.ones(len(row), dtype=bool)
    first[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    return csr_matrix((value[first], (row[first], column[first])), shape=shape)
