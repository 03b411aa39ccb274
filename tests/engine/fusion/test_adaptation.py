"""Corrections of fused scores by what verdicts taught."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fusion.adaptation import FLOOR, Adaptation
from engine.fusion.alignment import LabelSpace
from engine.fusion.features import Candidates
from engine.knowledge import Knowledge


@pytest.fixture(scope="module")
def knowledge():
    return Knowledge.load()


def adaptation(*techniques, weight=4.0):
    weights = np.zeros((len(techniques), 3), dtype=np.float32)
    weights[:, 0] = weight
    nothing = np.zeros(len(techniques), dtype=np.float32)
    return Adaptation("svc", techniques, weights, nothing, nothing + 1.5)


def apply(given, knowledge, probabilities, features):
    space = LabelSpace.of(["T1059.001", "T1486"], knowledge)
    column = space.column["T1486"]
    rows = np.array([0, 1])
    pairs = Candidates(rows, np.array([column, column]), np.ones((2, 5), dtype=np.float32))
    p = np.array(probabilities, dtype=np.float32)
    return space, given.apply(pairs, p, np.array(features, dtype=np.float32), space)


def test_only_sentences_that_are_alike_are_corrected(knowledge):
    one, other = [1, 0, 0], [0, 1, 0]
    _, (pairs, p, raised) = apply(adaptation("T1486"), knowledge, [0.2, 0.2], [one, other])
    assert p[0] == pytest.approx(0.932, abs=0.001)
    assert p[1] == pytest.approx(0.2)
    assert raised.tolist() == [p[0], 0]
    assert pairs.rows.tolist() == [0, 1]


def test_what_was_rejected_is_lowered_and_not_said_to_be_raised(knowledge):
    given = adaptation("T1486", weight=-4.0)
    _, (_, p, raised) = apply(given, knowledge, [0.8, 0.8], [[1, 0, 0], [0, 1, 0]])
    assert p[0] < 0.1
    assert raised[0] == 0


def test_a_technique_that_no_recognizer_scored_becomes_a_candidate(knowledge):
    given = adaptation("T1059.001", weight=8.0)
    space, (pairs, p, _) = apply(given, knowledge, [0.2, 0.2], [[1, 0, 0], [0, 1, 0]])
    new = pairs.columns == space.column["T1059.001"]
    assert pairs.rows[new].tolist() == [0]
    assert p[new][0] > 0.5
    weak = adaptation("T1059.001", weight=1.0)
    _, (pairs, _, _) = apply(weak, knowledge, [0.2, 0.2], [[1, 0, 0], [0, 1, 0]])
    assert len(pairs.rows) == 2
    assert FLOOR < 0.5


def test_a_sentence_without_features_is_left_alone(knowledge):
    given = Adaptation("svc", ("T1486",), np.ones((1, 3), np.float32), np.ones(1, np.float32),
                       np.zeros(1, np.float32))  # fmt: skip
    _, (_, p, _) = apply(given, knowledge, [0.3, 0.3], [[0, 0, 0], [0, 0, 0]])
    assert p.tolist() == pytest.approx([0.3, 0.3])


def test_it_is_read_back_with_revoked_techniques_as_their_successors(knowledge, tmp_path):
    given = adaptation("T1086", "T1486")
    given.save(tmp_path)
    first = (tmp_path / "adaptation.safetensors").read_bytes()
    found = Adaptation.load(tmp_path, knowledge)
    assert found.techniques == ("T1059.001", "T1486")
    assert found.offsets(LabelSpace.of(["T1486"], knowledge)).tolist() == [1.5]
    given.save(tmp_path)
    assert (tmp_path / "adaptation.safetensors").read_bytes() == first
    assert Adaptation.load(tmp_path / "nothing", knowledge) is None


def test_a_damaged_one_is_refused(knowledge, tmp_path):
    adaptation("T1486").save(tmp_path)
    (tmp_path / "adaptation.json").write_text('{"recognizer": "svc", "techniques": []}')
    with pytest.raises(ValueError, match="as many weights"):
        Adaptation.load(tmp_path, knowledge)
