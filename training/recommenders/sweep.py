"""Sweeps over settings: parallel, resumable, every trial kept."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from training.recommenders.evaluate import K, evaluate
from training.recommenders.spaces import space
from training.recommenders.splits import Fold

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

JOURNAL: Final = "sweep.journal"
# Without settings to choose there is nothing to try twice.
FIXED: Final = frozenset({"top_items"})


def _quietly(_done: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class TrialResult:
    """One choice of settings and what it reached on the validation folds."""

    recommender: str
    number: int
    settings: dict[str, Any]
    ndcg: float
    recall: float
    fit_seconds: float


def sweep(
    recommender: str,
    folds: Sequence[Fold],
    directory: Path,
    *,
    trials: int = 40,
    jobs: int = 1,
    seed: int = 0,
    on_trial: Callable[[int], None] = _quietly,
) -> list[TrialResult]:
    """Try settings until there are so many trials; those of an earlier, broken off run count.

    Parameters
    ----------
    recommender : str
    folds : sequence of Fold
        The validation folds. NDCG@20 over their reports is what is maximised.
    directory : Path
        Where the journal lies; the same directory resumes.
    trials : int
        In all, for this recommender. The first one has the default settings.
    jobs : int
        Processes. With one, the same seed gives the same trials.
    seed : int
    on_trial : callable
        Called with the number of trials that are done.

    Returns
    -------
    list of TrialResult
        All that were completed, best first.
    """
    suggest = space(recommender)
    directory.mkdir(parents=True, exist_ok=True)
    wanted = 1 if recommender in FIXED else trials
    study = _study(recommender, directory, seed)
    if not study.trials:
        study.enqueue_trial(_defaults(recommender, suggest))
    arguments = (recommender, tuple(folds), directory, wanted, seed)
    if jobs <= 1:
        _work(*arguments, on_trial=on_trial)
    else:
        _work_in_parallel(arguments, jobs, study, on_trial)
    return sorted(map(_result(recommender), _completed(study)), key=lambda trial: -trial.ndcg)


def _study(recommender: str, directory: Path, seed: int) -> Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = JournalStorage(JournalFileBackend(str(directory / JOURNAL)))
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    return optuna.create_study(
        study_name=recommender,
        storage=storage,
        sampler=sampler,
        direction="maximize",
        load_if_exists=True,
    )


def _completed(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _work(
    recommender: str,
    folds: tuple[Fold, ...],
    directory: Path,
    wanted: int,
    seed: int,
    on_trial: Callable[[int], None] = _quietly,
) -> None:
    """Add trials until the study has enough, whoever made them."""
    suggest = space(recommender)
    study = _study(recommender, directory, seed)

    def objective(trial: Trial) -> float:
        settings = suggest(trial)
        result = evaluate(recommender, folds, settings)
        trial.set_user_attr("settings", settings)
        trial.set_user_attr("recall", float(result.recall[K].mean()))
        trial.set_user_attr("fit_seconds", result.fit_seconds)
        return float(result.ndcg[K].mean())

    while (done := len(_completed(study))) < wanted:
        on_trial(done)
        study.optimize(objective, n_trials=1)
    on_trial(wanted)


def _work_in_parallel(
    arguments: tuple[str, tuple[Fold, ...], Path, int, int],
    jobs: int,
    study: Study,
    on_trial: Callable[[int], None],
) -> None:
    # Fresh processes: forking one that has used torch's threads may hang.
    context = multiprocessing.get_context("spawn")
    recommender, folds, directory, wanted, seed = arguments
    # As many threads in all as there are cores.
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    workers = [
        context.Process(target=_work, args=(recommender, folds, directory, wanted, seed + job))
        for job in range(jobs)
    ]
    try:
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            for worker in workers:
                worker.join(timeout=0.5 / jobs)
            on_trial(min(len(_completed(study)), wanted))
    finally:
        for worker in workers:
            worker.terminate() if worker.is_alive() else None
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    if failed := [worker.exitcode for worker in workers if worker.exitcode]:
        raise RuntimeError(f"{len(failed)} of {jobs} processes of the sweep failed: {failed}")


def _defaults(recommender: str, suggest: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Name the default settings as the space names its parameters."""
    from engine.recommenders import registry

    defaults = registry.get(recommender).settings_type().model_dump()
    asked: dict[str, Any] = {}

    class Recorder:
        def __getattr__(self, _method: str) -> Callable[..., Any]:
            def record(name: str, *_rest: Any, **_more: Any) -> Any:
                value: Any = defaults
                for step in name.split("."):
                    value = value[step]
                asked[name] = value
                return value

            return record

    suggest(Recorder())
    return asked


def _result(recommender: str) -> Callable[[FrozenTrial], TrialResult]:
    def result(trial: FrozenTrial) -> TrialResult:
        return TrialResult(
            recommender=recommender,
            number=trial.number,
            settings=trial.user_attrs["settings"],
            ndcg=float(trial.value or 0.0),
            recall=trial.user_attrs["recall"],
            fit_seconds=trial.user_attrs["fit_seconds"],
        )

    return result
