"""The sweep of the svc: it finds what ranks better, and never looks at its test fold."""

from __future__ import annotations

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

# So much weight on what nobody looked for, and so strict, that nearly anything ranks better.
POOR = SvcSettings(
    words=300, characters=300, min_count=6, min_examples=4, regularisation=0.05, positive_weight=0.5
)


def test_it_finds_better_settings_without_its_test_fold(
    small_labels: LabelSet, knowledge: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setups: list[Any] = []
    run = Sweep.run

    def spied(self: Sweep, setup: Any, *rest: Any) -> Any:
        setups.append(setup)
        return run(self, setup, *rest)

    monkeypatch.setattr(Sweep, "run", spied)
    done: list[int] = []
    found = sweep_svc(small_labels, knowledge, POOR, tmp_path, trials=6, on_trial=done.append)
    assert done == [0, 1, 2, 3, 4, 5, 6]
    assert [trial.value for trial in found.trials] == sorted(
        (trial.value for trial in found.trials), reverse=True
    )
    (first,) = (trial for trial in found.trials if trial.number == 0)
    assert POOR.model_copy(update=first.settings) == POOR
    assert found.trials[0].value > first.value
    assert found.settings == POOR.model_copy(update=found.trials[0].settings)
    assert found.held_out["best"] > found.held_out["default"]

    folds = folds_of(small_labels.documents, POOR.folds, POOR.seed)
    hidden = {document for document, fold in folds.items() if fold == TEST_FOLD}
    assert hidden
    (setup,) = setups
    assert not hidden & {document.id for document in setup.labels.documents}
    assert not hidden & {example.document for example in setup.labels.examples}
    assert len(setup.labels.documents) == len(small_labels.documents) - len(hidden)


def test_too_few_documents_are_an_error(
    small_labels: LabelSet, knowledge: Knowledge, tmp_path: Path
) -> None:
    few = LabelSet(small_labels.examples, small_labels.documents[:2])
    with pytest.raises(TrainingDataError, match="three folds or more"):
        sweep_svc(few, knowledge, POOR, tmp_path, trials=1)


def test_ranking_counts_what_is_known_only() -> None:
    margins = np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0]], dtype=np.float32)
    positive = np.array([[True, False], [False, False], [False, False]])
    known = np.array([[True, True], [True, True], [False, True]])
    assert ranking(margins, positive, known) == 1.0
    assert ranking(margins, positive, np.ones_like(known)) == 0.5
