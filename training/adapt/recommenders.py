"""Fit the recommenders of a release again, with a site's curated reports among the rows.

A release with user-kNN carries the rows that its recommenders were fitted on. It does not carry how
often a technique was named in each, so a recommender that weighs that stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import csr_matrix

from engine.recommenders import registry
from engine.recommenders.base import Matrix, Row, WeightedSettings
from training.labels.verdicts.types import JudgedDocument
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.releases import Release

PREFIX: Final = "verdicts-"
# A report of one technique names nothing further.
LEAST: Final = 2


def refit(
    release: Release,
    documents: Iterable[JudgedDocument],
    directory: Path,
    knowledge: Knowledge,
    *,
    steps: Steps = NO_STEPS,
) -> tuple[str, ...]:
    """Write recommenders fitted again into ``directory/NAME``; return their names.

    None where the release does not carry its rows, or no report has two techniques.
    """
    rows = matrix(release, documents, knowledge)
    if rows is None:
        return ()
    done = []
    chosen = [name for name in release.manifest.recommenders if _can(release, name)]
    with steps.step("Fit recommenders", len(chosen)) as advance:
        for name in chosen:
            folder = release.directory(f"recommenders/{name}")
            old = registry.get(name).load(folder)  # type: ignore[arg-type]
            new = registry.create(name, old.settings.model_dump()).fit(rows)
            new.save(directory / name)
            done.append(name)
            advance(1)
    return tuple(done)


def matrix(
    release: Release, documents: Iterable[JudgedDocument], knowledge: Knowledge
) -> Matrix | None:
    """Return the rows that a release carries, with those of the documents in place of older ones.

    A document's row has a name that tells nothing of the report.
    """
    from engine.recommenders.user_knn import UserKnn

    folder = release.directory("recommenders/user_knn")
    if folder is None:
        return None
    kept = UserKnn.load(folder)
    cells: list[frozenset[str]] = []
    rows: list[Row] = []
    for number, row in enumerate(kept.rows_):
        if not row.id.startswith(PREFIX):
            own = kept.indices_[kept.row_of_ == number]
            found = (knowledge.resolve(kept.techniques_[column]).technique for column in own)
            rows.append(row)
            cells.append(frozenset(technique.id for technique in found if technique))
    before = len(rows)
    for document in documents:
        if document.judged.complete and len(document.techniques) >= LEAST:
            name = hashlib.sha256(document.key.encode()).hexdigest()[:16]
            rows.append(Row(f"{PREFIX}{name}"))
            cells.append(document.techniques)
    if len(rows) == before:
        return None
    techniques = tuple(sorted(frozenset().union(*cells)))
    column = {technique: number for number, technique in enumerate(techniques)}
    indptr = np.cumsum([0, *(len(own) for own in cells)])
    indices = np.array([column[t] for own in cells for t in sorted(own)], dtype=np.int32)
    ones = np.ones(len(indices), dtype=np.float32)
    shape = (len(rows), len(techniques))
    return Matrix(tuple(rows), techniques, csr_matrix((ones, indices, indptr), shape=shape))


def _can(release: Release, name: str) -> bool:
    folder = release.directory(f"recommenders/{name}")
    if folder is None:
        return False
    settings = registry.get(name).load(folder).settings
    return not isinstance(settings, WeightedSettings) or settings.frequencies == "ignore"
