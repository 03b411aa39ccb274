"""Describe each candidate (sentence, technique) and (document, technique) by a few numbers.

A candidate is a pair that at least one recognizer gave a score. What surrounds a sentence is
part of the evidence: reports speak of one technique in sentences close together, and of few
techniques often; so the scores of the neighbours and of the rest of the document are features.
The same functions serve training and serving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from engine.fusion.alignment import Aligned

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

EXPLICIT = "explicit"
FLOOR = 1e-3
LOWEST = float(np.log(FLOOR / (1 - FLOOR)))
BLOCK = 2_000
WINDOWS = (1, 3)
TOP = 3
MEAN_FEATURES = (
    *(f"neighbours_{window}" for window in WINDOWS),
    *(f"document_{place}" for place in range(1, TOP + 1)),
    "gap",
    "words",
    "prior",
)


@dataclass(frozen=True)
class Candidates:
    """Pairs with their features.

    Attributes
    ----------
    rows, columns : ndarray of int64, shape (n_candidates,)
        Sentence (or 0 for the document) and technique.
    features : ndarray of float32, shape (n_candidates, n_features)
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    features: NDArray[np.float32]


def to_logit(probability: ArrayLike) -> NDArray[np.float32]:
    """Return the log-odds, kept within those of ``FLOOR`` and ``1 - FLOOR``."""
    clipped = np.clip(probability, FLOOR, 1 - FLOOR)
    return np.asarray(logit(clipped), dtype=np.float32)


def sentence_feature_names(recognizers: Sequence[str]) -> list[str]:
    """Return the names of the features of a candidate sentence, in order."""
    own = [f"{name}_{what}" for name in recognizers for what in ("logit", "covered")]
    return ["explicit", *own, *MEAN_FEATURES]


def document_feature_names(recognizers: Sequence[str]) -> list[str]:
    """Return the names of the features of a technique of a document, in order."""
    whole = [f"{name}_{what}" for name in recognizers for what in ("whole", "has_whole")]
    best = [f"{name}_best" for name in recognizers]
    places = [f"place_{place}" for place in range(1, TOP + 1)]
    return ["explicit", *places, "expected", *best, *whole, "sentences", "prior"]


def sentence_candidates(
    aligned: Mapping[str, Aligned],
    recognizers: Sequence[str],
    words: NDArray[np.int64],
    prior: NDArray[np.float32],
) -> Candidates:
    """Return the candidates among the sentences of a document.

    Parameters
    ----------
    aligned : mapping from recognizer to Aligned
        All that read the document; what any of them scored is a candidate.
    recognizers : sequence of str
        Those whose scores are features, in order; one that is missing found nothing.
    words : ndarray of int64, shape (n_sentences,)
        Number of words of each sentence.
    prior : ndarray of float32, shape (n_techniques,)
        Log-odds of each technique in a sentence.
    """
    found = [one.sentences for one in aligned.values()]
    active = np.unique(np.concatenate([np.zeros(0, np.int32), *(one.indices for one in found)]))
    none = np.zeros(0, dtype=np.int64)
    n_features = len(sentence_feature_names(recognizers))
    if active.size == 0:
        return Candidates(none, none, np.zeros((0, n_features), dtype=np.float32))
    page = _Page(aligned, recognizers, active, words, prior[active])
    # Block by block: a document of 100,000 sentences would fill gigabytes otherwise.
    parts = [page.block(begin, begin + BLOCK) for begin in range(0, len(words), BLOCK)]
    return Candidates(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
        np.concatenate([part.features for part in parts]),
    )


class _Page:
    """The scores of a document over the techniques that have any.

    Parameters
    ----------
    aligned, recognizers, words
        As of `sentence_candidates`.
    active : ndarray of int64, shape (n_active,)
        Columns of the label space.
    prior : ndarray of float32, shape (n_active,)
    """

    def __init__(
        self,
        aligned: Mapping[str, Aligned],
        recognizers: Sequence[str],
        active: NDArray[np.int64],
        words: NDArray[np.int64],
        prior: NDArray[np.float32],
    ) -> None:
        self.active = active
        self.words = words
        self.prior = prior
        self.explicit = aligned[EXPLICIT].sentences[:, active] if EXPLICIT in aligned else None
        self.matrices = [
            aligned[name].sentences[:, active] if name in aligned else None for name in recognizers
        ]
        self.covered = [
            aligned[name].covered[active] if name in aligned else np.zeros(active.size, bool)
            for name in recognizers
        ]
        known = {EXPLICIT, *recognizers}
        self.others = [
            one.sentences[:, active] for name, one in aligned.items() if name not in known
        ]
        self.places = _document_places([m for m in self.matrices if m is not None], active.size)

    def block(self, begin: int, end: int) -> Candidates:
        """Return the candidates of the sentences from ``begin`` to before ``end``."""
        end = min(end, len(self.words))
        low, high = max(0, begin - max(WINDOWS)), min(len(self.words), end + max(WINDOWS))
        inner = slice(begin - low, end - low)
        named = self._dense(self.explicit, begin, end)
        kept = named > 0
        scores = []
        for matrix in self.matrices:
            probability = self._dense(matrix, low, high)
            kept |= probability[inner] > 0
            scores.append(to_logit(probability))
        for matrix in self.others:
            kept |= self._dense(matrix, begin, end) > 0
        mean = np.full((high - low, self.active.size), LOWEST, dtype=np.float32)
        if scores:
            np.mean(scores, axis=0, dtype=np.float32, out=mean)
        row, column = np.nonzero(kept)
        features = [named[row, column]]
        for score, covered in zip(scores, self.covered, strict=True):
            features += [score[inner][row, column], covered[column].astype(np.float32)]
        features += [_window(mean, size)[inner][row, column] for size in WINDOWS]
        features += [place[column] for place in self.places]
        features += [mean[inner][row, column] - mean[inner].max(axis=1)[row]]
        features += [np.log1p(self.words[begin:end][row]), self.prior[column]]
        return Candidates(
            row + begin, self.active[column], np.stack(features, axis=1).astype(np.float32)
        )

    def _dense(self, matrix: csr_matrix | None, begin: int, end: int) -> NDArray[np.float32]:
        if matrix is None:
            return np.zeros((end - begin, self.active.size), dtype=np.float32)
        dense: NDArray[np.float32] = matrix[begin:end].toarray()
        return dense


def _document_places(matrices: Sequence[csr_matrix], size: int) -> list[NDArray[np.float32]]:
    """Return, for each of the first places, the mean log-odds of each technique there."""
    if not matrices:
        return [np.full(size, LOWEST, dtype=np.float32) for _ in range(TOP)]
    places = [np.zeros(size, dtype=np.float32) for _ in range(TOP)]
    for matrix in matrices:
        by_column = matrix.tocsc()
        for number in range(size):
            values = by_column.data[by_column.indptr[number] : by_column.indptr[number + 1]]
            largest = np.sort(values)[::-1][:TOP]
            for place in range(TOP):
                score = float(to_logit(largest[place])) if place < len(largest) else LOWEST
                places[place][number] += score / len(matrices)
    return places


def _window(scores: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the largest score among up to ``size`` neighbours on either side."""
    best = np.full_like(scores, LOWEST)
    for shift in range(1, min(size, len(scores) - 1) + 1):
        np.maximum(best[:-shift], scores[shift:], out=best[:-shift])
        np.maximum(best[shift:], scores[:-shift], out=best[shift:])
    return best


def document_candidates(
    aligned: Mapping[str, Aligned],
    recognizers: Sequence[str],
    sentences: Candidates,
    probabilities: NDArray[np.float32],
    n_sentences: int,
    prior: NDArray[np.float32],
) -> Candidates:
    """Return the techniques of a document that a sentence or the whole speaks for.

    Parameters
    ----------
    aligned, recognizers
        As in `sentence_candidates`.
    sentences : Candidates
        Of that function.
    probabilities : ndarray of float32, shape (n_candidates,)
        What the fusion made of them.
    n_sentences : int
    prior : ndarray of float32, shape (n_techniques,)
        Log-odds of each technique in a document.
    """
    size = len(prior)
    best = np.full((TOP, size), FLOOR, dtype=np.float32)
    expected = np.zeros(size, dtype=np.float32)
    np.add.at(expected, sentences.columns, probabilities)
    order = np.lexsort((-probabilities, sentences.columns))
    columns, ordered = sentences.columns[order], probabilities[order]
    starts = np.flatnonzero(np.r_[True, columns[1:] != columns[:-1]]) if columns.size else columns
    lengths = np.diff(np.r_[starts, columns.size])
    for place in range(TOP):
        has = lengths > place
        best[place, columns[starts[has]]] = ordered[starts[has] + place]
    parts: list[NDArray[np.float32]] = [np.zeros(size, dtype=np.float32)]
    if EXPLICIT in aligned:
        parts[0] = _column_max(aligned[EXPLICIT])
    parts += [to_logit(best[place]) for place in range(TOP)]
    parts.append(np.log(expected + FLOOR))
    for name in recognizers:
        parts.append(
            to_logit(_column_max(aligned[name]))
            if name in aligned
            else np.full(size, LOWEST, dtype=np.float32)
        )
    for name in recognizers:
        whole = aligned[name].documents if name in aligned else np.full(size, np.nan)
        known = ~np.isnan(whole)
        parts += [np.where(known, to_logit(np.nan_to_num(whole)), 0.0), known.astype(np.float32)]
    parts += [np.full(size, np.log(max(n_sentences, 1))), prior]
    chosen = np.flatnonzero((expected > 0) | (parts[0] > 0))
    features = np.stack(parts, axis=1)[chosen].astype(np.float32)
    return Candidates(np.zeros(chosen.size, dtype=np.int64), chosen, features)


def _column_max(aligned: Aligned) -> NDArray[np.float32]:
    matrix = aligned.sentences
    if matrix.shape[0] == 0:
        return np.zeros(matrix.shape[1], dtype=np.float32)
    result: NDArray[np.float32] = matrix.max(axis=0).toarray().ravel()
    return result
