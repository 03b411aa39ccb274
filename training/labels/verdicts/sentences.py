"""From labels of documents to labels of sentences.

The sentence that an analyst was shown carries the verdict. A technique that was added has no
such sentence: some sentence of the document shows it, and which one is not known. That is
multiple-instance learning (Dietterich et al., "Solving the Multiple Instance Problem with
Axis-Parallel Rectangles", 1997). Each sentence gets its share of one: by the champion's score,
and where the champion is blind by likeness to the other reports with the same label, less the
likeness to reports without it (Maron and Lozano-Perez, "A Framework for Multiple-Instance
Learning", NIPS 1998).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.fusion.features import to_logit
from engine.ledger import text_digest
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.types import JudgedDocument, Label
from training.readings import Reader, Reading

# The champion's best sentence is surer than this: its own scores decide.
SURE = 0.5
BAGS = 30
SHARPNESS = 15.0
MOST_SENTENCES = 3


def label_sentences(
    documents: Sequence[JudgedDocument],
    readings: Sequence[Reading],
    reader: Reader,
    settings: VerdictSettings,
) -> list[JudgedDocument]:
    """Return the documents with labels of their sentences.

    Parameters
    ----------
    documents : sequence of JudgedDocument
    readings : sequence of Reading
        Of the same documents, by the champion.
    reader : Reader
        The champion's.
    settings : VerdictSettings
    """
    bags = _Bags(documents, readings, settings)
    result = []
    for number, (document, reading) in enumerate(zip(documents, readings, strict=True)):
        own: defaultdict[int, list[Label]] = defaultdict(list)
        at = {text_digest(s.text): s.index for s in document.document.sentences}
        scores = None
        for technique, label in document.judged.labels.items():
            shown = document.judged.evidence.get(technique, ())
            places = [at[digest] for _, digest in shown if digest in at]
            if label.why != "added" and places:
                for place in places:
                    own[place].append(label)
            elif label.shown:
                if scores is None:
                    scores = reader.sentences(reading)
                column = reader.fusion.space.column.get(technique)
                own_scores = (
                    np.zeros(scores.shape[0], dtype=np.float32)
                    if column is None
                    else scores[:, [column]].toarray().ravel()
                )
                shares = bags.shares(number, technique, own_scores)
                for place in np.argsort(-shares, kind="stable")[:MOST_SENTENCES]:
                    if shares[place] >= settings.least_certainty:
                        weight = label.weight * float(shares[place])
                        own[int(place)].append(replace(label, weight=weight))
        sentences = {place: tuple(labels) for place, labels in sorted(own.items())}
        result.append(replace(document, sentences=sentences))
    return result


def responsibilities(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how likely each sentence is the one that shows a technique, by its scores alone."""
    return _shared(to_logit(scores).astype(np.float64))


def _shared(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    # The responsibility of each, if exactly one shows it; evenly good ones share it.
    weights: NDArray[np.float64] = np.exp(odds - odds.max())
    weights /= weights.sum()
    return weights


class _Bags:
    """Documents as bags of sentences, by the techniques that they show."""

    def __init__(
        self,
        documents: Sequence[JudgedDocument],
        readings: Sequence[Reading],
        settings: VerdictSettings,
    ) -> None:
        self.readings = readings
        self.members: dict[str, list[int]] = defaultdict(list)
        for number, document in enumerate(documents):
            for technique in document.techniques:
                self.members[technique].append(number)
        self.order = np.random.default_rng(settings.seed).permutation(len(documents))
        self._anchors: dict[str, tuple[list[int], list[int]]] = {}

    def shares(
        self, number: int, technique: str, scores: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return how likely each sentence of a document is the one that shows the technique."""
        odds = to_logit(scores).astype(np.float64)
        features = self.readings[number].features
        if float(scores.max(initial=0)) < SURE and features is not None and len(features):
            odds += SHARPNESS * self._likeness(number, technique, features.astype(np.float32))
        return _shared(odds)

    def _likeness(
        self, number: int, technique: str, features: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the likeness to bags with the label, less that to bags without it."""
        with_label, without = self._some(technique)
        inside = [other for other in with_label if other != number]
        if not inside:
            return np.zeros(len(features))
        outside = [other for other in without if other != number]
        result = self._mean_best(features, inside)
        if outside:
            result -= self._mean_best(features, outside)
        result[~features.any(axis=1)] = -1
        return result

    def _some(self, technique: str) -> tuple[list[int], list[int]]:
        if technique not in self._anchors:
            members = set(self.members[technique])
            inside = [int(n) for n in self.order if n in members][:BAGS]
            outside = [int(n) for n in self.order if n not in members][:BAGS]
            self._anchors[technique] = inside, outside
        return self._anchors[technique]

    def _mean_best(
        self, features: NDArray[np.float32], others: Sequence[int]
    ) -> NDArray[np.float64]:
        total = np.zeros(len(features))
        for other in others:
            there = self.readings[other].features
            if there is not None and len(there):
                total += (features @ there.astype(np.float32).T).max(axis=1)
        return total / len(others)
