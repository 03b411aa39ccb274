"""Thresholds, parents and sub-techniques, and evidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from engine.documents import from_sentences
from engine.errors import ReleaseError
from engine.fusion import Fusion, Selection, select
from engine.fusion.alignment import LabelSpace, align
from engine.fusion.features import document_feature_names, sentence_feature_names
from engine.fusion.logistic import Logistic, Priors
from engine.fusion.model import TACTIC_FEATURES
from engine.knowledge import Knowledge
from engine.recognizers.explicit import ExplicitRecognizer
from engine.releases import OperatingPoint
from engine.types import Document, Recognition

SPACE = ("T1003", "T1003.001", "T1059", "T1059.001", "T1486")


def _logistic(names: list[str], **weights: float) -> Logistic:
    values = np.array([weights.get(name, 0.0) for name in names])
    return Logistic(tuple(names), values, weights.get("intercept", 0.0))


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


@pytest.fixture(scope="module")
def fusion(knowledge: Knowledge) -> Fusion:
    """A fusion that hands the svc's scores on as they are."""
    size = len(SPACE)
    zero = np.zeros(size, np.float32)
    return Fusion(
        ["svc"],
        LabelSpace.of(SPACE, knowledge),
        _logistic(sentence_feature_names(["svc"]), svc_logit=1.0),
        _logistic(document_feature_names(["svc"]), place_1=1.0),
        _logistic(list(TACTIC_FEATURES), best=1.0),
        Priors(zero, zero, zero, zero),
        knowledge,
    )


def _document(*rows: tuple[str, dict[str, float]]) -> tuple[Document, Recognition]:
    document = from_sentences([text for text, _ in rows], "d")
    table = np.array([[scores.get(t, 0.0) for t in SPACE] for _, scores in rows], np.float32)
    return document, Recognition("svc", SPACE, csr_matrix(table))


def _select(
    fusion: Fusion,
    knowledge: Knowledge,
    *rows: tuple[str, dict[str, float]],
    write: float = 0.5,
    suggest: float = 0.2,
) -> Selection:
    document, svc = _document(*rows)
    recognitions = [svc, ExplicitRecognizer.load(None, knowledge, {}).recognize(document)]
    scores = fusion.score(document, recognitions)
    point = OperatingPoint(
        write_threshold=write,
        suggest_threshold=suggest,
        sentence_threshold=0.4,
        expected_precision=0.5,
        expected_recall=0.5,
    )
    return select(document, scores, recognitions, fusion, point)


def test_findings_and_suggestions_by_threshold(fusion: Fusion, knowledge: Knowledge) -> None:
    found = _select(
        fusion,
        knowledge,
        ("It reads memory.", {"T1003.001": 0.9}),
        ("It may do more.", {"T1486": 0.3, "T1059": 0.1}),
    )
    assert [f.technique for f in found.findings] == ["T1003.001"]
    assert [f.technique for f in found.suggestions] == ["T1486"]
    assert found.findings[0].probability == pytest.approx(0.9, abs=1e-3)
    assert found.findings[0].name == "OS Credential Dumping: LSASS Memory"
    assert found.suggestions[0].evidence[0].sentence == 1


def test_a_sub_technique_implies_its_parent_and_is_not_reported_twice(
    fusion: Fusion, knowledge: Knowledge
) -> None:
    found = _select(fusion, knowledge, ("It reads memory.", {"T1003.001": 0.9, "T1003": 0.8}))
    assert [f.technique for f in found.findings] == ["T1003.001"]
    assert found.suggestions == ()


def test_a_parent_stands_where_no_sub_technique_is_sure(
    fusion: Fusion, knowledge: Knowledge
) -> None:
    found = _select(fusion, knowledge, ("It takes passwords.", {"T1003.001": 0.3, "T1003": 0.8}))
    assert [f.technique for f in found.findings] == ["T1003"]
    assert [f.technique for f in found.suggestions] == ["T1003.001"]


def test_every_printed_id_is_a_finding_the_parent_too(fusion: Fusion, knowledge: Knowledge) -> None:
    found = _select(fusion, knowledge, ("See T1059 and T1059.001 for this.", {}))
    assert {f.technique for f in found.findings} == {"T1059", "T1059.001"}
    assert all(f.explicit for f in found.findings)
    assert found.findings[0].evidence[0].recognizer == "explicit"


def test_evidence_is_exact_text_best_first(fusion: Fusion, knowledge: Knowledge) -> None:
    rows = [
        ("Files are encrypted.", {"T1486": 0.6}),
        ("A ransom note is left behind.", {"T1486": 0.95}),
        ("Nothing here.", {}),
    ]
    found = _select(fusion, knowledge, *rows)
    evidence = found.findings[0].evidence
    assert [e.text for e in evidence] == ["A ransom note is left behind.", "Files are encrypted."]
    document, _ = _document(*rows)
    assert all(document.text[e.start : e.end] == e.text for e in evidence)


def test_a_description_goes_before_a_bare_name(fusion: Fusion, knowledge: Knowledge) -> None:
    found = _select(
        fusion, knowledge, ("Impact | T1486", {}), ("Files are encrypted.", {"T1486": 0.9})
    )
    evidence = found.findings[0].evidence
    assert [e.text for e in evidence] == ["Files are encrypted.", "Impact | T1486"]
    assert [e.recognizer for e in evidence] == ["svc", "explicit"]


def test_sentences_over_their_own_threshold(fusion: Fusion, knowledge: Knowledge) -> None:
    found = _select(fusion, knowledge, ("a", {"T1486": 0.45}), ("b", {"T1486": 0.35}))
    assert [s.index for s in found.sentences] == [0]
    assert found.sentences[0].techniques[0][0] == "T1486"


def test_tactics_follow_the_techniques(fusion: Fusion, knowledge: Knowledge) -> None:
    found = _select(fusion, knowledge, ("Files are encrypted.", {"T1486": 0.9}))
    assert [tactic.tactic for tactic in found.tactics] == ["TA0040"]


def test_a_revoked_label_counts_as_its_successor(knowledge: Knowledge) -> None:
    space = LabelSpace.of(["T1059.001"], knowledge)
    old = Recognition("svc", ("T1086",), csr_matrix(np.array([[0.7]], np.float32)))
    aligned = align(old, space, knowledge)
    assert space.techniques == ("T1059", "T1059.001")
    assert np.allclose(aligned.sentences.toarray(), [[0.7, 0.7]])
    assert aligned.covered.all()


def test_saved_and_loaded_gives_the_same(
    fusion: Fusion, knowledge: Knowledge, tmp_path: object
) -> None:
    from pathlib import Path

    directory = Path(str(tmp_path))
    fusion.save(directory)
    loaded = Fusion.load(directory, knowledge)
    rows = (("Files are encrypted.", {"T1486": 0.9}), ("b", {"T1003.001": 0.4}))
    assert _select(loaded, knowledge, *rows) == _select(fusion, knowledge, *rows)
    text = (directory / "fusion.json").read_text()
    (directory / "fusion.json").write_text(text.replace("svc_logit", "other_logit"))
    with pytest.raises(ReleaseError, match="cannot be read"):
        Fusion.load(directory, knowledge)


def test_a_document_of_empty_lines_has_no_findings(fusion: Fusion, knowledge: Knowledge) -> None:
    found = _select(fusion, knowledge, ("", {}), (" ", {}))
    assert found == Selection((), (), (), ())


def test_a_recognizer_that_the_fusion_does_not_know_is_taken_at_its_word(
    fusion: Fusion, knowledge: Knowledge
) -> None:
    document, svc = _document(("The script was run by mshta.exe.", {}))
    own = Recognition("borrowed", ("T1486",), csr_matrix(np.array([[0.7]], np.float32)))
    scores = fusion.score(document, [svc, own])
    point = OperatingPoint(
        write_threshold=0.5,
        suggest_threshold=0.2,
        sentence_threshold=0.4,
        expected_precision=0.5,
        expected_recall=0.5,
    )
    [finding] = select(document, scores, [svc, own], fusion, point).findings
    assert (finding.technique, round(finding.probability, 3)) == ("T1486", 0.7)
    assert finding.evidence[0].recognizer == "borrowed"
