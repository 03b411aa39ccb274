"""Measure the fusion on documents it was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.fusion.alignment import Aligned, LabelSpace
from engine.fusion.features import EXPLICIT
from engine.fusion.model import Fusion
from training.fusion.fit import fit_fusion
from training.fusion.scored import ScoredDocument, Truth, truths_of
from training.fusion.settings import FusionSettings
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge


@dataclass(frozen=True)
class Held:
    """Probabilities and truth of one held-out document over its completely labelled techniques.

    A sub-technique whose parent is among them counts as its parent.

    Attributes
    ----------
    id : str
    fold : int
    columns : ndarray of int64, shape (n_columns,)
    sentences, sentence_truth : ndarray, shape (n_sentences, n_columns)
    document, document_truth : ndarray, shape (n_columns,)
    named : ndarray of bool, shape (n_columns,)
        The document names the technique, or one of its sub-techniques, by id or name.
    tactics : dict of tactic to (probability, truth)
    """

    id: str
    fold: int
    columns: NDArray[np.int64]
    sentences: NDArray[np.float32]
    sentence_truth: NDArray[np.bool_]
    document: NDArray[np.float32]
    document_truth: NDArray[np.bool_]
    named: NDArray[np.bool_]
    tactics: dict[str, tuple[float, bool]]


@dataclass(frozen=True)
class CrossValidation:
    """All documents, each scored by a fusion fitted on the other folds."""

    documents: tuple[Held, ...]
    space: LabelSpace

    def fold(self, fold: int) -> CrossValidation:
        """Return the documents of one fold."""
        return CrossValidation(tuple(d for d in self.documents if d.fold == fold), self.space)

    def without(self, fold: int) -> CrossValidation:
        """Return the documents of all other folds."""
        return CrossValidation(tuple(d for d in self.documents if d.fold != fold), self.space)

    @property
    def folds(self) -> list[int]:
        """The folds, sorted."""
        return sorted({document.fold for document in self.documents})


def cross_validate(
    documents: Sequence[ScoredDocument],
    recognizers: Sequence[str],
    space: LabelSpace,
    counts: Mapping[str, int],
    knowledge: Knowledge,
    settings: FusionSettings | None = None,
    *,
    steps: Steps = NO_STEPS,
) -> CrossValidation:
    """Fit on all folds but one, score that one, in turn; parameters as of `fit_fusion`."""
    held: list[Held] = []
    folds = sorted({scored.fold for scored in documents})
    with steps.step("Cross-validate the fusion", len(folds)) as advance:
        for fold in folds:
            rest = [scored for scored in documents if scored.fold != fold]
            fusion = fit_fusion(rest, recognizers, space, counts, knowledge, settings)
            chosen = [scored for scored in documents if scored.fold == fold]
            for scored, truth in zip(chosen, truths_of(chosen, space, knowledge), strict=True):
                held.append(_held(scored, truth, fusion, space, knowledge))
            advance(1)
    return CrossValidation(tuple(held), space)


def _held(
    scored: ScoredDocument,
    truth: Truth,
    fusion: Fusion,
    space: LabelSpace,
    knowledge: Knowledge,
) -> Held:
    scores = fusion.score(scored.document, scored.recognitions)
    pairs, probabilities = scores.sentences, scores.probabilities
    dense = np.zeros(truth.sentences.shape, dtype=np.float32)
    dense[pairs.rows, pairs.columns] = probabilities
    for child in np.flatnonzero(space.parent >= 0):
        np.maximum(
            dense[:, space.parent[child]], dense[:, child], out=dense[:, space.parent[child]]
        )
    parent_complete = (space.parent >= 0) & truth.complete[np.maximum(space.parent, 0)]
    # Where nobody knows, a finding is neither right nor wrong.
    dense[truth.unsure] = 0
    columns = np.flatnonzero(truth.complete & ~parent_complete)
    present = {
        tactic
        for column in np.flatnonzero(truth.document)
        for tactic in knowledge.technique(space.techniques[column]).tactics
    } | scored.gold.tactics
    return Held(
        scored.gold.id,
        scored.fold,
        columns,
        dense[:, columns],
        truth.sentences[:, columns],
        scores.documents[columns],
        truth.document[columns],
        _named(scores.aligned, len(space.techniques))[columns],
        {t: (p, t in present) for t, p in scores.tactics.items()},
    )


def _named(aligned: Mapping[str, Aligned], size: int) -> NDArray[np.bool_]:
    """Tell which techniques the explicit recognizer read in the document."""
    if EXPLICIT not in aligned or not aligned[EXPLICIT].sentences.shape[0]:
        return np.zeros(size, dtype=bool)
    named: NDArray[np.bool_] = aligned[EXPLICIT].sentences.max(axis=0).toarray().ravel() > 0
    return named
