"""Labels as matrices: what is shown, and where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from training.labels.types import Example, LabelledDocument


@dataclass(frozen=True)
class Targets:
    """What to learn, by row (example) and column (technique).

    Attributes
    ----------
    techniques : tuple of str
        The columns.
    positive : csr_matrix of bool, shape (n_examples, n_techniques)
        True where the example shows the technique.
    known : ndarray of bool, shape (n_examples, n_techniques)
        True where it is certain whether it does. Positives are always known.
    unsure : csr_matrix of bool, shape (n_examples, n_techniques)
        True where the document shows it, and perhaps here: no negative, however likely most are.
    certainty : csr_matrix of float32, shape (n_examples, n_techniques)
        How certain it is that the example shows the technique: 1 of positives of which nothing
        else is said; also of some that are unsure.
    weights : ndarray of float32, shape (n_examples,)
        The examples' weights.
    """

    techniques: tuple[str, ...]
    positive: csr_matrix
    known: NDArray[np.bool_]
    unsure: csr_matrix
    certainty: csr_matrix
    weights: NDArray[np.float32]


def targets(examples: Sequence[Example | LabelledDocument], techniques: Sequence[str]) -> Targets:
    """Return the labels of examples as matrices over the given techniques."""
    column = {technique: number for number, technique in enumerate(techniques)}
    masks: dict[frozenset[str] | None, NDArray[np.bool_]] = {}
    known = np.zeros((len(examples), len(column)), dtype=bool)
    rows: list[int] = []
    columns: list[int] = []
    open_rows: list[int] = []
    open_columns: list[int] = []
    graded: list[tuple[int, int, float]] = []
    for row, example in enumerate(examples):
        if example.known not in masks:
            masks[example.known] = np.array(
                [example.known is None or technique in example.known for technique in column]
            )
        known[row] = masks[example.known]
        shown = [column[technique] for technique in example.techniques if technique in column]
        rows += [row] * len(shown)
        columns += shown
        if isinstance(example, Example) and example.unsure:
            unsure = example.unsure - example.techniques
            perhaps = [column[technique] for technique in sorted(unsure) if technique in column]
            open_rows += [row] * len(perhaps)
            open_columns += perhaps
        if isinstance(example, Example):
            certain = example.certainties.items()
            graded += [(row, column[t], value) for t, value in certain if t in column]
        else:
            graded += [(row, own, 1.0) for own in shown]
    known[open_rows, open_columns] = False
    known[rows, columns] = True
    positive = _marked(rows, columns, known.shape)
    weights = np.array([example.weight for example in examples], dtype=np.float32)
    return Targets(
        tuple(techniques),
        positive,
        known,
        _marked(open_rows, open_columns, known.shape),
        _graded(graded, known.shape),
        weights,
    )


def _marked(rows: Sequence[int], columns: Sequence[int], shape: tuple[int, ...]) -> csr_matrix:
    return csr_matrix((np.ones(len(rows), dtype=bool), (rows, columns)), shape=shape, dtype=bool)


def _graded(cells: Sequence[tuple[int, int, float]], shape: tuple[int, ...]) -> csr_matrix:
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    return csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)
