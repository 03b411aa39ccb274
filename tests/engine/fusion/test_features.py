"""Features of candidates, worked out by hand, and the same for long documents in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from engine.fusion import features
from engine.fusion.alignment import Aligned
from engine.fusion.features import (
    LOWEST,
    document_candidates,
    document_feature_names,
    sentence_candidates,
    sentence_feature_names,
    to_logit,
)


def _aligned(table: list[list[float]], documents: list[float] | None = None) -> Aligned:
    matrix = csr_matrix(np.array(table, dtype=np.float32))
    size = matrix.shape[1]
    whole = np.full(size, np.nan, np.float32) if documents is None else np.float32(documents)
    return Aligned(matrix, whole, np.ones(size, bool))


def test_sentence_features_by_hand() -> None:
    svc = _aligned([[0.5, 0.0], [0.9, 0.2], [0.0, 0.0], [0.0, 0.0], [0.8, 0.0]])
    words = np.array([3, 7, 1, 1, 4])
    prior = np.array([-1.0, -2.0], dtype=np.float32)
    found = sentence_candidates({"svc": svc}, ["svc"], words, prior)
    assert list(zip(found.rows, found.columns, strict=True)) == [(0, 0), (1, 0), (1, 1), (4, 0)]
    names = sentence_feature_names(["svc"])
    first = dict(zip(names, found.features[0], strict=True))
    assert first["explicit"] == 0
    assert first["svc_logit"] == pytest.approx(0)
    assert first["svc_covered"] == 1
    assert first["neighbours_1"] == pytest.approx(np.log(9), abs=1e-5)
    assert first["neighbours_3"] == pytest.approx(np.log(9), abs=1e-5)
    assert first["document_1"] == pytest.approx(np.log(9), abs=1e-5)
    assert first["document_2"] == pytest.approx(np.log(4), abs=1e-5)
    assert first["document_3"] == pytest.approx(0)
    assert first["gap"] == 0
    assert first["words"] == pytest.approx(np.log(4))
    assert first["prior"] == -1
    last = dict(zip(names, found.features[3], strict=True))
    assert last["neighbours_1"] == pytest.approx(LOWEST)
    assert last["neighbours_3"] == pytest.approx(np.log(9), abs=1e-5)
    second = dict(zip(names, found.features[2], strict=True))
    assert second["gap"] == pytest.approx(float(to_logit(0.2) - to_logit(0.9)), abs=1e-5)


def test_a_named_technique_is_a_candidate_though_no_model_sees_it() -> None:
    svc = _aligned([[0.0, 0.0], [0.0, 0.0]])
    named = _aligned([[0.0, 0.0], [0.0, 0.99]])
    found = sentence_candidates(
        {"svc": svc, "explicit": named}, ["svc"], np.array([2, 2]), np.zeros(2, np.float32)
    )
    assert found.rows.tolist() == [1]
    assert found.columns.tolist() == [1]
    assert found.features[0, 0] == pytest.approx(0.99)


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    table = random.random((57, 6)) * (random.random((57, 6)) < 0.3)
    aligned = {"svc": _aligned(table.tolist())}
    words, prior = random.integers(1, 30, 57), np.zeros(6, np.float32)
    whole = sentence_candidates(aligned, ["svc"], words, prior)
    monkeypatch.setattr(features, "BLOCK", 10)
    parts = sentence_candidates(aligned, ["svc"], words, prior)
    assert np.array_equal(whole.rows, parts.rows)
    assert np.array_equal(whole.columns, parts.columns)
    assert np.allclose(whole.features, parts.features)


def test_document_features_by_hand() -> None:
    svc = _aligned([[0.5, 0.0], [0.9, 0.2]], documents=[0.5, float("nan")])
    pairs = sentence_candidates({"svc": svc}, ["svc"], np.array([2, 2]), np.zeros(2, np.float32))
    probabilities = np.array([0.3, 0.6, 0.1], dtype=np.float32)
    found = document_candidates(
        {"svc": svc}, ["svc"], pairs, probabilities, 2, np.array([-1.0, -3.0], np.float32)
    )
    names = document_feature_names(["svc"])
    first = dict(zip(names, found.features[0], strict=True))
    assert first["place_1"] == pytest.approx(np.log(0.6 / 0.4), abs=1e-5)
    assert first["place_2"] == pytest.approx(np.log(0.3 / 0.7), abs=1e-5)
    assert first["place_3"] == pytest.approx(LOWEST)
    assert first["expected"] == pytest.approx(np.log(0.9 + features.FLOOR), abs=1e-5)
    assert first["svc_best"] == pytest.approx(np.log(9), abs=1e-4)
    assert (first["svc_whole"], first["svc_has_whole"]) == (0, 1)
    assert first["sentences"] == pytest.approx(np.log(2))
    assert first["prior"] == -1
    second = dict(zip(names, found.features[1], strict=True))
    assert (second["svc_whole"], second["svc_has_whole"]) == (0, 0)


def test_nothing_found_gives_no_candidates() -> None:
    svc = _aligned([[0.0, 0.0]])
    pairs = sentence_candidates({"svc": svc}, ["svc"], np.array([2]), np.zeros(2, np.float32))
    assert pairs.features.shape == (0, len(sentence_feature_names(["svc"])))
    wholes = document_candidates(
        {"svc": svc}, ["svc"], pairs, np.zeros(0, np.float32), 1, np.zeros(2, np.float32)
    )
    assert wholes.rows.size == 0
