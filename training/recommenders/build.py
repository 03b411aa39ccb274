"""The training matrix: ids resolved, repeated reports merged, rows that belong together found."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from engine.recommenders.base import Matrix, Row, RowKind
from training.recommenders.reading import RawRow, read_rows

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

# Chosen by cross-validation over new reports (docs/models/recommenders.md).
IMPORTANCE: Final[Mapping[RowKind, float]] = {
    "report": 1.0,
    "flow": 1.0,
    "cited report": 0.5,
    "group": 0.3,
    "software": 0.3,
    "campaign": 0.3,
}
ENTITIES: Final = frozenset({"group", "software", "campaign"})

# Two reports that share this much of their techniques, and at least so many, tell of the same
# thing: they are never parted by a split, and merged where they are nearly equal.
SAME_REPORT: Final = 0.8
MERGED: Final = 0.9
LEAST_SHARED: Final = 5
# A page cited by more rows than this is an index or a legal notice, not a report.
MOST_SHARING_A_URL: Final = 8
_NOT_REPORTS: Final = ("attack.mitre.org", "github.com/redcanaryco")
_ARCHIVE = re.compile(r"https?://web\.archive\.org/web/[^/]+/(.+)")


@dataclass(frozen=True)
class Built:
    """A matrix with what splits need to know of its rows.

    Attributes
    ----------
    matrix : Matrix
        Frequencies are kept as weights.
    groups : ndarray of int, shape (n_rows,)
        Rows of the same number tell of the same report and are never parted.
    support : mapping from (row, column) to rows
        For a cell of an entity's row, the rows of the reports that it rests on, where known: with
        all of them held out, the cell must not stay in training.
    unknown : mapping from id to how many rows name it
        Ids that stand for no active technique.
    merged : int
        Rows that were merged into another.
    """

    matrix: Matrix
    groups: NDArray[np.intp]
    support: Mapping[tuple[int, int], tuple[int, ...]]
    unknown: Mapping[str, int]
    merged: int


def build_matrix(paths: Iterable[Path], knowledge: Knowledge) -> Built:
    """Build the training matrix from files.

    Ids are mapped through the knowledge: revoked ones to what they are today, unknown ones are
    counted and left out, rows without a technique left dropped. Reports that repeat another
    (nearly the same techniques, or the same URL and nearly the same techniques) become one row.

    Parameters
    ----------
    paths : iterable of Path
        Files or folders, see ``training.recommenders.reading``.
    knowledge : Knowledge

    Raises
    ------
    TrainingDataError
        If a file cannot be read.
    """
    unknown: Counter[str] = Counter()
    raw: list[RawRow] = []
    cells: list[dict[str, float]] = []
    for _, row in read_rows(paths):
        resolved: defaultdict[str, float] = defaultdict(float)
        for id_, count in row.techniques.items():
            technique = knowledge.resolve(id_).technique
            if technique is None:
                unknown[id_] += 1
            else:
                resolved[technique.id] += count
        if resolved:
            raw.append(row)
            cells.append(dict(resolved))
    techniques = tuple(sorted({id_ for row_cells in cells for id_ in row_cells}))
    weights = _csr(cells, techniques)
    groups = _groups(raw, weights)
    keep = _merge(raw, cells, weights, groups)
    rows = _unique_rows([raw[index] for index in keep])
    matrix = Matrix(rows, techniques, _csr([cells[index] for index in keep], techniques))
    support = _support([raw[index] for index in keep], matrix)
    return Built(matrix, groups[keep], support, dict(unknown), len(raw) - len(keep))


def normalise_url(url: str) -> str:
    """Return a URL as it is compared: no archive, scheme, ``www``, fragment or last slash."""
    url = url.strip().lower()
    if archived := _ARCHIVE.fullmatch(url):
        url = archived.group(1)
    url = re.sub(r"^https?:/+", "", url).removeprefix("www.")
    return re.sub(r"(#|\?utm_).*$", "", url).rstrip("/")


def _csr(cells: list[dict[str, float]], techniques: tuple[str, ...]) -> csr_matrix:
    column = {technique: index for index, technique in enumerate(techniques)}
    indptr = np.cumsum([0, *(len(row) for row in cells)])
    indices = np.array([column[id_] for row in cells for id_ in row], dtype=np.int32)
    data = np.array([count for row in cells for count in row.values()], dtype=np.float32)
    shape = (len(cells), len(techniques))
    return csr_matrix((data, indices, indptr), shape=shape, dtype=np.float32)


def _alike(weights: csr_matrix, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of rows whose techniques overlap at least so much (Jaccard)."""
    present = (weights > 0).astype(np.float32).tocsr()
    size = np.asarray(present.sum(axis=1)).ravel()
    firsts, seconds = [], []
    # In blocks: the product of all rows with all rows would not fit for large matrices.
    for start in range(0, present.shape[0], 4096):
        shared = (present[start : start + 4096] @ present.T).tocoo()
        first, second = shared.row + start, shared.col
        jaccard = shared.data / (size[first] + size[second] - shared.data)
        chosen = (first < second) & (shared.data >= LEAST_SHARED) & (jaccard >= least)
        firsts.append(first[chosen])
        seconds.append(second[chosen])
    return np.concatenate([*firsts, []]).astype(np.intp), np.concatenate([*seconds, []]).astype(
        np.intp
    )


def _groups(raw: list[RawRow], weights: csr_matrix) -> NDArray[np.intp]:
    reports = np.array([row.kind not in ENTITIES for row in raw], dtype=bool)
    first, second = _alike(weights, SAME_REPORT)
    # Two entities may well be alike; an entity like a report rests on that report.
    told = reports[first] | reports[second]
    edges = [*zip(first[told], second[told], strict=True)]
    sharing: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(raw):
        for url in {normalise_url(url) for url in row.urls}:
            if reports[index] and url and not url.startswith(_NOT_REPORTS):
                sharing[url].append(index)
    for members in sharing.values():
        if len(members) <= MOST_SHARING_A_URL:
            edges += [(members[0], other) for other in members[1:]]
    ends = np.array(edges, dtype=np.intp).reshape(-1, 2)
    ones = np.ones(len(ends), dtype=np.int8)
    graph = csr_matrix((ones, (ends[:, 0], ends[:, 1])), shape=(len(raw), len(raw)))
    groups: NDArray[np.intp] = connected_components(graph, directed=False)[1].astype(np.intp)
    return groups


def _merge(
    raw: list[RawRow],
    cells: list[dict[str, float]],
    weights: csr_matrix,
    groups: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Merge near-duplicates into the first of them (in place); return the rows that stay."""
    into = np.arange(len(raw))
    for first, second in zip(*_alike(weights, MERGED), strict=True):
        if groups[first] == groups[second] and raw[first].kind == raw[second].kind:
            into[second] = into[first]
            kept = cells[into[first]]
            for id_, count in cells[second].items():
                kept[id_] = max(count, kept.get(id_, 0.0))
    return np.flatnonzero(into == np.arange(len(raw)))


def _unique_rows(raw: list[RawRow]) -> tuple[Row, ...]:
    seen: Counter[str] = Counter()
    rows = []
    for row in raw:
        seen[row.id] += 1
        id_ = row.id if seen[row.id] == 1 else f"{row.id}#{seen[row.id]}"
        url = next(iter(row.urls), "")
        rows.append(Row(id_, row.kind, row.title, url, IMPORTANCE[row.kind]))
    return tuple(rows)


def _support(raw: list[RawRow], matrix: Matrix) -> dict[tuple[int, int], tuple[int, ...]]:
    entities = {row.entity: index for index, row in enumerate(raw) if row.kind in ENTITIES}
    support: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    X = matrix.weights
    for index, row in enumerate(raw):
        for entity in row.cited_for:
            if entity in entities:
                for column in X.indices[X.indptr[index] : X.indptr[index + 1]]:
                    support[entities[entity], int(column)].append(index)
    return {cell: tuple(rows) for cell, rows in support.items()}
