"""Sweeps over settings: the same trials wherever they are tried, every one kept, resumable.

Settings are chosen here, a batch at a time, and only tried elsewhere. What a batch proposes follows
from the seed, from its number, and from the batches before; never from how many workers there
are, nor from which of them was done first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from engine.scale import Crew, Setup, Workers

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

JOURNAL: Final = "sweep.journal"
BATCH: Final = 8

Space = Callable[["Trial"], dict[str, Any]]


@dataclass(frozen=True)
class Tried:
    """What settings reached: the value to maximise, and what else is worth keeping."""

    value: float
    figures: dict[str, float]


@dataclass(frozen=True)
class TrialResult:
    """One choice of settings and what it reached."""

    name: str
    number: int
    settings: dict[str, Any]
    value: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Sweep:
    """What to try, and where it is kept.

    Attributes
    ----------
    name : str
        Of the model; several share a directory.
    space : callable
        Suggests settings, given a trial of optuna.
    defaults : dict
        The default settings, by the names that the space gives its parameters; tried first.
    directory : Path
        Where the journal lies; the same directory resumes.
    trials : int
        In all.
    seed : int
    """

    name: str
    space: Space
    defaults: dict[str, Any]
    directory: Path
    trials: int = 40
    seed: int = 0

    def run(
        self,
        setup: Setup,
        workers: Callable[[], Workers] | None = None,
        on_trial: Callable[[int], None] = lambda _done: None,
    ) -> list[TrialResult]:
        """Try settings until there are so many trials; those of an earlier run count.

        Parameters
        ----------
        setup : callable
            Returns the function that tries settings: from a dict to a `Tried`.
        workers : callable, optional
            Takes the workers that try them; without any, one after the other in this process.
        on_trial : callable
            Called with the number of trials that are done.

        Returns
        -------
        list of TrialResult
            Best first; of equal ones the earlier.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        study = self._study()
        if not study.trials:
            study.enqueue_trial(self.defaults)
        on_trial(done := len(_in_state(study, "COMPLETE")))
        if done < self.trials:
            tries = _Tries(setup)
            with _Here(tries) if workers is None else Crew(workers(), tries) as crew:
                while done < self.trials:
                    batch = self._batch(study, min(BATCH, self.trials - done))
                    for number in _try(crew, batch):
                        on_trial(done + number)
                    for trial in batch:  # in their order: the next batch follows from it
                        study.tell(trial.number, trial.user_attrs["value"])
                    done += len(batch)
        return _results(self.name, study)

    def _batch(self, study: Study, size: int) -> list[Trial]:
        """Propose so many trials; what an interrupted run proposed is taken up again."""
        from optuna.samplers import TPESampler
        from optuna.trial import Trial

        begun = _in_state(study, "RUNNING")
        first = begun[0].number if begun else len(study.trials) - len(_in_state(study, "WAITING"))
        batch = []
        for number in range(first, first + size):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it is experimental
                # One each: what a trial proposes does not depend on what this process did before.
                study.sampler = TPESampler(
                    seed=(self.seed * 100_003 + number) % 2**32,
                    multivariate=True,
                    constant_liar=True,
                )
            if number < first + len(begun):
                trial = Trial(study, begun[number - first]._trial_id)
            else:
                trial = study.ask()
            trial.set_user_attr("settings", self.space(trial))
            batch.append(trial)
        return batch

    def _study(self) -> Study:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            storage = JournalStorage(JournalFileBackend(str(self.directory / JOURNAL)))
        return optuna.create_study(
            study_name=self.name, storage=storage, direction="maximize", load_if_exists=True
        )


def defaults_of(space: Space, defaults: dict[str, Any]) -> dict[str, Any]:
    """Name default settings as a space names its parameters: a part's after the part."""
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

    space(Recorder())  # type: ignore[arg-type]
    return asked


class _Here:
    """Tries settings in this process, as a crew does elsewhere: with the same sums."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def __enter__(self) -> Self:
        from threadpoolctl import threadpool_limits

        self._function = self._setup()
        self._limits = threadpool_limits(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._limits.restore_original_limits()

    def each(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Future[Any]]]:
        """Do one after the other."""
        for task in tasks:
            future: Future[Any] = Future()
            future.set_result(self._function(task))
            yield task, future


@dataclass(frozen=True)
class _Task:
    number: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class _Tries:
    """Setup of a worker: tries the settings of a task."""

    setup: Setup

    def __call__(self) -> Callable[[_Task], Tried]:
        trying = self.setup()
        return lambda task: trying(task.settings)


def _try(crew: Crew | _Here, batch: Sequence[Trial]) -> Iterator[int]:
    """Try a batch, keep each result as it comes, and yield how many are there."""
    by_number = {trial.number: trial for trial in batch}
    left = [trial for trial in batch if "value" not in trial.user_attrs]
    done = len(batch) - len(left)
    tasks = [_Task(trial.number, trial.user_attrs["settings"]) for trial in left]
    for task, future in crew.each(tasks):
        tried: Tried = future.result()
        trial = by_number[task.number]
        for name, figure in tried.figures.items():
            trial.set_user_attr(name, figure)
        trial.set_user_attr("value", tried.value)
        done += 1
        yield done


def _in_state(study: Study, state: str) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState[state],))


def _results(name: str, study: Study) -> list[TrialResult]:
    results = []
    for trial in _in_state(study, "COMPLETE"):
        figures = dict(trial.user_attrs)
        settings = figures.pop("settings")
        value = figures.pop("value", trial.value)
        results.append(TrialResult(name, trial.number, settings, value, figures))
    return sorted(results, key=lambda result: (-result.value, result.number))
