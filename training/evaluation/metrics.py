"""Precision, recall and F1 of sets of techniques, by sentence and by document.

Everywhere ``gold`` and ``predicted`` are sequences of sets of technique ids of equal length, one
set a sentence or a document, and ``labels`` is the label list: ids outside it do not count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sets = Sequence[Collection[str]]


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of right, invented and missed labels, and what follows from them.

    A ratio without anything to count is 0, as in scikit-learn.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Share of the predicted labels that are right."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the labels that were found."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)

    @property
    def support(self) -> int:
        """Number of labels that are there to be found."""
        return self.true_positives + self.false_negatives


def indicator(sets: Sets, labels: Sequence[str]) -> NDArray[np.bool_]:
    """Return sets as a matrix, shape (n_sets, n_labels)."""
    column = {label: number for number, label in enumerate(labels)}
    matrix = np.zeros((len(sets), len(column)), dtype=bool)
    for row, members in enumerate(sets):
        matrix[row, [column[label] for label in members if label in column]] = True
    return matrix


def per_label(gold: Sets, predicted: Sets, labels: Sequence[str]) -> dict[str, Score]:
    """Return the score of every label of the list."""
    counts = count_by_label(gold, predicted, labels).tolist()
    return {label: Score(*row) for label, row in zip(labels, counts, strict=True)}


def micro(gold: Sets, predicted: Sets, labels: Sequence[str]) -> Score:
    """Return the score over all pairs of a set and a label.

    With one set a sentence this is the sentence micro score, with one set a document the score
    over document-technique pairs.
    """
    total = count_by_label(gold, predicted, labels).sum(axis=0).tolist()
    return Score(*total)


def macro_f1(gold: Sets, predicted: Sets, labels: Sequence[str]) -> float:
    """Return the mean F1 of the labels that occur in ``gold``; 0 if none does."""
    scores = [score.f1 for score in per_label(gold, predicted, labels).values() if score.support]
    return float(np.mean(scores)) if scores else 0.0


def mean_document_f1(gold: Sets, predicted: Sets, labels: Sequence[str]) -> float:
    """Return the mean over documents of each document's own F1 ("samples" average).

    A document without labels scores 1 if nothing was predicted for it, else 0.
    """
    values = document_f1s(gold, predicted, labels)
    return float(values.mean()) if len(values) else 0.0


def document_f1s(gold: Sets, predicted: Sets, labels: Sequence[str]) -> NDArray[np.float64]:
    """Return each document's own F1, shape (n_documents,)."""
    counts = count_by_row(gold, predicted, labels)
    values = f1_of(counts)
    values[counts.sum(axis=1) == 0] = 1.0
    return values


def count_by_row(gold: Sets, predicted: Sets, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return true positives, false positives and false negatives a set, shape (n_sets, 3)."""
    return _count(*_both(gold, predicted, labels), axis=1)


def count_by_label(gold: Sets, predicted: Sets, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return true positives, false positives and false negatives a label, (n_labels, 3)."""
    return _count(*_both(gold, predicted, labels), axis=0)


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of counts whose last axis is true positives, false positives, false negatives."""
    right = 2.0 * counts[..., 0]
    total = right + counts[..., 1] + counts[..., 2]
    values: NDArray[np.float64] = np.divide(right, total, out=np.zeros_like(total), where=total > 0)
    return values


def _count(truth: NDArray[np.bool_], guess: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    cells = (truth & guess, ~truth & guess, truth & ~guess)
    return np.stack([cell.sum(axis=axis, dtype=np.int64) for cell in cells], axis=-1)


def _both(
    gold: Sets, predicted: Sets, labels: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sets, but {len(predicted)} predicted ones")
    return indicator(gold, labels), indicator(predicted, labels)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
