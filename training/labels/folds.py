"""Folds for cross-validation: whole documents, near-duplicates together, labels spread evenly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from engine.errors import TrainingDataError
from training.labels.duplicates import group_documents
from training.labels.types import LabelledDocument


def document_folds(
    documents: Sequence[LabelledDocument], k: int = 5, seed: int = 0
) -> dict[str, int]:
    """Assign every document to one of ``k`` folds.

    Documents that repeat each other share a fold. A document whose source gave it a fold below
    ``k`` keeps it, and its group follows. The other groups are placed one by one, those with
    the rarest techniques first, where their techniques are most wanted (iterative
    stratification: Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10).

    Returns
    -------
    dict of str to int
        Fold from 0 by document id.

    Raises
    ------
    TrainingDataError
        If there are fewer groups of documents than folds.
    """
    if documents and all(document.fold is not None for document in documents):
        return {document.id: document.fold for document in documents if document.fold is not None}
    groups: dict[int, list[LabelledDocument]] = {}
    for document, group in zip(documents, group_documents(documents), strict=True):
        groups.setdefault(int(group), []).append(document)
    if k < 2 or len(groups) < k:
        raise TrainingDataError(
            f"{len(documents)} documents ({len(groups)} that do not repeat each other) cannot "
            f"be split into {k} folds. Give more documents, or ask for fewer folds (at least 2)."
        )
    total = Counter(label for document in documents for label in document.techniques)
    wanted = [{label: count / k for label, count in total.items()} for _ in range(k)]
    room = [len(documents) / k] * k
    folds: dict[str, int] = {}

    def place(members: Sequence[LabelledDocument], fold: int) -> None:
        for document in members:
            folds[document.id] = fold
            room[fold] -= 1
            for label in document.techniques:
                wanted[fold][label] -= 1

    open_groups = []
    for members in groups.values():
        given = [doc.fold for doc in members if doc.fold is not None and doc.fold < k]
        if given:
            place(members, Counter(given).most_common(1)[0][0])
        else:
            open_groups.append(members)
    order = np.random.default_rng(seed).permutation(len(open_groups))
    shuffled = [open_groups[position] for position in order]
    shuffled.sort(key=lambda members: min(_counts(members, total), default=len(documents)))
    for members in shuffled:
        # Rare techniques decide; among equals the fold with most room.
        # In order: sums of the same numbers taken in another order may differ, and decide.
        labels = sorted({label for document in members for label in document.techniques})
        place(
            members,
            max(
                range(k),
                key=lambda fold: (
                    sum(wanted[fold][label] / total[label] for label in labels)
                    + room[fold] / len(documents),
                    -fold,
                ),
            ),
        )
    return folds


def _counts(members: Sequence[LabelledDocument], total: Counter[str]) -> list[int]:
    return [total[label] for document in members for label in document.techniques]
