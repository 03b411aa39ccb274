"""Choose the operating points, and measure them on documents that did not choose them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.releases import OperatingPoint
from training.evaluation import bootstrap, metrics
from training.fusion.crossval import CrossValidation
from training.fusion.settings import FusionSettings

GRID = np.round(np.arange(0.02, 0.99, 0.01), 2)
NAMES = ("precise", "balanced", "sensitive")


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives at each threshold of the grid.

    Attributes
    ----------
    documents : ndarray of int64, shape (n_documents, n_thresholds, 3)
    described : ndarray of int64, shape (n_documents, n_thresholds, 3)
        Likewise, without the techniques that the document names: those are written whatever the
        threshold, and annotators leave out what only an ATT&CK table names, so that they say
        nothing of the precision of what the models find.
    sentences : ndarray of int64, shape (n_documents, n_thresholds, 3)
    """

    documents: NDArray[np.int64]
    described: NDArray[np.int64]
    sentences: NDArray[np.int64]

    @classmethod
    def of(cls, held: CrossValidation) -> Counts:
        """Count for every document and threshold."""
        return cls(
            np.array([_count(d.document, d.document_truth) for d in held.documents]),
            np.array(
                [_count(d.document[~d.named], d.document_truth[~d.named]) for d in held.documents]
            ),
            np.array([_count(d.sentences, d.sentence_truth) for d in held.documents]),
        )


def _count(probability: NDArray[np.float32], truth: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return counts over the grid, shape (n_thresholds, 3)."""
    bins = np.searchsorted(GRID, probability.ravel() + 1e-7, side="right")
    shown = truth.ravel()
    size = len(GRID) + 1
    positive = np.bincount(bins[shown], minlength=size)
    negative = np.bincount(bins[~shown], minlength=size)
    # A probability counts at every threshold up to its own.
    true_positive = positive[::-1].cumsum()[::-1][1:]
    false_positive = negative[::-1].cumsum()[::-1][1:]
    return np.stack([true_positive, false_positive, shown.sum() - true_positive], axis=1)


def thresholds(counts: Counts, settings: FusionSettings) -> dict[str, tuple[int, int]]:
    """Return, by operating point, the places in the grid for documents and for sentences."""
    document, sentence = counts.documents.sum(axis=0), counts.sentences.sum(axis=0)
    each = metrics.f1_of(counts.documents).mean(axis=0)
    balanced = int((each + metrics.f1_of(document)).argmax())
    described = counts.described.sum(axis=0)
    precise = _first(_precision(described) >= settings.precise, len(GRID) - 1)
    sensitive = _last(_recall(described) >= settings.sensitive, 0)
    best = int(metrics.f1_of(sentence).argmax())
    return {
        "precise": (
            max(precise, balanced),
            max(best, _first(_precision(sentence) >= settings.precise_sentences, best)),
        ),
        "balanced": (balanced, best),
        "sensitive": (
            min(sensitive, balanced),
            min(best, _last(_recall(sentence) >= settings.sensitive_sentences, best)),
        ),
    }


def operating_points(held: CrossValidation, settings: FusionSettings) -> dict[str, OperatingPoint]:
    """Return the operating points of a release.

    Thresholds are chosen on all cross-validated documents; the expected precision and recall
    are those of thresholds chosen without the fold they are measured on.
    """
    counts = Counts.of(held)
    chosen = thresholds(counts, settings)
    nested = _nested(held, settings)
    points = {}
    for name in NAMES:
        document, sentence = chosen[name]
        write = float(GRID[document])
        totals = nested[name].described.sum(axis=0)
        points[name] = OperatingPoint(
            write_threshold=write,
            suggest_threshold=round(write * settings.suggest_share, 4),
            sentence_threshold=float(GRID[sentence]),
            expected_precision=round(float(_precision(totals)), 4),
            expected_recall=round(float(_recall(totals)), 4),
        )
    return points


def figures(held: CrossValidation, settings: FusionSettings, seed: int = 0) -> dict[str, object]:
    """Return the cross-validated figures, with intervals over documents.

    ``document_f1`` is the mean over documents of each one's F1, ``document_micro_f1`` that of
    all pairs of document and technique; sentences likewise over pairs (micro) and techniques
    (macro, those with a positive). ``described`` leaves out what the document names, see
    `Counts`; the expected precision and recall of an operating point are those.
    """
    from training.evaluation import expected_calibration_error

    result: dict[str, object] = {"documents": len(held.documents)}
    for name, measured in _nested(held, settings).items():
        documents, sentences = measured.documents, measured.sentences
        size = len(documents)

        def interval(
            statistic: Callable[[NDArray[np.intp]], float], n_documents: int = size
        ) -> list[float]:
            found = bootstrap.interval(statistic, n_documents, seed=seed)
            return [round(value, 4) for value in (found.value, found.low, found.high)]

        totals = documents.sum(axis=0)
        result[name] = {
            "document_f1": interval(bootstrap.mean(metrics.f1_of(documents))),
            "document_micro_f1": interval(bootstrap.micro_f1(documents)),
            "document_precision": round(float(_precision(totals)), 4),
            "document_recall": round(float(_recall(totals)), 4),
            "described_precision": round(float(_precision(measured.described.sum(axis=0))), 4),
            "described_recall": round(float(_recall(measured.described.sum(axis=0))), 4),
            "sentence_micro_f1": interval(bootstrap.micro_f1(sentences)),
            "sentence_macro_f1": round(measured.macro, 4),
        }
    probability = np.concatenate([d.document for d in held.documents])
    truth = np.concatenate([d.document_truth for d in held.documents])
    named = np.concatenate([d.named for d in held.documents])
    result["calibration_error"] = round(
        expected_calibration_error(truth[~named], probability[~named]), 4
    )
    result["calibration_error_with_named"] = round(
        expected_calibration_error(truth, probability), 4
    )
    tactics = [pair for d in held.documents for pair in d.tactics.values()]
    shown = np.array([truth for _, truth in tactics])
    found = np.array([probability >= 0.5 for probability, _ in tactics])
    hits = int((shown & found).sum())
    result["tactic_micro_f1"] = round(2 * hits / max(int(shown.sum() + found.sum()), 1), 4)
    return result


@dataclass(frozen=True)
class _Measured:
    """Counts by document at thresholds chosen on the other folds, and macro F1 of sentences."""

    documents: NDArray[np.int64]
    described: NDArray[np.int64]
    sentences: NDArray[np.int64]
    macro: float


def _nested(held: CrossValidation, settings: FusionSettings) -> dict[str, _Measured]:
    """Measure every operating point with thresholds that its documents did not choose."""
    parts = []
    for fold in held.folds:
        rest, part = held.without(fold), held.fold(fold)
        chosen = thresholds(Counts.of(rest if rest.documents else part), settings)
        parts.append((part, Counts.of(part), chosen))
    measured = {}
    for name in NAMES:
        by_label = np.zeros((len(held.space.techniques), 3), dtype=np.int64)
        for part, _, chosen in parts:
            _count_labels(part, float(GRID[chosen[name][1]]), by_label)
        supported = by_label[:, 0] + by_label[:, 2] > 0
        macro = float(metrics.f1_of(by_label[supported]).mean()) if supported.any() else 0.0
        measured[name] = _Measured(
            np.concatenate([counts.documents[:, at[name][0]] for _, counts, at in parts]),
            np.concatenate([counts.described[:, at[name][0]] for _, counts, at in parts]),
            np.concatenate([counts.sentences[:, at[name][1]] for _, counts, at in parts]),
            macro,
        )
    return measured


def _count_labels(part: CrossValidation, threshold: float, by_label: NDArray[np.int64]) -> None:
    """Add the counts of the sentences of documents to those by technique."""
    for one in part.documents:
        said, shown = one.sentences >= threshold, one.sentence_truth
        cells = (said & shown, said & ~shown, ~said & shown)
        by_label[one.columns] += np.stack([cell.sum(axis=0) for cell in cells], axis=1)


def _precision(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = counts[..., 0] / np.maximum(counts[..., 0] + counts[..., 1], 1)
    return result


def _recall(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = counts[..., 0] / np.maximum(counts[..., 0] + counts[..., 2], 1)
    return result


def _first(true: NDArray[np.bool_], otherwise: int) -> int:
    """Return the first place from which on all are true (or the fallback)."""
    falses = np.flatnonzero(~true)
    place = int(falses[-1]) + 1 if falses.size else 0
    return place if place < len(true) else otherwise


def _last(true: NDArray[np.bool_], otherwise: int) -> int:
    places = np.flatnonzero(true)
    return int(places[-1]) if places.size else otherwise
