"""Choose again which sentences show a technique, once a model has learned from the first choice.

The first choice is the champion's, who may not know the technique; then every sentence of the
report stands for it at first. A model that has learned from all reports with it, and not from
this one, knows better: the two take turns, as in mi-SVM (Andrews et al., "Support Vector Machines
for Multiple-Instance Learning", NIPS 2002). What all reports with a technique have in common, and
no other report has, is left in the end. Only
sentences of a document that shows a technique are ever chosen for it, so a model's error cannot
become a label of a report that analysts judged otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.ledger import text_digest
from training.labels import LabelledDocument, LabelSet
from training.labels.verdicts.sentences import MOST_SENTENCES, SURE, responsibilities
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.types import JudgedDocument

if TYPE_CHECKING:
    from engine.types import Recognition

# A model whose best sentence is less sure than this knows no better than the choice before.
BLIND = 0.001
# After a round in which nearly every sentence was wrong a model is sure of far too many. A report
# says a thing in a handful of sentences, however long it is.
MOST_SURE = 4


def every_sentence(labels: LabelSet) -> LabelSet:
    """Let every sentence show a technique of its document that no sentence is known to show.

    To begin with, that is: nearly all of them are wrong.
    """
    documents = []
    for document in labels.documents:
        shown = frozenset().union(*(one.techniques for one in document.sentences))
        nowhere = document.techniques - shown
        sentences = tuple(
            replace(one, techniques=one.techniques | nowhere, unsure=one.unsure - nowhere)
            for one in document.sentences
        )
        documents.append(replace(document, sentences=sentences))
    return _with(labels, documents)


def choose_again(
    labels: LabelSet,
    judged: Iterable[JudgedDocument],
    recognitions: Mapping[str, Recognition],
    settings: VerdictSettings,
) -> LabelSet:
    """Return the label set with other sentences for the techniques that its documents show.

    Parameters
    ----------
    labels : LabelSet
        Of judged documents, as `read` gives it.
    judged : iterable of JudgedDocument
        The same documents; a sentence that an analyst was shown keeps its label.
    recognitions : mapping from document id to Recognition
        By a model that has not learned from the document.
    settings : VerdictSettings
    """
    by_key = {one.key: one for one in judged}
    documents = []
    for document in labels.documents:
        known, found = by_key.get(document.id), recognitions.get(document.id)
        if known is not None and found is not None:
            document = _chosen(document, known, found, settings)
        documents.append(document)
    return _with(labels, documents)


def _with(labels: LabelSet, documents: Sequence[LabelledDocument]) -> LabelSet:
    changed = {one.id: one for document in documents for one in document.sentences}
    examples = tuple(changed.get(example.id, example) for example in labels.examples)
    return replace(labels, examples=examples, documents=tuple(documents))


def _chosen(
    document: LabelledDocument,
    judged: JudgedDocument,
    found: Recognition,
    settings: VerdictSettings,
) -> LabelledDocument:
    column = {technique: number for number, technique in enumerate(found.techniques)}
    digests = [text_digest(sentence.text) for sentence in document.sentences]
    shown: defaultdict[int, set[str]] = defaultdict(set)
    for technique in document.techniques:
        before = {n for n, one in enumerate(document.sentences) if technique in one.techniques}
        label = judged.judged.labels.get(technique)
        evidence = {digest for _, digest in judged.judged.evidence.get(technique, ())}
        proven: set[int] = set()
        if label is not None and label.why != "added":
            proven = {place for place in before if digests[place] in evidence}
        places = before
        if technique in column:
            scores = found.sentence_scores[:, [column[technique]]].toarray().ravel()
            places = _places(scores, before, proven, settings)
        for place in places:
            shown[place].add(technique)
    sentences = tuple(
        replace(
            sentence,
            techniques=frozenset(shown[place]),
            unsure=document.techniques - shown[place],
        )
        for place, sentence in enumerate(document.sentences)
    )
    return replace(document, sentences=sentences)


def _places(
    scores: NDArray[np.float32], before: set[int], proven: set[int], settings: VerdictSettings
) -> set[int]:
    """Return the sentences that are proven, that the model is sure of, or that are likeliest."""
    ranked = np.argsort(-scores, kind="stable")[:MOST_SURE]
    sure = set(ranked[scores[ranked] >= SURE].tolist())
    if proven:
        return proven | sure
    if len(before) == len(scores):
        # Learned with every sentence as a label: what it is sure of says nothing, its order does.
        sure = set()
    if float(scores.max(initial=0)) < BLIND:
        # If every sentence still stands for it, nothing was found out: it is left unlabelled.
        return before if len(before) < len(scores) else set()
    shares = responsibilities(scores)
    best, *more = np.argsort(-shares, kind="stable")[:MOST_SENTENCES].tolist()
    return sure | {best, *(one for one in more if shares[one] >= settings.least_certainty)}
