"""Compare champion and challenger on the same documents, and decide."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Prediction, bootstrap, document_f1s
from training.evaluation.calibration import expected_calibration_error
from training.gate.settings import GateSettings
from training.gate.types import Decision, Measure, Origin, Said, Trial

# Equal figures differ by so much where sums are taken in another order.
ROUNDING = 1e-9

Statistic = Callable[[NDArray[np.intp]], float]


def decide(
    champion: Said,
    challenger: Said,
    origins: Sequence[Origin],
    verdicts: int,
    settings: GateSettings | None = None,
) -> Trial:
    """Decide whether the challenger becomes the champion.

    Parameters
    ----------
    champion, challenger : Said
        On the same documents, which neither has learned from.
    origins : sequence of Origin
        Where each document comes from.
    verdicts : int
        That the label set holds.
    settings : GateSettings, optional
    """
    settings = settings or GateSettings()
    judged = np.flatnonzero([origin == "verdicts" for origin in origins])
    refusals = []
    if verdicts < settings.least_verdicts:
        refusals.append(
            f"Only {verdicts} verdicts are known; {settings.least_verdicts} are needed before "
            "anything is published."
        )
    if len(judged) < settings.least_documents:
        refusals.append(
            f"Only {len(judged)} reports judged by analysts could be held back; "
            f"{settings.least_documents} are needed to compare on."
        )
    measures: tuple[Measure, ...] = ()
    if len(origins) and len(judged):
        measures = _measures(champion, challenger, judged, settings)
        refusals += [measure.why for measure in measures if not measure.passed]
    reasons = tuple(refusals) or (
        "It is better on the analysts' own labels, and worse on nothing that is protected.",
    )
    decision = Decision(
        publish=not refusals,
        reasons=reasons,
        champion=champion.release,
        challenger=challenger.release,
        measures=measures,
        documents=len(origins),
        judged=len(judged),
        verdicts=verdicts,
    )
    return Trial(champion, challenger, tuple(origins), decision)


def _measures(
    champion: Said, challenger: Said, judged: NDArray[np.intp], settings: GateSettings
) -> tuple[Measure, ...]:
    number = len(champion.predictions)
    both = (champion, challenger)
    f1s = [_f1s(said) for said in both]

    def measure(
        name: str, title: str, statistics: Sequence[Statistic], chosen: NDArray[np.intp],
        *, protects: bool = True, less_is_better: bool = False,
    ) -> Measure:  # fmt: skip
        first, second = (_on(statistic, chosen) for statistic in statistics)
        sign = -1.0 if less_is_better else 1.0
        comparison = bootstrap.compare(
            lambda rows: sign * first(rows),
            lambda rows: sign * second(rows),
            len(chosen),
            resamples=settings.resamples,
            level=settings.level if protects else settings.better_level,
            seed=settings.seed,
        )
        difference, rows = comparison.difference, np.arange(len(chosen))
        if protects:
            worse = difference.high < -ROUNDING
            passed = not worse and difference.value >= -settings.largest_loss
            why = f"{title} is not worse." if passed else f"{title} is worse than the champion's"
        else:
            passed = difference.low > ROUNDING
            why = f"{title} is better." if passed else f"{title} is not better beyond doubt"
        if not passed:
            why += f" ({first(rows):.3f} before, {second(rows):.3f} after, difference "
            why += f"{difference.low:+.3f} to {difference.high:+.3f})."
        return Measure(
            name,
            title,
            first(rows),
            second(rows),
            difference,
            comparison.p_value,
            protects,
            passed,
            why,
            len(chosen),
        )

    means = [bootstrap.mean(values) for values in f1s]
    # Apart, so that a gain on the one does not hide a loss on the other.
    tested = np.setdiff1d(np.arange(number), judged)
    groups = [("", "", judged), ("test_", ", test set", tested)]
    measures = [
        measure(
            "own_f1", "F1 on the reports that analysts judged", means, judged, protects=False
        )
    ]  # fmt: skip
    for prefix, suffix, chosen in groups:
        # Of a document or two there is no interval worth the name.
        if not len(chosen) or (prefix and len(chosen) < settings.least_documents):
            continue
        top = _most_frequent([champion.predictions[row] for row in chosen], settings.top)
        recall = f"Recall of the {len(top)} most frequent techniques"
        precision = [_precision(said) for said in both]
        errors = [_calibration(said) for said in both]
        recalls = [_recall(said, top) for said in _equally_many(both, chosen)]
        measures += [
            measure(f"{prefix}document_f1", f"F1 by document{suffix}", means, chosen),
            measure(f"{prefix}precision", f"Precision of 'precise'{suffix}", precision, chosen),
            measure(
                f"{prefix}calibration", f"Calibration error{suffix}", errors, chosen,
                less_is_better=True,
            ),
            measure(f"{prefix}top_recall", f"{recall}{suffix}", recalls, chosen),
        ]  # fmt: skip
    return tuple(measures)


def _on(statistic: Statistic, chosen: NDArray[np.intp]) -> Statistic:
    return lambda rows: statistic(chosen[rows])


def _judged(prediction: Prediction, techniques: Collection[str]) -> frozenset[str]:
    return frozenset(t for t in techniques if prediction.document.says(t) is not None)


def _f1s(said: Said) -> NDArray[np.float64]:
    gold = [prediction.document.techniques for prediction in said.predictions]
    found = [_judged(prediction, prediction.findings) for prediction in said.predictions]
    labels = sorted(frozenset().union(*gold, *found))
    return document_f1s(gold, found, labels)


def _precision(said: Said) -> Statistic:
    """Return the share of right ones among the findings of ``precise``; 1 without any."""
    right, all_ = [], []
    for prediction, techniques in zip(said.predictions, said.precise, strict=True):
        known = _judged(prediction, techniques)
        right.append(len(known & prediction.document.techniques))
        all_.append(len(known))
    return _ratio(np.array(right), np.array(all_), empty=1.0)


def _equally_many(both: Sequence[Said], chosen: NDArray[np.intp]) -> list[Said]:
    """Cut what the more talkative release found to its surest, as many as the other found.

    A release that takes everything for everything has the best recall, and none that is right
    more often could ever follow it.
    """
    ranked = [
        sorted(
            (-prediction.probabilities.get(technique, 0.0), int(row), technique)
            for row, prediction in ((row, said.predictions[row]) for row in chosen)
            for technique in _judged(prediction, prediction.findings)
        )
        for said in both
    ]
    number = min(len(found) for found in ranked)
    result = []
    for said, found in zip(both, ranked, strict=True):
        kept: defaultdict[int, set[str]] = defaultdict(set)
        for _, row, technique in found[:number]:
            kept[row].add(technique)
        predictions = tuple(
            replace(prediction, findings=frozenset(kept[row]))
            for row, prediction in enumerate(said.predictions)
        )
        result.append(replace(said, predictions=predictions))
    return result


def _recall(said: Said, top: frozenset[str]) -> Statistic:
    right, all_ = [], []
    for prediction in said.predictions:
        wanted = prediction.document.techniques & top
        right.append(len(wanted & prediction.findings))
        all_.append(len(wanted))
    return _ratio(np.array(right), np.array(all_), empty=1.0)


def _ratio(right: NDArray[np.int64], all_: NDArray[np.int64], *, empty: float) -> Statistic:
    def statistic(rows: NDArray[np.intp]) -> float:
        total = int(all_[rows].sum())
        return int(right[rows].sum()) / total if total else empty

    return statistic


def _calibration(said: Said) -> Statistic:
    """Return the calibration error over what an analyst gets to see."""
    probabilities, truths = [], []
    for prediction in said.predictions:
        known = sorted(_judged(prediction, prediction.probabilities))
        probabilities.append(np.array([prediction.probabilities[t] for t in known]))
        truths.append(np.array([t in prediction.document.techniques for t in known], dtype=bool))

    def statistic(rows: NDArray[np.intp]) -> float:
        values = np.concatenate([probabilities[row] for row in rows])
        truth = np.concatenate([truths[row] for row in rows])
        return expected_calibration_error(truth, np.clip(values, 0, 1)) if len(values) else 0.0

    return statistic


def _most_frequent(predictions: Sequence[Prediction], number: int) -> frozenset[str]:
    counts = Counter(t for prediction in predictions for t in prediction.document.techniques)
    ranked = sorted(counts, key=lambda technique: (-counts[technique], technique))
    return frozenset(ranked[:number])
