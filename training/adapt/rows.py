"""What the sentences of judged documents teach of one technique."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from engine.fusion.features import LOWEST, to_logit
from training.adapt.settings import AdaptSettings
from training.labels.verdicts.types import JudgedDocument
from training.readings import Reader, Reading


@dataclass(frozen=True)
class Rows:
    """Sentences to learn one technique from.

    Attributes
    ----------
    places : ndarray of int64, shape (n_rows,)
        Rows of `Pool.features`.
    odds : ndarray of float64, shape (n_rows,)
        The log-odds that the fusion gives without an adaptation.
    shown : ndarray of bool, shape (n_rows,)
    weights : ndarray of float64, shape (n_rows,)
    """

    places: NDArray[np.int64]
    odds: NDArray[np.float64]
    shown: NDArray[np.bool_]
    weights: NDArray[np.float64]


class Pool:
    """All sentences of judged documents.

    Parameters
    ----------
    documents : sequence of JudgedDocument
    readings : sequence of Reading
        Of the same documents, with features.
    reader : Reader
    settings : AdaptSettings

    Attributes
    ----------
    features : ndarray of float32, shape (n_sentences, n_features)
    document_of : ndarray of int64, shape (n_sentences,)
    techniques : tuple of str
        Those that some verdict speaks of, sorted.
    """

    def __init__(
        self,
        documents: Sequence[JudgedDocument],
        readings: Sequence[Reading],
        reader: Reader,
        settings: AdaptSettings,
    ) -> None:
        self.documents = documents
        self.settings = settings
        self.space = reader.base.space
        self.features = np.concatenate(
            [np.asarray(r.features, dtype=np.float32) for r in readings if r.features is not None]
        )
        sizes = np.array([len(r.document.sentences) for r in readings], dtype=np.int64)
        self.begins = np.concatenate([[0], np.cumsum(sizes)])
        self.document_of = np.repeat(np.arange(len(documents)), sizes)
        self.readable: NDArray[np.bool_] = np.asarray(self.features.any(axis=1))
        spoken = {t for document in documents for t in document.judged.labels}
        self.techniques = tuple(sorted(spoken & set(self.space.column)))
        columns = [self.space.column[technique] for technique in self.techniques]
        # Only the columns in question: of a large label set all would not fit.
        parts = [reader.sentences(reading, reader.base)[:, columns] for reading in readings]
        self._scores = _stack(parts, len(columns))
        self._order = np.random.default_rng(settings.seed).permutation(len(self.features))

    def rows(self, technique: str, documents: NDArray[np.bool_]) -> Rows:
        """Return what some of the documents (True in the mask) teach of a technique."""
        found: dict[int, tuple[bool, float]] = {}
        background: list[NDArray[np.int64]] = []
        for number in np.flatnonzero(documents).tolist():
            judged = self.documents[number]
            label = judged.judged.labels.get(technique)
            begin, end = self.begins[number], self.begins[number + 1]
            marked = {
                int(begin + place): (own.shown, own.weight)
                for place, labels in judged.sentences.items()
                for own in labels
                if own.technique == technique
            }
            found |= marked
            if label is not None and not label.shown:
                around = label.weight * self.settings.around_weight
                for place in range(begin, end):
                    found.setdefault(place, (False, around))
            elif label is None and judged.judged.complete:
                background.append(np.arange(begin, end))
        places = np.array(sorted(found), dtype=np.int64)
        shown = np.array([found[place][0] for place in places.tolist()], dtype=bool)
        weights = np.array([found[place][1] for place in places.tolist()], dtype=np.float64)
        more, each = self._background(technique, background)
        places = np.concatenate([places, more])
        keep = self.readable[places]
        return Rows(
            places[keep],
            self._odds(technique, places[keep]),
            np.concatenate([shown, np.zeros(len(more), bool)])[keep],
            np.concatenate([weights, each])[keep],
        )

    def _background(
        self, technique: str, parts: Sequence[NDArray[np.int64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return a sample of what is plainly absent, with weights that stand for all of it."""
        places = np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.int64)
        most = self.settings.most_background
        weight = self.settings.absent_weight
        if len(places) <= most:
            return places, np.full(len(places), weight)
        odds = self._odds(technique, places)
        first = np.argsort(-odds, kind="stable")
        # What the champion nearly takes for it all stays; of the rest some stand for all.
        sure, rest = places[first[: most // 2]], places[first[most // 2 :]]
        rank = np.empty(len(self._order), dtype=np.int64)
        rank[self._order] = np.arange(len(self._order))
        some = rest[np.argsort(rank[rest], kind="stable")[: most - len(sure)]]
        share = len(rest) / len(some)
        weights = np.concatenate([np.full(len(sure), weight), np.full(len(some), weight * share)])
        return np.concatenate([sure, some]), weights

    def _odds(self, technique: str, places: NDArray[np.int64]) -> NDArray[np.float64]:
        column = self.techniques.index(technique)
        begin, end = self._scores.indptr[column], self._scores.indptr[column + 1]
        rows, values = self._scores.indices[begin:end], self._scores.data[begin:end]
        dense = np.zeros(self._scores.shape[0], dtype=np.float32)
        dense[rows] = values
        odds: NDArray[np.float64] = np.where(
            dense[places] > 0, to_logit(dense[places]), LOWEST
        ).astype(np.float64)
        return odds


def _stack(parts: Sequence[object], columns: int) -> csc_matrix:
    from scipy.sparse import csr_matrix, vstack

    return vstack([*parts, csr_matrix((0, columns), dtype=np.float32)], format="csc")
