"""From labels of documents to labels of sentences.

The sentence that an analyst was shown, or pointed at, carries the verdict. A technique that was
added has mostly no such sentence: some sentence of the document shows it, and which one is not
known. That is
multiple-instance learning (Dietterich et al., "Solving the Multiple Instance Problem with
Axis-Parallel Rectangles", 1997). Each sentence gets its share of one, by the champion's score and,
as the champion may not know the technique, by its words (`Likeness`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.fusion.features import to_logit
from engine.ledger import text_digest
from training.labels import Example, LabelledDocument
from training.labels.verdicts.likeness import Likeness
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.types import JudgedDocument, Label
from training.readings import Reader, Reading

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
    likeness = Likeness([_bag(document) for document in documents], (), reader.fusion.knowledge)
    result = []
    for document, reading in zip(documents, readings, strict=True):
        own: defaultdict[int, list[Label]] = defaultdict(list)
        at = {text_digest(s.text): s.index for s in document.document.sentences}
        scores = None
        for technique, label in document.judged.labels.items():
            shown = document.judged.evidence.get(technique, ())
            places = [at[digest] for _, digest in shown if digest in at]
            if places:
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
                shares = responsibilities(own_scores, likeness.odds(document.key, technique))
                for place in np.argsort(-shares, kind="stable")[:MOST_SENTENCES]:
                    if shares[place] >= settings.least_certainty:
                        weight = label.weight * float(shares[place])
                        own[int(place)].append(replace(label, weight=weight))
        sentences = {place: tuple(labels) for place, labels in sorted(own.items())}
        result.append(replace(document, sentences=sentences))
    return result


def responsibilities(scores: NDArray[np.float32], odds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how likely each sentence is the one that shows a technique, if exactly one does.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_sentences,)
        A model's probabilities.
    odds : ndarray of float32, shape (n_sentences,)
        Log-odds by what the model does not know.
    """
    total = to_logit(scores).astype(np.float64) + odds
    weights: NDArray[np.float64] = np.exp(total - total.max())
    weights /= weights.sum()
    return weights


def _bag(document: JudgedDocument) -> LabelledDocument:
    sentences = tuple(
        Example(sentence.text, frozenset(), str(sentence.index))
        for sentence in document.document.sentences
    )
    return LabelledDocument(document.key, "", document.techniques, sentences)
