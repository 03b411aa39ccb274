"""Sweeps over the settings of recommenders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from training.recommenders.evaluate import K, evaluate
from training.recommenders.spaces import space
from training.recommenders.splits import Fold
from training.sweeps import Sweep, TrialResult, Tried, defaults_of

if TYPE_CHECKING:
    from engine.scale import Workers

# Without settings to choose there is nothing to try twice.
FIXED: Final = frozenset({"top_items"})


@dataclass(frozen=True)
class OnFolds:
    """Setup of a worker: tries settings of a recommender on the validation folds."""

    recommender: str
    folds: tuple[Fold, ...]

    def __call__(self) -> Callable[[dict[str, Any]], Tried]:
        """Return what tries settings."""

        def tried(settings: dict[str, Any]) -> Tried:
            result = evaluate(self.recommender, self.folds, settings)
            figures = {
                "recall": float(result.recall[K].mean()),
                "fit_seconds": result.fit_seconds,
            }
            return Tried(float(result.ndcg[K].mean()), figures)

        return tried


def sweep(
    recommender: str,
    folds: Sequence[Fold],
    directory: Path,
    *,
    trials: int = 40,
    workers: Callable[[], Workers] | None = None,
    seed: int = 0,
    on_trial: Callable[[int], None] = lambda _done: None,
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
    workers : callable, optional
        Takes the workers that try them; the same seed gives the same trials with any.
    seed : int
    on_trial : callable
        Called with the number of trials that are done.

    Returns
    -------
    list of TrialResult
        All that were completed, best first; with figures ``recall`` and ``fit_seconds``.
    """
    suggest = space(recommender)
    wanted = 1 if recommender in FIXED else trials
    planned = Sweep(recommender, suggest, default_settings(recommender), directory, wanted, seed)
    return planned.run(OnFolds(recommender, tuple(folds)), workers, on_trial)


def default_settings(recommender: str) -> dict[str, Any]:
    """Name the default settings as the space names its parameters."""
    from engine.recommenders import registry

    defaults = registry.get(recommender).settings_type().model_dump()
    return defaults_of(space(recommender), defaults)
