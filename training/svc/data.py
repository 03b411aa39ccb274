"""What the svc recognizer learns from: texts, label space, targets and folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingDataError
from training.labels import (
    Example,
    LabelledDocument,
    LabelSet,
    document_folds,
    near_duplicates,
    targets,
)

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from training.labels import Targets
    from training.svc.settings import SvcSettings

NO_FOLD = -1


class NothingToLearnError(TrainingDataError):
    """No technique has enough examples."""


@dataclass(frozen=True)
class TrainingExamples:
    """Examples to learn sentences from, with what they teach.

    Attributes
    ----------
    examples : tuple of Example
        Distinct; techniques with their parents added.
    targets : Targets
        Rows as the examples, columns the label space.
    fold : ndarray of int64, shape (n_examples,)
        Fold of the example's document; -1 for one that stands alone, which is in every
        training part and in no test part.
    repeats : ndarray of bool, shape (n_examples,)
        Stands alone and repeats a cross-validated document: left out of cross-validation.
    """

    examples: tuple[Example, ...]
    targets: Targets
    fold: NDArray[np.int64]
    repeats: NDArray[np.bool_]

    def training_rows(self, held_out: Collection[int]) -> NDArray[np.int64]:
        """Return the rows to learn from when some folds (or none) are held out."""
        if not held_out:
            return np.arange(len(self.examples))
        return np.flatnonzero(~np.isin(self.fold, list(held_out)) & ~self.repeats)

    def relabelled(self, labels: LabelSet, knowledge: Knowledge) -> TrainingExamples:
        """Return the same examples and label space, with what another label set says of them."""
        own = {(one.source, one.id): one for one in labels.examples}
        examples = tuple(
            example
            if (found := own.get((example.source, example.id))) is None
            else replace(_with_all_parents(found, knowledge), fold=example.fold)
            for example in self.examples
        )
        return replace(self, examples=examples, targets=targets(examples, self.targets.techniques))

    def shown_in_documents(self) -> NDArray[np.bool_]:
        """Tell which techniques a cross-validated document shows, of shape (n_techniques,)."""
        rows = np.flatnonzero(self.fold != NO_FOLD)
        return np.asarray(self.targets.positive[rows].sum(axis=0)).ravel() > 0


def folds_of(documents: Sequence[LabelledDocument], k: int, seed: int) -> dict[str, int]:
    """Return the fold of each document that has sentences and labels of its own."""
    usable = [document for document in documents if document.sentences]
    if len({document.id for document in usable}) < k:
        return {}
    return document_folds(usable, k=k, seed=seed)


def prepare(
    labels: LabelSet,
    folds: dict[str, int],
    knowledge: Knowledge,
    settings: SvcSettings,
    only: Collection[str] | None = None,
) -> TrainingExamples:
    """Choose the label space (of some techniques or all) and the examples.

    Raises
    ------
    NothingToLearnError
        If no technique has enough examples.
    """
    examples = _distinct(
        replace(_with_all_parents(example, knowledge), fold=folds.get(example.document or ""))
        for example in labels.examples
        if example.text.strip() and example.weight > 0
    )
    counts = Counter(technique for example in examples for technique in example.techniques)
    space = sorted(
        technique
        for technique, count in counts.items()
        if count >= settings.min_examples and (only is None or technique in only)
    )
    if not space:
        raise NothingToLearnError(
            f"No technique has {settings.min_examples} examples or more, so nothing can be "
            "learned. Give more labelled text, or lower --min-examples."
        )
    fold = np.array([NO_FOLD if e.fold is None else e.fold for e in examples], dtype=np.int64)
    held = [document for document in labels.documents if document.id in folds]
    alone = [row for row, example in enumerate(examples) if example.fold is None]
    repeats = np.zeros(len(examples), dtype=bool)
    if held and alone:
        repeats[alone] = near_duplicates([examples[row] for row in alone], held)
    return TrainingExamples(tuple(examples), targets(examples, space), fold, repeats)


def _with_all_parents(example: Example, knowledge: Knowledge) -> Example:
    return replace(
        example,
        techniques=knowledge.with_parents(example.techniques),
        unsure=knowledge.with_parents(example.unsure),
        certainty=_with_parents(example, knowledge),
    )


def _with_parents(example: Example, knowledge: Knowledge) -> tuple[tuple[str, float], ...]:
    """Return certainties, a parent's that of the surest of its sub-techniques."""
    if not example.certainty:
        return ()
    found: dict[str, float] = {}
    for technique, value in example.certainties.items():
        for own in knowledge.with_parents([technique]):
            found[own] = max(value, found.get(own, 0.0))
    return tuple(sorted(found.items()))


def _distinct(examples: object) -> list[Example]:
    """Leave out an example whose text, techniques and fold are there already."""
    seen: set[tuple[str, frozenset[str], int | None]] = set()
    kept = []
    for example in examples:  # type: ignore[attr-defined]
        key = (example.text.lower(), example.techniques, example.fold)
        if key not in seen:
            seen.add(key)
            kept.append(example)
    return kept


def whole_documents(
    labels: LabelSet, folds: dict[str, int], knowledge: Knowledge
) -> tuple[LabelledDocument, ...]:
    """Return the documents to learn whole documents from, parents and tactics added."""
    return tuple(
        replace(
            document,
            techniques=knowledge.with_parents(document.techniques),
            tactics=document.tactics
            | {
                tactic
                for technique in document.techniques
                for tactic in knowledge.technique(technique).tactics
            },
            fold=folds.get(document.id),
        )
        for document in labels.documents
        if document.techniques and document.body.strip()
    )
