"""Figures worked by hand."""

import numpy as np
import pytest

from training.evaluation import (
    brier,
    curve,
    document_f1s,
    expected_calibration_error,
    macro_f1,
    mean_average_precision,
    mean_document_f1,
    micro,
    per_label,
    reliability,
)
from training.evaluation.metrics import count_by_label, count_by_row

GOLD = [{"A", "B"}, {"A"}, set(), {"C"}]
SAID = [{"A"}, {"A", "B", "X"}, set(), {"B"}]
LABELS = ["A", "B", "C", "D"]


def test_micro():
    # Right: A, A. Invented: B, B (X is not of the list). Missed: B, C.
    score = micro(GOLD, SAID, LABELS)
    assert (score.true_positives, score.false_positives, score.false_negatives) == (2, 2, 2)
    assert (score.precision, score.recall, score.f1, score.support) == (0.5, 0.5, 0.5, 4)


def test_macro_counts_the_labels_that_occur():
    # A: F1 1; B: nothing right, 0; C: missed, 0; D does not occur.
    assert macro_f1(GOLD, SAID, LABELS) == pytest.approx(1 / 3)
    assert macro_f1([set()], [{"A"}], LABELS) == 0.0
    assert per_label(GOLD, SAID, LABELS)["B"].false_positives == 2


def test_mean_document_f1():
    # 2/3 for one of two; 2/3 for one of two said; empty and nothing said 1; wrong 0.
    assert document_f1s(GOLD, SAID, LABELS) == pytest.approx([2 / 3, 2 / 3, 1, 0])
    assert mean_document_f1(GOLD, SAID, LABELS) == pytest.approx(7 / 12)
    assert mean_document_f1([set()], [{"A"}], LABELS) == 0.0


def test_counts():
    assert count_by_row(GOLD, SAID, LABELS).tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 0], [0, 1, 1]]
    assert count_by_label(GOLD, SAID, LABELS).tolist() == [
        [2, 0, 0],
        [0, 2, 1],
        [0, 0, 1],
        [0, 0, 0],
    ]
    with pytest.raises(ValueError, match="4 gold sets, but 1"):
        micro(GOLD, [set()], LABELS)


def test_agrees_with_scikit_learn():
    from sklearn.metrics import f1_score

    from training.evaluation.metrics import indicator

    random = np.random.default_rng(0)
    gold, said = (
        [set(np.array(LABELS)[row]) for row in random.random((50, 4)) < 0.4] for _ in range(2)
    )
    truth, guess = indicator(gold, LABELS), indicator(said, LABELS)
    assert micro(gold, said, LABELS).f1 == pytest.approx(f1_score(truth, guess, average="micro"))
    assert macro_f1(gold, said, LABELS) == pytest.approx(f1_score(truth, guess, average="macro"))
    assert mean_document_f1(gold, said, LABELS) == pytest.approx(
        f1_score(truth, guess, average="samples", zero_division=1)
    )


def test_curve():
    found = curve([True, False, True, False], [0.9, 0.8, 0.7, 0.1])
    assert found.thresholds.tolist() == [0.1, 0.7, 0.8, 0.9]
    assert found.precision == pytest.approx([1 / 2, 2 / 3, 1 / 2, 1])
    assert found.recall == pytest.approx([1, 1, 1 / 2, 1 / 2])
    # A step of 1/2 at precision 1, then one at 2/3.
    assert found.average_precision == pytest.approx(1 / 2 + 1 / 3)
    assert found.best() == pytest.approx((0.7, 0.8))
    with pytest.raises(ValueError, match="at least one true label"):
        curve([False], [0.5])


def test_mean_average_precision_leaves_out_labels_that_do_not_occur():
    truth = [[True, False], [False, False]]
    assert mean_average_precision(truth, [[0.2, 0.9], [0.8, 0.1]]) == pytest.approx(0.5)


def test_calibration():
    truth = [0, 0, 0, 1, 1, 1, 0, 1]
    sure = [0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9]
    # Width, two bins: means 0.15 and 0.75, rates 1/4 and 3/4.
    assert expected_calibration_error(truth, sure, 2, "width") == pytest.approx(0.05)
    # Mass, four bins of two: |0.05-0| + |0.25-0.5| + |0.65-1| + |0.85-0.5|, a quarter each.
    assert expected_calibration_error(truth, sure, 4) == pytest.approx(0.25)
    bins = reliability(truth, sure, 2, "width")
    assert [(b.low, b.high, b.count) for b in bins] == [(0.0, 0.3, 4), (0.6, 0.9, 4)]
    assert brier([1, 0], [0.5, 0.1]) == pytest.approx(0.13)
    assert len(reliability([1], [1.0], 10, "width")) == 1
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        brier([1], [1.5])


def test_skewed_probabilities_need_bins_of_equal_mass():
    truth = np.r_[np.zeros(90), np.ones(10)]
    sure = np.r_[np.full(90, 0.01), np.full(10, 0.09)]
    assert expected_calibration_error(truth, sure, 10, "width") == pytest.approx(0.082)
    assert expected_calibration_error(truth, sure, 10, "mass") == pytest.approx(0.1)
