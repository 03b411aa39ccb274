"""What a sweep tries: for each recommender, the settings and the range of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from engine.errors import UsageError

if TYPE_CHECKING:
    from optuna import Trial

Space = Callable[["Trial"], dict[str, Any]]
DIMENSIONS: Final = (2, 4, 8, 16, 32, 64)


def _top_items(_trial: Trial) -> dict[str, Any]:
    return {}


def _ease(trial: Trial) -> dict[str, Any]:
    return {
        "l2": trial.suggest_float("l2", 1.0, 500.0, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 1.5),
        "row_norm": trial.suggest_float("row_norm", 0.0, 1.0),
        "frequencies": trial.suggest_categorical("frequencies", ["ignore", "log"]),
    }


def _item_knn(trial: Trial) -> dict[str, Any]:
    return {
        "neighbours": trial.suggest_int("neighbours", 20, 600, log=True),
        "shrinkage": trial.suggest_float("shrinkage", 0.0, 50.0),
        "frequencies": trial.suggest_categorical("frequencies", ["ignore", "log"]),
    }


def _rp3beta(trial: Trial) -> dict[str, Any]:
    return {
        "row_norm": trial.suggest_float("row_norm", 0.3, 1.5),
        "beta": trial.suggest_float("beta", 0.1, 0.8),
        "frequencies": trial.suggest_categorical("frequencies", ["ignore", "log"]),
    }


def _user_knn(trial: Trial) -> dict[str, Any]:
    return {
        "neighbours": trial.suggest_int("neighbours", 25, 600, log=True),
        "sharpness": trial.suggest_float("sharpness", 1.0, 8.0),
        "rarity": trial.suggest_float("rarity", 0.0, 2.0),
        "length": trial.suggest_float("length", 0.3, 0.8),
    }


def _least_squares(trial: Trial) -> dict[str, Any]:
    return {
        "factors": trial.suggest_categorical("factors", DIMENSIONS),
        "alpha": trial.suggest_float("alpha", 1.0, 60.0, log=True),
        "l2": trial.suggest_float("l2", 0.1, 100.0, log=True),
        "epochs": trial.suggest_int("epochs", 5, 25),
        "frequencies": trial.suggest_categorical("frequencies", ["ignore", "log"]),
    }


def _factorization(trial: Trial) -> dict[str, Any]:
    return {
        "factors": trial.suggest_categorical("factors", DIMENSIONS),
        "l2": trial.suggest_float("l2", 1e-4, 0.1, log=True),
        "gravity": trial.suggest_float("gravity", 0.5, 50.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "frequencies": trial.suggest_categorical("frequencies", ["ignore", "log"]),
    }


def _pairwise(trial: Trial) -> dict[str, Any]:
    return {
        "factors": trial.suggest_categorical("factors", DIMENSIONS),
        "l2": trial.suggest_float("l2", 1e-3, 0.1, log=True),
        "fold_in_l2": trial.suggest_float("fold_in_l2", 1e-3, 0.3, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.003, 0.1, log=True),
    }


def _bpr(trial: Trial) -> dict[str, Any]:
    return {**_pairwise(trial), "epochs": trial.suggest_int("epochs", 10, 60)}


def _implicit_bpr(trial: Trial) -> dict[str, Any]:
    return {**_pairwise(trial), "epochs": trial.suggest_int("epochs", 50, 600)}


def _hybrid(trial: Trial) -> dict[str, Any]:
    def prefixed(part: str, space: Space) -> dict[str, Any]:
        return space(_Prefixed(trial, part))  # type: ignore[arg-type]

    return {
        "ease": prefixed("ease", _ease),
        "user_knn": prefixed("user_knn", _user_knn),
        "user_knn_weight": trial.suggest_float("user_knn_weight", 0.0, 2.0),
        "popularity_weight": trial.suggest_float("popularity_weight", -1.5, 0.5),
        "tactic_weight": trial.suggest_float("tactic_weight", 0.0, 1.0),
    }


class _Prefixed:
    """A trial whose parameters are named after the part they belong to."""

    def __init__(self, trial: Trial, part: str) -> None:
        self._trial, self._part = trial, part

    def __getattr__(self, method: str) -> Callable[..., Any]:
        suggest = getattr(self._trial, method)
        return lambda name, *rest, **more: suggest(f"{self._part}.{name}", *rest, **more)


SPACES: Final[dict[str, Space]] = {
    "top_items": _top_items,
    "ease": _ease,
    "item_knn": _item_knn,
    "rp3beta": _rp3beta,
    "user_knn": _user_knn,
    "wals": _least_squares,
    "implicit_als": _least_squares,
    "factorization": _factorization,
    "bpr": _bpr,
    "implicit_bpr": _implicit_bpr,
    "hybrid": _hybrid,
}


def space(recommender: str) -> Space:
    """Return the space of a recommender.

    Raises
    ------
    UsageError
        If none is known, as for a recommender of another package.
    """
    if recommender not in SPACES:
        raise UsageError(
            f"A sweep does not know which settings of '{recommender}' to try. Train it without "
            "--sweep, with its defaults."
        )
    return SPACES[recommender]
