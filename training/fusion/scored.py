"""A document with its labels and what the recognizers made of it, out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.types import Document, Recognition
from training.labels import LabelledDocument, targets

if TYPE_CHECKING:
    from engine.fusion.alignment import LabelSpace
    from engine.knowledge import Knowledge


@dataclass(frozen=True)
class ScoredDocument:
    """One labelled document, scored by recognizers that were not trained on it.

    Attributes
    ----------
    document : Document
        Its sentences are those of ``gold``, in order.
    recognitions : tuple of Recognition
    gold : LabelledDocument
    fold : int
    """

    document: Document
    recognitions: tuple[Recognition, ...]
    gold: LabelledDocument
    fold: int

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """Number of words of each sentence."""
        return np.array([len(s.text.split()) for s in self.document.sentences], dtype=np.int64)


@dataclass(frozen=True)
class Truth:
    """What is known of a document, in a label space.

    Attributes
    ----------
    sentences, document : ndarray of bool, shape (n_sentences, n_techniques), (n_techniques,)
        Shown; a sub-technique shows its parent.
    unsure : ndarray of bool, shape (n_sentences, n_techniques)
        The document shows it, and it is not known whether this sentence does.
    complete : ndarray of bool, shape (n_techniques,)
        Somebody looked for it in this document. Others teach nothing here: of them only what is
        shown is known, and from positives alone a model learns to say yes.
    """

    sentences: NDArray[np.bool_]
    document: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    complete: NDArray[np.bool_]


def truth_of(scored: ScoredDocument, space: LabelSpace, knowledge: Knowledge) -> Truth:
    """Return the labels of a document as matrices."""
    found = targets(scored.gold.sentences, space.techniques)
    shown, unsure = found.positive.toarray().astype(bool), found.unsure.toarray().astype(bool)
    children = np.flatnonzero(space.parent >= 0)
    for child in children:
        shown[:, space.parent[child]] |= shown[:, child]
        unsure[:, space.parent[child]] |= unsure[:, child]
    whole = np.zeros(len(space.techniques), dtype=bool)
    for technique in knowledge.with_parents(scored.gold.techniques):
        if technique in space.column:
            whole[space.column[technique]] = True
    whole |= shown.any(axis=0)
    looked_for = scored.gold.known
    complete = np.array(
        [looked_for is None or technique in looked_for for technique in space.techniques]
    )
    return Truth(shown, whole, unsure & ~shown, complete)


def truths_of(
    documents: Sequence[ScoredDocument], space: LabelSpace, knowledge: Knowledge
) -> list[Truth]:
    """Return the labels of documents as matrices."""
    return [truth_of(scored, space, knowledge) for scored in documents]
