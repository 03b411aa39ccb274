"""Splits: whole reports held out, as a new report meets the model, and TIE's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from engine.errors import TrainingDataError
from engine.recommenders.base import Matrix, RowKind
from training.recommenders.build import Built

TESTED_KINDS: Final[tuple[RowKind, ...]] = ("report", "flow")


@dataclass(frozen=True, slots=True)
class Case:
    """A report held out: what the model is shown of it, and what it shall find.

    ``observed`` and ``hidden`` are columns of the matrix.
    """

    row: int
    observed: NDArray[np.intp]
    hidden: NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """What to learn from, and the reports to be tried on."""

    train: Matrix
    cases: tuple[Case, ...]


def new_report_folds(
    built: Built,
    *,
    folds: int = 5,
    hidden: float = 0.3,
    least: int = 5,
    seed: int = 0,
    kinds: tuple[RowKind, ...] = TESTED_KINDS,
) -> Iterator[Fold]:
    """Hold out whole reports and hide some techniques of each.

    No part of a report held out stays in training: rows of the same report go with it, and
    entities lose the techniques that rest on reports held out alone. Of the rows of one report
    one is tried.

    Parameters
    ----------
    built : Built
    folds : int
    hidden : float
        Share of the techniques that is hidden, rounded; at least one.
    least : int
        Reports with fewer techniques are held out, and not tried.
    seed : int
    kinds : tuple of RowKind
        What is tried; all other reports are held out with their group as well.

    Raises
    ------
    TrainingDataError
        If there are fewer reports to try than folds.
    """
    generator = np.random.default_rng(seed)
    X = built.matrix.weights
    row_kind = np.array([row.kind for row in built.matrix.rows])
    sizes = np.diff(X.indptr)
    eligible = np.flatnonzero(np.isin(row_kind, kinds) & (sizes >= least))
    tried = np.unique(built.groups[eligible])
    if len(tried) < folds:
        raise TrainingDataError(
            f"There are {len(tried)} reports with at least {least} techniques, too few for "
            f"{folds} folds. Give more data, or fewer folds."
        )
    fold_of = dict(
        zip(tried.tolist(), (generator.permutation(len(tried)) % folds).tolist(), strict=True)
    )
    fold = np.array([fold_of.get(group, -1) for group in built.groups.tolist()])
    for number in range(folds):
        cases, seen = [], set()
        for row in eligible[fold[eligible] == number]:
            group = int(built.groups[row])
            if group in seen:
                continue
            seen.add(group)
            columns = X.indices[X.indptr[row] : X.indptr[row + 1]]
            count = max(1, round(hidden * len(columns)))
            chosen = generator.choice(columns, count, replace=False)
            observed = np.setdiff1d(columns, chosen)
            cases.append(Case(int(row), observed.astype(np.intp), chosen.astype(np.intp)))
        yield Fold(_without(built, fold == number), tuple(cases))


def _without(built: Built, held: NDArray[np.bool_]) -> Matrix:
    """Return the training matrix without the rows held out and what rests on them alone."""
    X = built.matrix.weights.copy()
    X.sort_indices()
    for (row, column), support in built.support.items():
        if all(held[index] for index in support):
            cell = X.indptr[row] + np.searchsorted(
                X.indices[X.indptr[row] : X.indptr[row + 1]], column
            )
            if cell < X.indptr[row + 1] and X.indices[cell] == column:
                X.data[cell] = 0.0
    X.eliminate_zeros()
    kept = Matrix(built.matrix.rows, built.matrix.techniques, X)
    return kept.take(np.flatnonzero(~held & (np.diff(X.indptr) > 0)))


@dataclass(frozen=True)
class InteractionSplit:
    """TIE's split: the same rows everywhere, their cells divided."""

    train: Matrix
    validation: Matrix
    test: Matrix


def interaction_split(
    matrix: Matrix, *, test: float = 0.2, validation: float = 0.1, seed: int = 0
) -> InteractionSplit:
    """Divide the cells of the matrix; every row keeps at least one in training.

    Parameters
    ----------
    matrix : Matrix
    test, validation : float
        Shares of all cells, rounded down.
    seed : int

    Raises
    ------
    TrainingDataError
        If so many cells cannot be taken with one of each row left.
    """
    generator = np.random.default_rng(seed)
    cells = matrix.weights.tocoo()
    by_row: defaultdict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(cells.row):
        by_row[int(row)].append(index)
    fixed = [int(generator.choice(indices)) for indices in by_row.values()]
    free = generator.permutation(np.setdiff1d(np.arange(cells.nnz), fixed))
    n_test, n_validation = int(test * cells.nnz), int(validation * cells.nnz)
    if n_test + n_validation > len(free):
        raise TrainingDataError(
            f"Of {cells.nnz} cells {n_test + n_validation} cannot be held out with one of each "
            f"of the {len(by_row)} rows left in training."
        )
    held = {"test": free[:n_test], "validation": free[n_test : n_test + n_validation]}
    rest = np.setdiff1d(np.arange(cells.nnz), free[: n_test + n_validation])

    def part(chosen: NDArray[np.intp]) -> Matrix:
        where = (cells.row[chosen], cells.col[chosen])
        weights = csr_matrix((cells.data[chosen], where), shape=matrix.shape)
        return Matrix(matrix.rows, matrix.techniques, weights)

    return InteractionSplit(part(rest), part(held["validation"]), part(held["test"]))
