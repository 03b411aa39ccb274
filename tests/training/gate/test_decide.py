"""The decision of the gate, on predictions made by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from training.evaluation import Prediction
from training.gate import GateSettings, Said, decide
from training.labels import LabelledDocument

SETTINGS = GateSettings(resamples=300)
TECHNIQUES = ("T1059.001", "T1566.001", "T1003.001", "T1486")


def said(name, hit, false=0.0, probability=0.8, number=40, seed=1):
    """A release that finds what is there with probability ``hit``, and invents with ``false``."""
    truth, luck = random.Random(5), random.Random(seed)  # noqa: S311 - test data
    predictions, precise = [], []
    for place in range(number):
        shown = frozenset(truth.sample(TECHNIQUES, 2))
        found = {t for t in shown if luck.random() < hit}
        found |= {t for t in TECHNIQUES if t not in shown and luck.random() < false}
        document = LabelledDocument(f"d{place}", "text", shown)
        values = dict.fromkeys(found, probability)
        predictions.append(Prediction(document, frozenset(found), values))
        precise.append(frozenset(found))
    return Said(name, tuple(predictions), tuple(precise), {"balanced": 0.35})


def judged(number=40):
    return ["verdicts"] * number


def test_what_is_better_beyond_doubt_is_published():
    trial = decide(said("old", 0.4), said("new", 0.9), judged(), 100, SETTINGS)
    assert trial.decision.publish
    by_name = {measure.name: measure for measure in trial.decision.measures}
    assert by_name["own_f1"].difference.low > 0
    assert set(by_name) == {"own_f1", "document_f1", "precision", "calibration", "top_recall"}


def test_what_is_as_good_is_not_published():
    trial = decide(said("old", 0.7), said("new", 0.7, seed=2), judged(), 100, SETTINGS)
    assert not trial.decision.publish
    assert any("not better beyond doubt" in reason for reason in trial.decision.reasons)


@pytest.mark.parametrize(
    ("challenger", "word"),
    [
        (said("new", 0.95, false=0.5), "Precision"),
        (said("new", 0.95, probability=0.35), "Calibration"),
    ],
)
def test_what_is_worse_on_a_protected_measure_is_refused(challenger, word):
    trial = decide(said("old", 0.5, probability=1.0), challenger, judged(), 100, SETTINGS)
    assert not trial.decision.publish
    assert any(word in reason for reason in trial.decision.reasons)


def test_top_techniques_must_not_be_lost_where_analysts_judged_others():
    old, new = said("old", 0.5), said("new", 0.95)
    forgotten = said("new", 0.1, number=40)
    origins = judged(20) + ["test set"] * 20
    mixed = Said("new", new.predictions[:20] + forgotten.predictions[20:],
                 new.precise[:20] + forgotten.precise[20:], new.thresholds)  # fmt: skip
    full = decide(old, new, origins, 100, SETTINGS).decision
    lost = decide(old, mixed, origins, 100, SETTINGS).decision
    assert full.publish
    own = next(measure for measure in lost.measures if measure.name == "own_f1")
    assert own.passed
    assert not lost.publish


def test_a_release_that_says_everything_is_no_measure_of_recall():
    talkative = said("old", 1.0, false=1.0, probability=0.5)
    decision = decide(
        talkative, said("new", 0.8, probability=1.0), judged(), 100, SETTINGS
    ).decision
    recall = next(measure for measure in decision.measures if measure.name == "top_recall")
    assert recall.challenger > recall.champion
    assert decision.publish


def test_a_test_set_too_small_for_an_interval_decides_nothing():
    origins = ["verdicts"] * 39 + ["test set"]
    old, new = said("old", 0.4), said("new", 0.9)
    spoiled = replace(new.predictions[-1], findings=frozenset())
    new = replace(new, predictions=(*new.predictions[:-1], spoiled))
    decision = decide(old, new, origins, 100, SETTINGS).decision
    assert decision.publish
    assert not any(measure.name.startswith("test_") for measure in decision.measures)


@pytest.mark.parametrize(
    ("number", "verdicts", "word"), [(40, 29, "Only 29 verdicts"), (9, 100, "Only 9 reports")]
)
def test_nothing_is_published_on_too_little(number, verdicts, word):
    old, new = said("old", 0.2, number=number), said("new", 1.0, number=number)
    decision = decide(old, new, judged(number), verdicts, SETTINGS).decision
    assert not decision.publish
    assert word in decision.reasons[0]


def test_without_any_document_the_decision_still_says_why():
    nothing = Said("old", (), (), {})
    decision = decide(nothing, nothing, [], 0, SETTINGS).decision
    assert not decision.publish
    assert decision.measures == ()


def test_what_nobody_judged_counts_for_nobody():
    def one(findings):
        document = LabelledDocument("d", "x", frozenset({"T1486"}), known=frozenset({"T1059.001"}))
        prediction = Prediction(document, frozenset(findings), dict.fromkeys(findings, 0.9))
        return Said("one", (prediction,) * 12, (frozenset(findings),) * 12, {})

    decision = decide(
        one({"T1486"}), one({"T1486", "T1003.001"}), judged(12), 100, SETTINGS
    ).decision
    assert all(measure.difference.value == 0 for measure in decision.measures)
