"""The sweep of the svc: it finds what ranks better, and never looks at its test fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import TrainingDataError
from engine.knowledge import Knowledge
from training.labels import LabelSet
from training.svc import SvcSettings
from training.svc.data import folds_of
from training.svc.sweep import TEST_FOLD, ranking, sweep_svc
from training.sweeps import Sweep

SMALL = SvcSettings(words=300, characters=300, min_count=6, min_examples=4)


def rotated(labels: LabelSet) -> LabelSet:
    """Give each sentence the techniques of the one before it in its document."""
    documents = []
    for document in labels.documents:
        before = (document.sentences[-1], *document.sentences[:-1])
        sentences = tuple(
            replace(own, techniques=other.techniques)
            for own, other in zip(document.sentences, before, strict=True)
        )
        documents.append(replace(document, sentences=sentences))
    examples = tuple(sentence for document in documents for sentence in document.sentences)
    return LabelSet(examples, tuple(documents))


def test_settings_are_judged_by_documents_held_out_without_the_test_fold(
    small_labels: LabelSet, knowledge: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setups: list[Any] = []
    run = Sweep.run

    def spied(self: Sweep, setup: Any, *rest: Any) -> Any:
        setups.append(setup)
        return run(self, setup, *rest)

    monkeypatch.setattr(Sweep, "run", spied)
    done: list[int] = []
    found = sweep_svc(small_labels, knowledge, SMALL, tmp_path, trials=2, on_trial=done.append)
    assert done == [0, 1, 2]
    assert [trial.value for trial in found.trials] == sorted(
        (trial.value for trial in found.trials), reverse=True
    )
    (first,) = (trial for trial in found.trials if trial.number == 0)
    assert SMALL.model_copy(update=first.settings) == SMALL
    assert found.settings == SMALL.model_copy(update=found.trials[0].settings)
    assert min(found.held_out.values()) > 0.8

    folds = folds_of(small_labels.documents, SMALL.folds, SMALL.seed)
    hidden = {document for document, fold in folds.items() if fold == TEST_FOLD}
    assert hidden
    (setup,) = setups
    assert not hidden & {document.id for document in setup.labels.documents}
    assert not hidden & {example.document for example in setup.labels.examples}
    assert len(setup.labels.documents) == len(small_labels.documents) - len(hidden)

    wrong = replace(setup, labels=rotated(setup.labels))()(first.settings)
    assert first.value > 0.8 > 0.6 > wrong.value


def test_too_few_documents_are_an_error(
    small_labels: LabelSet, knowledge: Knowledge, tmp_path: Path
) -> None:
    few = LabelSet(small_labels.examples, small_labels.documents[:2])
    with pytest.raises(TrainingDataError, match="three folds or more"):
        sweep_svc(few, knowledge, SMALL, tmp_path, trials=1)


def test_ranking_counts_what_is_known_only() -> None:
    margins = np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0]], dtype=np.float32)
    positive = np.array([[True, False], [False, False], [False, False]])
    known = np.array([[True, True], [True, True], [False, True]])
    assert ranking(margins, positive, known) == 1.0
    assert ranking(margins, positive, np.ones_like(known)) == 0.5
