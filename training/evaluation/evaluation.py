"""All figures of one system on one label list, with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import bootstrap, metrics
from training.evaluation.bootstrap import Interval
from training.evaluation.calibration import expected_calibration_error
from training.evaluation.curves import curve
from training.evaluation.label_lists import LabelList
from training.evaluation.metrics import Score
from training.evaluation.predictions import Prediction
from training.labels import Example, LabelledDocument


@dataclass(frozen=True)
class DocumentFigures:
    """Figures by document.

    ``mean_f1`` is the mean of each document's own F1, ``pair_f1`` the F1 over all pairs of
    document and technique; ``score`` holds precision and recall of the latter.
    ``average_precision`` and ``calibration_error`` are over findings and suggestions; None
    where there are none to judge.
    """

    count: int
    mean_f1: Interval
    pair_f1: Interval
    score: Score
    average_precision: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class SentenceFigures:
    """Figures by sentence; intervals by resampling the documents they stand in."""

    count: int
    micro_f1: Interval
    macro_f1: Interval
    score: Score


@dataclass(frozen=True)
class Evaluation:
    """Figures of one system on one label list; None where there was nothing to measure."""

    label_list: str
    labels: int
    documents: DocumentFigures | None
    sentences: SentenceFigures | None
    per_label: dict[str, Score]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, precision and recall spelt out."""
        result = asdict(self)
        for key, figures in (("documents", self.documents), ("sentences", self.sentences)):
            if figures is not None:
                result[key]["score"] = _spelt_out(figures.score)
        result["per_label"] = {label: _spelt_out(score) for label, score in self.per_label.items()}
        return result


def evaluate(
    predictions: Sequence[Prediction],
    label_list: LabelList,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Measure predictions on a label list.

    What a system found and nobody looked for in that text (``says`` is None) counts neither for
    nor against it.

    Parameters
    ----------
    predictions : sequence of Prediction
        What was said, with the labels.
    label_list : LabelList
        What to measure on.
    resamples, seed
        Of the bootstrap over documents.
    """
    documents = [prediction for prediction in predictions if prediction.document_level]
    gold = [label_list.express(item.document.techniques) for item in documents]
    found = [_judged(item.document, item.findings, label_list) for item in documents]
    truths, guesses = [], []
    for item in predictions:
        if item.sentences:
            sentences = item.document.sentences
            truths.append([label_list.express(sentence.techniques) for sentence in sentences])
            guesses.append(
                [
                    _judged(sentence, said, label_list)
                    for sentence, said in zip(sentences, item.sentences, strict=True)
                ]
            )
    sets = [*gold, *found, *(part for parts in (*truths, *guesses) for part in parts)]
    labels = label_list.labels or tuple(sorted(frozenset().union(*sets)))
    return Evaluation(
        label_list=label_list.name,
        labels=len(labels),
        documents=_documents(documents, gold, found, labels, label_list, resamples, seed)
        if documents
        else None,
        sentences=_sentences(truths, guesses, labels, resamples, seed) if truths else None,
        per_label={
            label: score
            for label, score in metrics.per_label(gold, found, labels).items()
            if score.support or score.false_positives
        },
    )


def _judged(
    item: Example | LabelledDocument, found: Iterable[str], label_list: LabelList
) -> frozenset[str]:
    return label_list.express(technique for technique in found if item.says(technique) is not None)


def _documents(
    predictions: Sequence[Prediction],
    gold: Sequence[frozenset[str]],
    found: Sequence[frozenset[str]],
    labels: Sequence[str],
    label_list: LabelList,
    resamples: int,
    seed: int,
) -> DocumentFigures:
    number = len(predictions)
    counts = metrics.count_by_row(gold, found, labels)
    f1s = metrics.document_f1s(gold, found, labels)
    scores = np.zeros((number, len(labels)))
    column = {label: position for position, label in enumerate(labels)}
    for row, item in enumerate(predictions):
        for technique, probability in item.probabilities.items():
            for label in _judged(item.document, [technique], label_list):
                if label in column:
                    cell = (row, column[label])
                    scores[cell] = max(scores[cell], probability)
    truth = metrics.indicator(gold, labels)
    said = scores > 0
    return DocumentFigures(
        count=number,
        mean_f1=bootstrap.interval(bootstrap.mean(f1s), number, resamples=resamples, seed=seed),
        pair_f1=bootstrap.interval(
            bootstrap.micro_f1(counts), number, resamples=resamples, seed=seed
        ),
        score=metrics.micro(gold, found, labels),
        average_precision=curve(truth, scores).average_precision if truth.any() else None,
        calibration_error=expected_calibration_error(truth[said], scores[said])
        if said.any()
        else None,
    )


def _sentences(
    truths: Sequence[Sequence[frozenset[str]]],
    guesses: Sequence[Sequence[frozenset[str]]],
    labels: Sequence[str],
    resamples: int,
    seed: int,
) -> SentenceFigures:
    by_document: NDArray[np.int64] = np.stack(
        [
            metrics.count_by_label(truth, guess, labels)
            for truth, guess in zip(truths, guesses, strict=True)
        ]
    )
    number = len(by_document)
    total = by_document.sum(axis=(0, 1))
    return SentenceFigures(
        count=sum(len(truth) for truth in truths),
        micro_f1=bootstrap.interval(
            bootstrap.micro_f1(by_document.sum(axis=1)), number, resamples=resamples, seed=seed
        ),
        macro_f1=bootstrap.interval(
            bootstrap.macro_f1(by_document), number, resamples=resamples, seed=seed
        ),
        score=Score(int(total[0]), int(total[1]), int(total[2])),
    )


def _spelt_out(score: Score) -> dict[str, float]:
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
        "support": score.support,
        "true_positives": score.true_positives,
        "false_positives": score.false_positives,
        "false_negatives": score.false_negatives,
    }
