"""Every measure on an example worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.recommenders import metrics, tie_metrics


def columns(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.intp)


# Two reports. The first hides 3 and 7 and finds them at places 1 and 3; the second hides 0, 1
# and 2 and finds 1 at place 2.
RANKED = np.array([[3, 5, 7, 1], [9, 1, 8, 4]])
HIDDEN = [columns(3, 7), columns(0, 1, 2)]


def test_rank_leaves_out_what_is_excluded_and_breaks_ties_by_column() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.5]], dtype=np.float32)
    excluded = np.array([[False, True, False, False]])
    assert metrics.rank(scores, excluded, 4).tolist() == [[2, 3, 0, -1]]
    assert metrics.rank(scores, excluded, 2).tolist() == [[2, 3]]


def test_precision_by_hand() -> None:
    assert metrics.precision_at_k(RANKED, HIDDEN, 2).tolist() == [1 / 2, 1 / 2]
    assert metrics.precision_at_k(RANKED, HIDDEN, 4).tolist() == [2 / 4, 1 / 4]


def test_recall_by_hand() -> None:
    assert metrics.recall_at_k(RANKED, HIDDEN, 2).tolist() == [1 / 2, 1 / 3]
    assert metrics.recall_at_k(RANKED, HIDDEN, 4).tolist() == [1.0, 1 / 3]


def test_ndcg_by_hand() -> None:
    # Gains: 1/log2(2) + 1/log2(4) = 1.5 of at best 1/log2(2) + 1/log2(3);
    # 1/log2(3) of at best 1/log2(2) + 1/log2(3) + 1/log2(4).
    third = 1 / math.log2(3)
    expected = [1.5 / (1 + third), third / (1 + third + 0.5)]
    assert metrics.ndcg_at_k(RANKED, HIDDEN, 4) == pytest.approx(expected)


def test_ndcg_cuts_the_ideal_at_k() -> None:
    # With k = 1 the best possible ranking finds one technique, however many are hidden.
    assert metrics.ndcg_at_k(RANKED, HIDDEN, 1).tolist() == [1.0, 0.0]


def test_ndcg_is_a_mean_of_ratios() -> None:
    ranked = np.array([[0, 1], [5, 6]])
    hidden = [columns(0), columns(0, 1)]
    assert metrics.ndcg_at_k(ranked, hidden, 2).mean() == pytest.approx(0.5)


def test_reports_with_nothing_hidden_are_left_out() -> None:
    hidden = [columns(3, 7), columns()]
    for measure in (metrics.precision_at_k, metrics.recall_at_k, metrics.ndcg_at_k):
        assert len(measure(RANKED, hidden, 4)) == 1


def test_a_ranking_that_ended_early_counts_as_misses() -> None:
    ranked = np.array([[3, -1, -1]])
    assert metrics.recall_at_k(ranked, [columns(3, 4)], 3).tolist() == [0.5]
    assert metrics.precision_at_k(ranked, [columns(3, 4)], 3) == pytest.approx([1 / 3])


def test_coverage_by_hand() -> None:
    assert metrics.coverage_at_k(np.array([[0, 1], [1, 2], [0, -1]]), 6, 2) == 3 / 6


def test_novelty_by_hand() -> None:
    popularity = np.array([0.5, 0.25, 0.0], dtype=np.float32)
    # 1 bit, 2 bits, and the one never seen counts as the rarest seen: 2 bits.
    assert metrics.novelty_at_k(np.array([[0, 1, 2]]), popularity, 3) == pytest.approx(5 / 3)


def test_mean_squared_error_by_hand() -> None:
    predicted = np.array([[0.5, 1.0], [0.0, 0.25]], dtype=np.float32)
    error = metrics.mean_squared_error(
        predicted, columns(0, 1), columns(0, 1), np.array([1.0, 1.0])
    )
    assert error == pytest.approx((0.25 + 0.5625) / 2)


def test_interval_holds_the_mean_and_is_seeded() -> None:
    values = np.random.default_rng(0).random(200)
    low, high = metrics.interval(values)
    assert low < values.mean() < high
    assert metrics.interval(values) == (low, high)
    assert all(math.isnan(bound) for bound in metrics.interval(np.array([])))


# One report in training with technique 0; the test part has technique 2. A second report has
# nothing in the test part.
SCORES = np.array([[0.9, 0.5, 0.8, 0.1], [0.4, 0.3, 0.2, 0.1]])
TEST = np.array([[False, False, True, False], [False] * 4])


def test_tie_precision_ranks_training_techniques_and_counts_all_reports() -> None:
    # Place 2, behind the technique of the training part; half of the reports have no test part.
    assert tie_metrics.tie_precision_at_k(SCORES, TEST, 1) == 0.0
    assert tie_metrics.tie_precision_at_k(SCORES, TEST, 2) == (1 / 2 + 0 / 2) / 2


def test_tie_recall_leaves_reports_without_test_out() -> None:
    assert tie_metrics.tie_recall_at_k(SCORES, TEST, 2) == 1.0


def test_tie_ties_at_the_edge_count_as_outside() -> None:
    scores = np.array([[0.5, 0.5, 0.1]])
    test = np.array([[True, False, False]])
    assert tie_metrics.tie_recall_at_k(scores, test, 1) == 0.0
    assert tie_metrics.tie_recall_at_k(scores, test, 2) == 1.0


def test_tie_ndcg_is_a_ratio_of_means() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.1, 0.8, 0.9]])
    test = np.array([[True, True, False], [True, False, False]])
    third = 1 / math.log2(3)
    # Gains 1 + 1/log2(3) and 0 (at k = 2); ideals 1 + 1/log2(3) and 1.
    expected = ((1 + third) / 2) / ((1 + third + 1) / 2)
    assert tie_metrics.tie_ndcg_at_k(scores, test, 2) == pytest.approx(expected)
    rightly = metrics.ndcg_at_k(np.array([[0, 1], [2, 1]]), [columns(0, 1), columns(0)], 2)
    assert rightly.mean() == pytest.approx(0.5)


def test_tie_mse_looks_at_test_cells_only() -> None:
    assert tie_metrics.tie_mean_squared_error(SCORES, TEST) == pytest.approx(0.04)
