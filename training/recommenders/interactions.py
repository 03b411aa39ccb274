"""Recommenders tried as TIE tries its own: cells held out of rows that stay in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from engine.recommenders import Matrix, registry
from training.recommenders import metrics, tie_metrics
from training.recommenders.evaluate import K
from training.recommenders.splits import interaction_split

# Their scores approximate the values of the matrix; those of the others have no scale.
SCALED: Final = frozenset({"ease", "factorization", "implicit_als", "wals"})


def evaluate_interactions(
    recommender: str, matrix: Matrix, settings: Mapping[str, Any] | None = None, seed: int = 0
) -> dict[str, Any]:
    """Measure on TIE's split, rightly and as TIE's code does.

    Returns
    -------
    dict
        ``recommender``, ``recall@20``, ``ndcg@20``, ``mse`` (None where scores have no scale),
        and ``tie_recall``, ``tie_precision``, ``tie_ndcg``.
    """
    split = interaction_split(matrix, seed=seed)
    model = registry.create(recommender, settings).fit(split.train)
    shown = (split.train.weights > 0).toarray().astype(np.float32)
    test = (split.test.weights > 0).toarray()
    scores = model.score(shown)
    hidden = [np.flatnonzero(row) for row in test]
    ranked = metrics.rank(scores, shown > 0, K)
    cells = split.test.weights.tocoo()
    mse = (
        metrics.mean_squared_error(scores, cells.row, cells.col, np.ones(cells.nnz))
        if recommender in SCALED
        else None
    )
    return {
        "recommender": recommender,
        f"recall@{K}": float(metrics.recall_at_k(ranked, hidden, K).mean()),
        f"ndcg@{K}": float(metrics.ndcg_at_k(ranked, hidden, K).mean()),
        "mse": mse,
        "tie_recall": tie_metrics.tie_recall_at_k(scores, test, K),
        "tie_precision": tie_metrics.tie_precision_at_k(scores, test, K),
        "tie_ndcg": tie_metrics.tie_ndcg_at_k(scores, test, K),
    }
