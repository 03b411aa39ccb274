import numpy as np
import pytest

from training.evaluation import bootstrap, compare, interval


def test_an_interval_holds_its_value_and_narrows_with_documents():
    random = np.random.default_rng(1)
    few, many = random.random(20), random.random(2000)
    wide = interval(bootstrap.mean(few), 20, seed=5)
    narrow = interval(bootstrap.mean(many), 2000, seed=5)
    assert wide.low < wide.value < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 5
    assert wide == interval(bootstrap.mean(few), 20, seed=5)
    assert wide != interval(bootstrap.mean(few), 20, seed=6)


def test_an_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(2).normal(size=400)
    found = interval(bootstrap.mean(values), 400, resamples=4000)
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_micro_f1_is_of_summed_counts():
    counts = np.array([[1, 0, 0], [0, 2, 2]])
    assert bootstrap.micro_f1(counts)(np.array([0, 1])) == pytest.approx(2 / 6)
    assert bootstrap.micro_f1(counts)(np.array([0, 0])) == 1.0


def test_macro_f1_leaves_out_labels_that_the_resample_lacks():
    counts = np.array([[[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 1]]])
    assert bootstrap.macro_f1(counts)(np.array([0, 1])) == 0.5
    assert bootstrap.macro_f1(counts)(np.array([0, 0])) == 1.0


def test_sentences_are_summed_by_document():
    counts = np.array([[1, 0, 0], [0, 1, 0], [2, 0, 3]])
    total = bootstrap.sum_by_document(counts, np.array([0, 1, 0]), 3)
    assert total.tolist() == [[3, 0, 3], [0, 1, 0], [0, 0, 0]]


def test_a_comparison_is_paired():
    random = np.random.default_rng(3)
    hard = random.random(60)
    first = bootstrap.mean(hard)
    # Slightly better on every document: unpaired intervals would overlap widely.
    better = compare(first, bootstrap.mean(hard + 0.02 + random.normal(0, 0.01, 60)), 60)
    assert better.better
    assert better.difference.value == pytest.approx(0.02, abs=0.005)
    assert better.p_value < 0.01
    same = compare(first, bootstrap.mean(hard + random.normal(0, 0.1, 60)), 60)
    assert not same.better
    assert not same.worse
    assert same.p_value > 0.05
    assert compare(first, first, 60).p_value == 1.0


def test_nothing_to_resample():
    with pytest.raises(ValueError, match="without documents"):
        interval(lambda _: 0.0, 0)
