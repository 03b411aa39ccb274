"""Choose again which sentences show a technique, once a model has learned from the first choice.

A report says a thing in a handful of sentences, and nobody marked which. Words tell first
(`Likeness`). A model that has learned from all reports with the technique, and not from this one,
tells more: the two take turns, as in mi-SVM (Andrews et al., "Support Vector Machines for
Multiple-Instance Learning", NIPS 2002). Most of what is chosen is wrong, so all that is likely is
learned from by its certainty, and only the likeliest counts as a label where models are measured.
Only sentences of a document that shows a technique are ever chosen for it, so a model's error
cannot become a label of a report that analysts judged otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.ledger import text_digest
from training.labels import LabelledDocument, LabelSet
from training.labels.verdicts.sentences import responsibilities
from training.labels.verdicts.types import JudgedDocument

if TYPE_CHECKING:
    from engine.types import Recognition
    from training.labels.verdicts.likeness import Likeness

# So many of the likeliest sentences are learned from.
LIKELY = 8
# How certain the likeliest is; the next is half as certain, then a third. Learned from so, 56 whole
# reports give F1 0.643 on 49 others; 0.628 where two or three sentences count in full, 0.670 with
# the true ones. A half and a quarter are as good, a seventh is worse.
FIRST = 0.5
# A report says a thing in a handful of sentences, however long it is.
MOST_SURE = 4
SURE = 0.5


def choose_again(
    labels: LabelSet,
    judged: Iterable[JudgedDocument],
    recognitions: Mapping[str, Recognition],
    likeness: Likeness,
) -> LabelSet:
    """Return the label set with other sentences for the techniques that its documents show.

    Parameters
    ----------
    labels : LabelSet
        Of judged documents, as `read` gives it.
    judged : iterable of JudgedDocument
        The same documents; a sentence that an analyst was shown keeps its label.
    recognitions : mapping from document id to Recognition
        By a model that has not learned from the document; empty for the first choice.
    likeness : Likeness
        Of the same documents.
    """
    by_key = {one.key: one for one in judged}
    documents = []
    for document in labels.documents:
        known = by_key.get(document.id)
        if known is not None and document.sentences:
            found = recognitions.get(document.id)
            document = _chosen(document, known, found, likeness)
        documents.append(document)
    changed = {one.id: one for document in documents for one in document.sentences}
    examples = tuple(changed.get(example.id, example) for example in labels.examples)
    return replace(labels, examples=examples, documents=tuple(documents))


def _chosen(
    document: LabelledDocument,
    judged: JudgedDocument,
    found: Recognition | None,
    likeness: Likeness,
) -> LabelledDocument:
    column = {t: number for number, t in enumerate(found.techniques if found else ())}
    digests = [text_digest(sentence.text) for sentence in document.sentences]
    shown: defaultdict[int, set[str]] = defaultdict(set)
    certain: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for technique in sorted(document.techniques):
        pointed = judged.judged.pointed.get(technique, frozenset())
        if marked := [place for place, digest in enumerate(digests) if digest in pointed]:
            for place in marked:
                shown[place].add(technique)
            continue  # Who pointed at these has not said that no other shows it.
        evidence = {digest for _, digest in judged.judged.evidence.get(technique, ())}
        proven = {place for place, digest in enumerate(digests) if digest in evidence}
        scores = np.zeros(len(digests), dtype=np.float32)
        if found is not None and technique in column:
            scores = found.sentence_scores[:, [column[technique]]].toarray().ravel()
        sure, likely = _places(scores, likeness.odds(document.id, technique), proven)
        for place in sure:
            shown[place].add(technique)
        for place, certainty in likely.items():
            certain[place][technique] = certainty
    sentences = tuple(
        replace(
            sentence,
            techniques=frozenset(shown[place]),
            unsure=document.techniques - shown[place],
            certainty=tuple(sorted(certain[place].items())),
        )
        for place, sentence in enumerate(document.sentences)
    )
    return replace(document, sentences=sentences)


def _places(
    scores: NDArray[np.float32], odds: NDArray[np.float32], proven: set[int]
) -> tuple[set[int], dict[int, float]]:
    """Return the sentences that count as labels, and how certain each is that is likely at all.

    An analyst who left a technique on a report has not said that the sentence shown for it is the
    best one, but it stands.
    """
    order = np.argsort(-responsibilities(scores, odds), kind="stable").tolist()
    likely = {place: FIRST / (rank + 1) for rank, place in enumerate(order[:LIKELY])}
    likely |= dict.fromkeys(proven, FIRST)
    ranked = np.argsort(-scores, kind="stable")[:MOST_SURE]
    sure = set(ranked[scores[ranked] >= SURE].tolist())
    likely |= dict.fromkeys(sure, FIRST)
    return proven | sure or {order[0]}, likely
