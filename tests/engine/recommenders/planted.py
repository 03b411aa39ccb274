"""A matrix with a structure that any learner must find: groups of techniques go together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from engine.recommenders import Matrix, Row

GROUPS, SIZE = 8, 12


def planted(rows: int = 400, seed: int = 0) -> tuple[Matrix, np.ndarray]:
    """Return the matrix and the group of every row.

    A report shows 60% of its group's techniques and a few of two that are everywhere.
    """
    generator = np.random.default_rng(seed)
    n = GROUPS * SIZE
    group = generator.integers(GROUPS, size=rows)
    chance = np.full((rows, n), 0.02)
    for row, number in enumerate(group):
        chance[row, number * SIZE : (number + 1) * SIZE] = 0.6
    chance[:, [0, 1]] = 0.5
    present = generator.random((rows, n)) < chance
    present[np.arange(rows), group * SIZE + 2] = True
    counts = present * generator.integers(1, 4, size=present.shape)
    techniques = tuple(f"T{9000 + column}" for column in range(n))
    return matrix_of(counts, techniques), group


def matrix_of(counts: np.ndarray, techniques: tuple[str, ...]) -> Matrix:
    rows = tuple(
        Row(f"report-{number}", "report", f"Report {number}") for number in range(len(counts))
    )
    return Matrix(rows, techniques, csr_matrix(counts.astype(np.float32)))
