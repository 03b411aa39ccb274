"""Calibrate the svc's models on what each of them has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from engine.recognizers.linear import LinearModel
from engine.recognizers.tfidf import Tfidf
from training.labels import LabelledDocument
from training.svc.calibrate import platt, shrunk_offsets
from training.svc.data import TrainingExamples
from training.svc.settings import SvcSettings

if TYPE_CHECKING:
    from engine.recognizers.svc import SvcRecognizer


def document_targets(
    wholes: Sequence[LabelledDocument], settings: SvcSettings
) -> tuple[list[str], NDArray[np.bool_]]:
    """Return techniques and tactics that enough documents show, and who shows them."""
    shown = [whole.techniques | whole.tactics for whole in wholes]
    every = sorted({label for labels in shown for label in labels})
    truth = np.array([[label in labels for label in every] for labels in shown], dtype=bool)
    counts = truth.sum(axis=0)
    enough = (counts >= settings.min_documents) & (counts < len(wholes))
    return [label for label, ok in zip(every, enough, strict=True) if ok], truth[:, enough]


def with_calibration(
    model: LinearModel, slope: float, offset: float, own: NDArray[np.float32]
) -> LinearModel:
    """Return the model with one slope, and for each label its own part of the offset."""
    size = len(model.labels)
    return replace(
        model,
        slope=np.full(size, slope, dtype=np.float32),
        offset=(offset + own).astype(np.float32),
    )


def calibrate_sentences(
    data: TrainingExamples,
    features: csr_matrix,
    models: dict[int, SvcRecognizer],
    settings: SvcSettings,
) -> tuple[float, float, NDArray[np.float32]]:
    """Platt scaling of the sentence model on the sentences of held-out documents."""
    sentences = {fold: model.sentences for fold, model in models.items()}
    if (held := held_out_sentences(data, features, sentences)) is None:
        return 3.0, 0.0, np.zeros(len(data.targets.techniques), dtype=np.float32)
    margins, positive, shown = held
    slope, offset = platt(margins, positive, shown)
    own = shrunk_offsets(slope * margins + offset, positive, shown, settings.shrinkage)
    return slope, offset, own


def held_out_sentences(
    data: TrainingExamples, features: csr_matrix, models: Mapping[int, LinearModel]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Score the sentences of each fold by the model that was fitted without it.

    Returns
    -------
    margins, positive, known : ndarray, shape (n_sentences, n_techniques)
        Known is what was looked for, of techniques that some cross-validated document shows: a
        technique that none shows says nothing about how well they are ranked or scaled.
        None where no sentence was held out.
    """
    rows = [row for row, example in enumerate(data.examples) if example.kind == "sentence"]
    by_fold = {
        fold: np.array([row for row in rows if data.fold[row] == fold], dtype=int)
        for fold in models
    }
    if not any(chosen.size for chosen in by_fold.values()):
        return None
    order = np.concatenate(list(by_fold.values()))
    margins = np.vstack(
        [models[fold].margins(features[chosen]) for fold, chosen in by_fold.items()]
    )
    positive = data.targets.positive[order].toarray().astype(bool)
    return margins, positive, data.targets.known[order] & data.shown_in_documents()


def calibrate_documents(
    wholes: Sequence[LabelledDocument],
    tfidf: Tfidf,
    models: dict[int, SvcRecognizer],
    settings: SvcSettings,
) -> tuple[float, float, NDArray[np.float32]]:
    """Platt scaling of the model of documents on held-out ones."""
    if not wholes:
        return 3.0, 0.0, np.zeros(0, dtype=np.float32)
    names, truth = document_targets(wholes, settings)
    held = [(row, whole) for row, whole in enumerate(wholes) if whole.fold is not None]
    if not held or not models or not names:
        return 3.0, 0.0, np.zeros(len(names), dtype=np.float32)
    order, margins = [], []
    for fold, model in models.items():
        chosen = [(row, whole) for row, whole in held if whole.fold == fold]
        order += [row for row, _ in chosen]
        block = tfidf.transform_words([whole.body for _, whole in chosen])
        margins.append(model.documents.margins(block))
    scores, positive = np.vstack(margins), truth[order]
    known = np.array(
        [
            [label.startswith("TA") or wholes[row].says(label) is not None for label in names]
            for row in order
        ]
    )
    known |= positive
    slope, offset = platt(scores, positive, known)
    return (
        slope,
        offset,
        shrunk_offsets(slope * scores + offset, positive, known, settings.shrinkage),
    )
