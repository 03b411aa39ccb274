"""Fit an adaptation to the verdicts of a site, as strong as documents held out bear out.

Each technique's correction is a logistic regression whose offset is what the release says already,
and whose prior is that it needs no correction: maximum a posteriori adaptation (Chelba and Acero,
"Adaptation of Maximum Entropy Capitalizer", 2006). One strength is chosen for all techniques, out
of fold and by document; where no strength predicts analysts better than the release alone, nothing
is learned. So labels that are wrong at random cost little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from engine.errors import TrainingDataError
from engine.fusion.adaptation import Adaptation
from engine.fusion.features import to_logit
from training.adapt.rows import Pool, Rows
from training.adapt.settings import AdaptSettings
from training.labels import LabelledDocument, group_documents
from training.labels.verdicts.types import JudgedDocument
from training.progress import NO_STEPS, Steps
from training.readings import Reader, Reading

# Below it a document's score is none, and moving it changes no finding.
FOUND = 0.005
STEPS = 30


@dataclass(frozen=True)
class Adapted:
    """What the fit gives.

    Attributes
    ----------
    adaptation : Adaptation or None
        None where no correction predicts the verdicts better than the release alone.
    losses : mapping from strength to float
        Mean log-loss of the judged pairs of document and technique, out of fold; ``"none"`` is
        the release alone.
    strength : float or None
        The one chosen.
    held : ndarray of float32, shape (n_documents, n_techniques of the space)
        Probabilities out of fold, with what was chosen.
    """

    adaptation: Adaptation | None
    losses: Mapping[str, float]
    strength: float | None
    held: NDArray[np.float32]


@dataclass(frozen=True)
class _Truth:
    """What is known of documents, shape (n_documents, n_techniques) of the pool."""

    shown: NDArray[np.bool_]
    weights: NDArray[np.float64]


def fit_adaptation(
    documents: Sequence[JudgedDocument],
    readings: Sequence[Reading],
    reader: Reader,
    settings: AdaptSettings | None = None,
    *,
    steps: Steps = NO_STEPS,
) -> Adapted:
    """Fit on judged documents with labels of their sentences.

    Raises
    ------
    TrainingDataError
        If there are too few documents to hold any out, or the release has no recognizer that
        gives features.
    """
    settings = settings or AdaptSettings()
    if reader.source is None:
        raise TrainingDataError(
            f"Release {reader.engine.release.name} has neither an encoder nor an svc, so nothing "
            "can be learned on top of it. Adapt another release: ttpscribe releases use NAME"
        )
    folds = _folds(documents, settings)
    with steps.step("Score sentences", 1):
        pool = Pool(documents, readings, reader, settings)
    if not pool.techniques:
        raise TrainingDataError("No verdict speaks of a technique that is part of ATT&CK today.")
    truth = _truth(pool)
    held: dict[str, NDArray[np.float32]] = {}
    with steps.step("Try strengths out of fold", len(settings.strengths) + 1) as advance:
        held["none"] = _documents(readings, reader, [(None, np.ones_like(folds) > 0)])
        advance(1)
        for strength in settings.strengths:
            parts = [
                (_corrections(pool, strength, reader, folds != fold), folds == fold)
                for fold in np.unique(folds)
            ]
            held[str(strength)] = _documents(readings, reader, parts)
            advance(1)
    columns = [pool.space.column[technique] for technique in pool.techniques]
    losses = {name: _loss(to_logit(p[:, columns]), truth) for name, p in held.items()}
    best = min(losses, key=lambda name: losses[name])
    if best == "none":
        return Adapted(None, losses, None, held[best])
    with steps.step("Fit corrections", 1):
        found = _corrections(pool, float(best), reader, np.ones(len(documents), dtype=bool))
        odds = to_logit(held[best][:, columns]).astype(np.float64)
        offsets = _offsets(odds, truth, settings.document_shrinkage)
    adaptation = Adaptation(
        found.recognizer,
        found.techniques,
        # As it will be read back from disk.
        found.weights.astype(np.float16).astype(np.float32),
        found.bias,
        offsets.astype(np.float32),
    )
    corrected = held[best].copy()
    corrected[:, columns] = np.where(
        corrected[:, columns] > 0, expit(odds + offsets), corrected[:, columns]
    )
    return Adapted(adaptation, losses, float(best), corrected)


def _folds(documents: Sequence[JudgedDocument], settings: AdaptSettings) -> NDArray[np.int64]:
    """Return the fold of each document; those that repeat each other share one."""
    labelled = [
        LabelledDocument(document.key, document.document.text, document.techniques)
        for document in documents
    ]
    groups = group_documents(labelled)
    number = int(groups.max(initial=-1)) + 1
    if number < settings.folds:
        raise TrainingDataError(
            f"{len(documents)} judged reports ({number} that do not repeat each other) are too few "
            f"to learn from: at least {settings.folds} are needed. Wait for more verdicts."
        )
    order = np.random.default_rng(settings.seed).permutation(number)
    return (order % settings.folds)[groups].astype(np.int64)


def _truth(pool: Pool) -> _Truth:
    column = {technique: number for number, technique in enumerate(pool.techniques)}
    shown = np.zeros((len(pool.documents), len(column)), dtype=bool)
    weights = np.zeros(shown.shape)
    for row, document in enumerate(pool.documents):
        if document.judged.complete and document.whole:
            weights[row] = pool.settings.absent_weight
        for technique, label in document.judged.labels.items():
            if technique in column and document.whole:
                shown[row, column[technique]] = label.shown
                weights[row, column[technique]] = label.weight
    return _Truth(shown, weights)


def _corrections(
    pool: Pool, strength: float, reader: Reader, documents: NDArray[np.bool_]
) -> Adaptation:
    """Fit each technique on some of the documents; offsets of documents are none."""
    size = pool.features.shape[1]
    weights = np.zeros((len(pool.techniques), size), dtype=np.float32)
    bias = np.zeros(len(pool.techniques), dtype=np.float32)
    for number, technique in enumerate(pool.techniques):
        rows = pool.rows(technique, documents)
        weights[number], bias[number] = _fit_one(pool.features, rows, strength)
    nothing = np.zeros(len(pool.techniques), dtype=np.float32)
    return Adaptation(str(reader.source), pool.techniques, weights, bias, nothing)


def _fit_one(
    features: NDArray[np.float32], rows: Rows, strength: float
) -> tuple[NDArray[np.float32], float]:
    size = features.shape[1]
    if not len(rows.places):
        return np.zeros(size, dtype=np.float32), 0.0
    x = features[rows.places].astype(np.float64)
    y = rows.shown.astype(np.float64)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = rows.odds + x @ parameters[:-1] + parameters[-1]
        value = rows.weights @ (np.logaddexp(0, odds) - y * odds)
        slope = rows.weights * (expit(odds) - y)
        gradient = np.append(slope @ x, slope.sum()) + strength * parameters
        return float(value + strength / 2 * parameters @ parameters), gradient

    found = minimize(loss, np.zeros(size + 1), jac=True, method="L-BFGS-B", options={"maxiter": 60})
    return found.x[:-1].astype(np.float32), float(found.x[-1])


def _documents(
    readings: Sequence[Reading],
    reader: Reader,
    parts: Sequence[tuple[Adaptation | None, NDArray[np.bool_]]],
) -> NDArray[np.float32]:
    """Return probabilities of documents, each part by its own adaptation."""
    found = np.zeros((len(readings), len(reader.base.space.techniques)), dtype=np.float32)
    for adaptation, chosen in parts:
        fusion = reader.adapted(adaptation)
        for row in np.flatnonzero(chosen).tolist():
            found[row] = reader.documents(readings[row], fusion)
    return found


def _loss(odds: NDArray[np.float32], truth: _Truth) -> float:
    each = np.logaddexp(0, odds) - truth.shown * odds
    return float((truth.weights * each).sum() / max(truth.weights.sum(), 1e-9))


def _offsets(odds: NDArray[np.float64], truth: _Truth, shrinkage: float) -> NDArray[np.float64]:
    """Return the maximum a posteriori of each technique's own offset, on scores out of fold."""
    weights = truth.weights * (expit(odds) > FOUND)
    offsets = np.zeros(odds.shape[1])
    for _ in range(STEPS):
        p = expit(odds + offsets)
        gradient = (weights * (p - truth.shown)).sum(axis=0) + shrinkage * offsets
        curvature = (weights * p * (1 - p)).sum(axis=0) + shrinkage
        offsets -= np.clip(gradient / curvature, -1, 1)
    return offsets
