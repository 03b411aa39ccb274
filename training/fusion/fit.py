"""Fit the stacked logistic regressions of the fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from engine.errors import TrainingDataError
from engine.fusion.alignment import LabelSpace
from engine.fusion.features import (
    document_candidates,
    document_feature_names,
    sentence_candidates,
    sentence_feature_names,
)
from engine.fusion.logistic import Logistic, Priors
from engine.fusion.model import TACTIC_FEATURES, Fusion
from training.fusion.priors import document_prior, sentence_prior
from training.fusion.scored import ScoredDocument, Truth, truths_of
from training.fusion.settings import FusionSettings
from training.svc.calibrate import shrunk_offsets

if TYPE_CHECKING:
    from engine.knowledge import Knowledge


def fit_fusion(
    documents: Sequence[ScoredDocument],
    recognizers: Sequence[str],
    space: LabelSpace,
    counts: Mapping[str, int],
    knowledge: Knowledge,
    settings: FusionSettings | None = None,
) -> Fusion:
    """Fit on scored documents.

    Parameters
    ----------
    documents : sequence of ScoredDocument
    recognizers : sequence of str
        Those to join, ``explicit`` apart.
    space : LabelSpace
    counts : mapping from technique to int
        Number of labels in all training data.
    knowledge : Knowledge
    settings : FusionSettings, optional

    Raises
    ------
    TrainingDataError
        If the documents show no technique that a recognizer could find.
    """
    settings = settings or FusionSettings()
    truths = truths_of(documents, space, knowledge)
    prior = document_prior(truths, counts, space, settings)
    nothing = np.zeros_like(prior)
    priors = Priors(sentence_prior(truths, prior), prior, nothing, nothing)
    blank = Logistic((), np.zeros(0), 0.0)
    fusion = Fusion(recognizers, space, blank, blank, blank, priors, knowledge)
    aligned = [fusion.align(scored.recognitions) for scored in documents]

    sentences = [
        sentence_candidates(found, fusion.recognizers, scored.words, priors.sentence)
        for found, scored in zip(aligned, documents, strict=True)
    ]
    shown = [
        truth.sentences[pairs.rows, pairs.columns]
        for pairs, truth in zip(sentences, truths, strict=True)
    ]
    usable = [
        truth.complete[pairs.columns] & ~truth.unsure[pairs.rows, pairs.columns]
        for pairs, truth in zip(sentences, truths, strict=True)
    ]
    sentence = _logistic(
        sentence_feature_names(recognizers),
        [pairs.features for pairs in sentences],
        shown,
        usable,
        settings,
    )
    offsets = _offsets(
        [sentence.probabilities(pairs.features) for pairs in sentences],
        [pairs.columns for pairs in sentences],
        shown,
        usable,
        len(space.techniques),
        settings.sentence_shrinkage,
    )
    priors = Priors(priors.sentence, prior, offsets, nothing)
    probabilities = [
        sentence.probabilities(pairs.features, offsets[pairs.columns]) for pairs in sentences
    ]
    wholes = [
        document_candidates(found, fusion.recognizers, pairs, probability, len(scored.words), prior)
        for found, pairs, probability, scored in zip(
            aligned, sentences, probabilities, documents, strict=True
        )
    ]
    shown = [truth.document[pairs.columns] for pairs, truth in zip(wholes, truths, strict=True)]
    usable = [truth.complete[pairs.columns] for pairs, truth in zip(wholes, truths, strict=True)]
    document = _logistic(
        document_feature_names(recognizers),
        [pairs.features for pairs in wholes],
        shown,
        usable,
        settings,
    )
    own = _offsets(
        [document.probabilities(pairs.features) for pairs in wholes],
        [pairs.columns for pairs in wholes],
        shown,
        usable,
        len(space.techniques),
        settings.document_shrinkage,
    )
    priors = Priors(priors.sentence, prior, offsets, own)
    fusion = Fusion(recognizers, space, sentence, document, blank, priors, knowledge)
    return _with_tactics(fusion, documents, truths, settings)


def _logistic(
    names: Sequence[str],
    features: Sequence[NDArray[np.float32]],
    shown: Sequence[NDArray[np.bool_]],
    usable: Sequence[NDArray[np.bool_]],
    settings: FusionSettings,
) -> Logistic:
    """Fit on the usable rows; the coefficients are those of the features as they are."""
    rows = np.concatenate([part[use] for part, use in zip(features, usable, strict=True)]).astype(
        np.float64
    )
    truth = np.concatenate([part[use] for part, use in zip(shown, usable, strict=True)])
    if not truth.any():
        raise TrainingDataError(
            "The labelled documents show none of the techniques that the recognizers found in "
            "them, so nothing can be calibrated. Check that labels and texts belong together."
        )
    if truth.all():
        # Nothing false was even considered: every candidate is as likely as all together.
        return Logistic(tuple(names), np.zeros(len(names)), float(np.log(truth.size + 1)))
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    constant = spread == 0
    spread[constant] = 1.0
    model = LogisticRegression(C=settings.regularisation, max_iter=500)
    model.fit((rows - mean) / spread, truth)
    coefficients = np.where(constant, 0.0, model.coef_[0] / spread)
    intercept = float(model.intercept_[0] - coefficients @ mean)
    return Logistic(tuple(names), coefficients, intercept)


def _offsets(
    probabilities: Sequence[NDArray[np.float32]],
    columns: Sequence[NDArray[np.int64]],
    shown: Sequence[NDArray[np.bool_]],
    usable: Sequence[NDArray[np.bool_]],
    n_techniques: int,
    shrinkage: float,
) -> NDArray[np.float32]:
    """Return each technique's own offset, from the documents whose annotators looked for it."""
    offsets = np.zeros(n_techniques, dtype=np.float32)
    column = np.concatenate(columns)
    known = np.concatenate(usable)
    probability = np.clip(np.concatenate(probabilities), 1e-6, 1 - 1e-6)
    odds = np.log(probability / (1 - probability))
    truth = np.concatenate(shown)
    order = np.argsort(column, kind="stable")
    begins = np.searchsorted(column[order], np.arange(n_techniques + 1))
    for technique in range(n_techniques):
        rows = order[begins[technique] : begins[technique + 1]]
        rows = rows[known[rows]]
        if rows.size:
            one = np.ones((rows.size, 1), dtype=bool)
            offsets[technique] = shrunk_offsets(
                odds[rows, None], truth[rows, None], one, shrinkage
            )[0]
    return offsets


def _with_tactics(
    fusion: Fusion,
    documents: Sequence[ScoredDocument],
    truths: Sequence[Truth],
    settings: FusionSettings,
) -> Fusion:
    """Fit the tactics on the documents' fused techniques."""
    rows, shown = [], []
    for scored, truth in zip(documents, truths, strict=True):
        by_technique = fusion.score_techniques(scored.document, scored.recognitions)
        tactics, features = fusion.tactic_features(by_technique, scored.recognitions)
        present = {
            tactic
            for column in np.flatnonzero(truth.document)
            for tactic in fusion.knowledge.technique(fusion.space.techniques[column]).tactics
        } | scored.gold.tactics
        rows.append(features)
        shown.append(np.array([tactic in present for tactic in tactics]))
    use = [np.ones(len(part), dtype=bool) for part in shown]
    tactic = _logistic(TACTIC_FEATURES, rows, shown, use, settings)
    return Fusion(
        fusion.recognizers,
        fusion.space,
        fusion.sentence,
        fusion.document,
        tactic,
        fusion.priors,
        fusion.knowledge,
    )
