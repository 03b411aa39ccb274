"""Recommenders tried on reports that they have not seen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.recommenders import Recommender, registry
from training.recommenders import metrics
from training.recommenders.splits import Case, Fold

K: Final = 20
K_CURVE: Final = (1, 3, 5, 10, 15, 20, 30, 50)


@dataclass(frozen=True)
class Result:
    """One recommender with one choice of settings, over all folds.

    Attributes
    ----------
    recommender : str
    settings : mapping
        As given; what is not in it is at its default.
    recall, ndcg, precision : mapping from k to ndarray, shape (n_cases,)
        One value a report tried, folds one after the other.
    coverage, novelty : float
        At k = 20, mean over the folds.
    fit_seconds, recommend_milliseconds : float
        Mean over the folds; time to recommend for one report, explanations included.
    """

    recommender: str
    settings: Mapping[str, Any]
    recall: Mapping[int, NDArray[np.float64]]
    ndcg: Mapping[int, NDArray[np.float64]]
    precision: Mapping[int, NDArray[np.float64]]
    coverage: float
    novelty: float
    fit_seconds: float
    recommend_milliseconds: float

    def summary(self, k: int = K) -> dict[str, Any]:
        """Return the figures at k as plain values, with 95% intervals."""
        values: dict[str, Any] = {"recommender": self.recommender, "reports": len(self.ndcg[k])}
        for name in ("recall", "ndcg", "precision"):
            sample = getattr(self, name)[k]
            low, high = metrics.interval(sample)
            values |= {
                f"{name}@{k}": float(sample.mean()),
                f"{name}@{k}_low": low,
                f"{name}@{k}_high": high,
            }
        return values | {
            f"coverage@{K}": self.coverage,
            f"novelty@{K}": self.novelty,
            "fit_seconds": self.fit_seconds,
            "recommend_milliseconds": self.recommend_milliseconds,
            "settings": dict(self.settings),
        }


def evaluate(
    recommender: str, folds: Iterable[Fold], settings: Mapping[str, Any] | None = None
) -> Result:
    """Fit on each fold's training part and rank for its cases.

    Observed techniques and their parents are left out of the rankings, as the engine does.

    Parameters
    ----------
    recommender : str
        Its name in the registry.
    folds : iterable of Fold
    settings : mapping, optional
        What shall differ from the defaults.

    Raises
    ------
    UsageError
        If there is no such recommender or setting.
    """
    rankings, hidden, fits, answers, coverage, novelty = [], [], [], [], [], []
    for fold in folds:
        started = time.perf_counter()
        model = registry.create(recommender, settings).fit(fold.train)
        fits.append(time.perf_counter() - started)
        shown = observed_matrix(fold.cases, len(model.techniques_))
        excluded = observed_or_parent(shown, model.techniques_)
        ranked = metrics.rank(model.score(shown), excluded, max(K_CURVE))
        rankings.append(ranked)
        hidden += [case.hidden for case in fold.cases]
        coverage.append(metrics.coverage_at_k(ranked, len(model.techniques_), K))
        popularity = np.asarray((fold.train.weights > 0).mean(axis=0)).ravel()
        novelty.append(metrics.novelty_at_k(ranked, popularity.astype(np.float32), K))
        answers.append(_seconds_each(model, fold.cases[:20]))
    everything = np.concatenate(rankings)
    return Result(
        recommender=recommender,
        settings=dict(settings or {}),
        recall={k: metrics.recall_at_k(everything, hidden, k) for k in K_CURVE},
        ndcg={k: metrics.ndcg_at_k(everything, hidden, k) for k in K_CURVE},
        precision={k: metrics.precision_at_k(everything, hidden, k) for k in K_CURVE},
        coverage=float(np.mean(coverage)),
        novelty=float(np.mean(novelty)),
        fit_seconds=float(np.mean(fits)),
        recommend_milliseconds=1000 * float(np.mean(answers)),
    )


def observed_matrix(cases: Iterable[Case], n_techniques: int) -> NDArray[np.float32]:
    """Return ones where a case's technique is observed, shape (n_cases, n_techniques)."""
    columns = [case.observed for case in cases]
    shown = np.zeros((len(columns), n_techniques), dtype=np.float32)
    for row, observed in zip(shown, columns, strict=True):
        row[observed] = 1.0
    return shown


def observed_or_parent(
    shown: NDArray[np.float32], techniques: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Tell what is observed, or the parent of what is observed; shape of ``shown``."""
    excluded = shown > 0
    column = {technique: index for index, technique in enumerate(techniques)}
    for index, technique in enumerate(techniques):
        parent = column.get(technique.partition(".")[0], index)
        excluded[:, parent] |= shown[:, index] > 0
    return excluded


def _seconds_each(model: Recommender, cases: tuple[Case, ...]) -> float:
    started = time.perf_counter()
    for case in cases:
        model.recommend({model.techniques_[column]: 1.0 for column in case.observed}, K)
    return (time.perf_counter() - started) / max(len(cases), 1)
