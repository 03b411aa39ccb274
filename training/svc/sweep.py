"""Sweep over the settings of the svc: whole documents held out, one fold never looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from engine.errors import TrainingDataError
from training.labels import LabelSet
from training.svc.data import folds_of, prepare
from training.svc.held_out import held_out_sentences
from training.svc.settings import SvcSettings
from training.svc.train import count_features, fit_sentences
from training.sweeps import Sweep, TrialResult, Tried, defaults_of

if TYPE_CHECKING:
    from optuna import Trial

    from engine.knowledge import Knowledge
    from engine.scale import Workers

TEST_FOLD = 0
# Never fewer: a name that one report alone mentions shall not get into a release.
LEAST_COUNT = SvcSettings().min_count


def space(trial: Trial) -> dict[str, Any]:
    """Suggest what matters most to how sentences are ranked."""
    return {
        "regularisation": trial.suggest_float("regularisation", 0.05, 5.0, log=True),
        "min_count": trial.suggest_int("min_count", LEAST_COUNT, LEAST_COUNT + 5),
        "positive_weight": trial.suggest_float("positive_weight", 0.5, 8.0, log=True),
        "unknown_weight": trial.suggest_float("unknown_weight", 0.0, 1.0),
    }


@dataclass(frozen=True)
class SvcSweep:
    """What a sweep found.

    Attributes
    ----------
    settings : SvcSettings
        The best.
    trials : tuple of TrialResult
        Best first; the value is the mean average precision on the validation folds.
    held_out : dict
        Mean average precision of ``default`` and ``best`` on the fold that no trial saw.
    """

    settings: SvcSettings
    trials: tuple[TrialResult, ...]
    held_out: dict[str, float]


@dataclass(frozen=True)
class OnFolds:
    """Setup of a worker: tries settings by cross-validation of whole documents."""

    labels: LabelSet
    folds: dict[str, int]
    knowledge: Knowledge
    settings: SvcSettings

    def __call__(self) -> Callable[[dict[str, Any]], Tried]:
        """Return what tries settings."""
        data = prepare(self.labels, self.folds, self.knowledge, self.settings)

        def tried(changed: dict[str, Any]) -> Tried:
            settings = self.settings.model_copy(update=changed)
            _, features = count_features(data, settings)
            models = {
                fold: fit_sentences(data, features, settings, fold)
                for fold in sorted(set(self.folds.values()) - {TEST_FOLD})
            }
            held = held_out_sentences(data, features, models)
            return Tried(0.0 if held is None else ranking(*held), {})

        return tried


def sweep_svc(
    labels: LabelSet,
    knowledge: Knowledge,
    settings: SvcSettings,
    directory: Path,
    *,
    trials: int,
    workers: Callable[[], Workers] | None = None,
    on_trial: Callable[[int], None] = lambda _done: None,
) -> SvcSweep:
    """Search the settings that rank the sentences of unseen documents best.

    Parameters
    ----------
    labels : LabelSet
    knowledge : Knowledge
    settings : SvcSettings
        What is not searched, and the first trial.
    directory : Path
        Where the journal lies; the same directory resumes.
    trials : int
    workers : callable, optional
        Takes the workers that try them; the same seed gives the same trials with any.
    on_trial : callable
        Called with the number of trials that are done.

    Raises
    ------
    TrainingDataError
        If there are too few documents to hold any out.
    """
    folds = folds_of(labels.documents, settings.folds, settings.seed)
    if len(set(folds.values())) < 3:
        raise TrainingDataError(
            "A sweep needs documents with sentences in three folds or more: one fold is never "
            "looked at. Give more labelled documents."
        )
    seen = labels.select(
        lambda example: folds.get(example.document or "") != TEST_FOLD,
        lambda document: folds.get(document.id) != TEST_FOLD,
    )
    kept = {document: fold for document, fold in folds.items() if fold != TEST_FOLD}
    on_folds = OnFolds(seen, kept, knowledge, settings)
    planned = Sweep(
        "svc", space, defaults_of(space, settings.model_dump()), directory, trials, settings.seed
    )
    results = planned.run(on_folds, workers, on_trial)
    best = settings.model_copy(update=results[0].settings)
    return SvcSweep(
        best,
        tuple(results),
        {
            name: _on_test_fold(labels, folds, knowledge, chosen)
            for name, chosen in (("default", settings), ("best", best))
        },
    )


def ranking(
    margins: NDArray[np.float32], positive: NDArray[np.bool_], known: NDArray[np.bool_]
) -> float:
    """Return the mean over techniques of average precision, where the truth is known."""
    values = [
        average_precision_score(positive[rows, label], margins[rows, label])
        for label, rows in enumerate(known.T)
        if positive[rows, label].any()
    ]
    return float(np.mean(values)) if values else 0.0


def _on_test_fold(
    labels: LabelSet, folds: dict[str, int], knowledge: Knowledge, settings: SvcSettings
) -> float:
    data = prepare(labels, folds, knowledge, settings)
    _, features = count_features(data, settings)
    model = fit_sentences(data, features, settings, TEST_FOLD)
    held = held_out_sentences(data, features, {TEST_FOLD: model})
    return 0.0 if held is None else ranking(*held)
