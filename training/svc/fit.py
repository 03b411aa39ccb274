"""Fit many one-vs-rest linear support vector machines at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.svm import LinearSVC

from engine.recognizers.linear import LinearModel

if TYPE_CHECKING:
    from training.svc.settings import SvcSettings

Progress = Callable[[int], None]
# Stops far earlier than scikit-learn's default; mean average precision is the same to 0.001.
TOLERANCE = 0.1
# Decision value of a label that this training part does not show.
NEVER = -2.0
FEWEST = 2


def fit_linear(
    features: csr_matrix,
    positive: csr_matrix,
    weights: Callable[[int], NDArray[np.float32]],
    labels: Sequence[str],
    regularisation: float,
    settings: SvcSettings,
    progress: Progress = lambda _: None,
    skip: NDArray[np.bool_] | None = None,
) -> LinearModel:
    """Fit one support vector machine a label (L2-regularised, squared hinge loss).

    Solved by dual coordinate descent (Hsieh et al., "A Dual Coordinate Descent Method for
    Large-scale Linear SVM", 2008), as liblinear does it.

    Parameters
    ----------
    features : csr_matrix of float32, shape (n_examples, n_features)
    positive : csr_matrix of bool, shape (n_examples, n_labels)
    weights : callable
        Weights of the examples for a label (a column of ``positive``), float32 of shape
        (n_examples,); an example of weight 0 is left out.
    labels : sequence of str
    regularisation : float
    settings : SvcSettings
    progress : callable
        Called with 1 after each label.
    skip : ndarray of bool, shape (n_labels,), optional
        Labels that need no model; their decision value is that of one never shown.

    Returns
    -------
    LinearModel
        Not calibrated: slope 1, offset 0.
    """
    by_label = positive.tocsc()
    skip = np.zeros(len(labels), dtype=bool) if skip is None else skip
    # Processes, not threads: liblinear draws from one generator for the whole process, so that
    # threads would get other numbers, and the release other bytes, each time.
    running = Parallel(n_jobs=-1, return_as="generator")(
        delayed(_fit_one)(
            features,
            by_label.indices[by_label.indptr[label] : by_label.indptr[label + 1]],
            None if skip[label] else weights(label),
            regularisation,
            settings,
        )
        for label in range(len(labels))
    )
    results = []
    for result in running:
        results.append(result)
        progress(1)
    indptr = np.concatenate([[0], np.cumsum([len(kept) for kept, _, _ in results])])
    matrix = csc_matrix(
        (
            np.concatenate([values for _, values, _ in results]),
            np.concatenate([kept for kept, _, _ in results]),
            indptr,
        ),
        shape=(features.shape[1], len(labels)),
    )
    ones = np.ones(len(labels), dtype=np.float32)
    bias = np.array([intercept for _, _, intercept in results], dtype=np.float32)
    return LinearModel(tuple(labels), matrix.tocsr(), bias, ones, np.zeros_like(ones))


def _fit_one(
    features: csr_matrix,
    shown: NDArray[np.int32],
    weight: NDArray[np.float32] | None,
    regularisation: float,
    settings: SvcSettings,
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """Return columns and values of the weights of one label, and its intercept."""
    never = np.zeros(0, np.int32), np.zeros(0, np.float32), NEVER
    if weight is None:
        return never
    target = np.zeros(features.shape[0], dtype=bool)
    target[shown] = True
    used = weight > 0
    if not used.all():
        features, target, weight = features[used], target[used], weight[used]
    if target.sum() < FEWEST or target.all():
        return never
    model = LinearSVC(C=regularisation, tol=TOLERANCE, random_state=settings.seed)
    model.fit(features, target, sample_weight=weight)
    kept = _largest(model.coef_[0], settings)
    return kept, model.coef_[0][kept].astype(np.float32), float(model.intercept_[0])


def _largest(coefficients: NDArray[np.float64], settings: SvcSettings) -> NDArray[np.int32]:
    """Return the sorted columns of the weights worth keeping."""
    size = np.abs(coefficients)
    kept = np.flatnonzero(size > settings.prune * size.max())
    if kept.size > settings.largest_model:
        strongest = np.argpartition(-size[kept], settings.largest_model)[: settings.largest_model]
        kept = kept[strongest]
    return np.sort(kept).astype(np.int32)
