"""Platt scaling with shrunk offsets."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from training.svc.calibrate import platt, shrunk_offsets


def test_platt_finds_the_slope_and_offset_that_made_the_labels() -> None:
    random = np.random.default_rng(0)
    margins = random.normal(size=(4000, 3)).astype(np.float32)
    positive = random.random(margins.shape) < expit(2.5 * margins - 1.5)
    slope, offset = platt(margins, positive, np.ones_like(positive))
    assert abs(slope - 2.5) < 0.2
    assert abs(offset + 1.5) < 0.2


def test_unknown_labels_do_not_count() -> None:
    margins = np.array([[2.0], [-2.0], [2.0], [-2.0]] * 50, dtype=np.float32)
    positive = margins > 0
    known = np.ones_like(positive)
    positive[:50] = True
    known[:50] = False
    slope, _ = platt(margins, positive, known)
    assert slope > 1.5


def test_one_class_alone_gives_no_slope_of_its_own() -> None:
    margins = np.zeros((5, 2), dtype=np.float32)
    slope, offset = platt(margins, np.zeros((5, 2), bool), np.ones((5, 2), bool))
    assert slope == 1.0
    assert offset < -2


def test_separable_margins_give_a_finite_slope() -> None:
    margins = np.array([[1.0], [-1.0]] * 20, dtype=np.float32)
    slope, _ = platt(margins, margins > 0, np.ones_like(margins, dtype=bool))
    assert 2 < slope < 10


def test_offsets_are_shrunk_where_labels_are_few() -> None:
    odds = np.zeros((200, 2), dtype=np.float32)
    positive = np.zeros((200, 2), dtype=bool)
    positive[:160] = True
    known = np.ones((200, 2), dtype=bool)
    known[4:, 1] = False
    many, few = shrunk_offsets(odds, positive, known, shrinkage=10)
    assert 1.0 < many < np.log(4)
    assert 0 < few < 0.4
