import json

import pytest

from engine.knowledge import Knowledge
from engine.types import Analysis, Finding, SentenceTechniques
from training.evaluation import evaluate, label_list, predict
from training.labels import Example, LabelledDocument, LabelSet

WORDS = {"lsass": "T1003.001", "powershell": "T1059.001", "hollow": "T1055.012"}


class Words:
    """Finds a technique wherever a word stands; an analyser small enough to work by hand."""

    def analyse(self, document, operating_point="balanced"):
        found = [
            (sentence.index, technique)
            for sentence in document.sentences
            for word, technique in WORDS.items()
            if word in sentence.text.lower()
        ]
        return Analysis(
            document=document,
            findings=tuple(
                Finding(t, t, 0.8, False, ()) for t in sorted({technique for _, technique in found})
            ),
            suggestions=(Finding("T1486", "T1486", 0.2, False, ()),),
            tactics=(),
            sentences=tuple(SentenceTechniques(i, ((t, 0.8),)) for i, t in found),
            release="words",
            operating_point=operating_point,
            attack_version="0",
        )


def document(name, *sentences, known=None):
    parts = tuple(
        Example(text, frozenset(ids), f"{name}-{n}", name, kind="sentence", known=known)
        for n, (text, ids) in enumerate(sentences)
    )
    return LabelledDocument(
        id=name,
        text="\n".join(part.text for part in parts),
        techniques=frozenset().union(*(part.techniques for part in parts)),
        sentences=parts,
        known=known,
    )


@pytest.fixture(scope="module")
def knowledge():
    return Knowledge.load()


@pytest.fixture(scope="module")
def predictions():
    labels = LabelSet(
        documents=(
            document("d1", ("It read LSASS.", ["T1003.001"]), ("It used PowerShell.", []),
                     known=frozenset({"T1003.001"})),
            document("d2", ("A hollow process.", ["T1055"]), ("It encrypted files.", ["T1486"])),
        ),
        examples=(
            Example("Stands alone, uses PowerShell.", frozenset({"T1059.001"}), "x"),
            Example("LSASS", frozenset({"T1057"}), "y", known=frozenset()),
        ),
    )  # fmt: skip
    return list(predict(Words(), labels))


def test_all_techniques_exactly(predictions, knowledge):
    result = evaluate(predictions, label_list("all", knowledge), resamples=100)
    # d1: PowerShell was not looked for there, so it counts not against; d2: T1055.012 wrong,
    # T1055 and T1486 missed.
    score = result.documents.score
    assert (score.true_positives, score.false_positives, score.false_negatives) == (1, 1, 2)
    assert result.documents.mean_f1.value == pytest.approx(0.5)
    assert result.documents.pair_f1.value == pytest.approx(2 / 5)
    # The text that stands alone counts as a sentence, the one with marks only does not.
    assert result.sentences.count == 5
    assert result.sentences.score.true_positives == 2
    assert result.documents.count == 2


def test_parents(predictions, knowledge):
    result = evaluate(predictions, label_list("parents", knowledge), resamples=100)
    assert result.documents.score.true_positives == 2
    assert result.documents.mean_f1.value == pytest.approx((1 + 2 / 3) / 2)


def test_the_fifty_of_tram(predictions, knowledge):
    result = evaluate(predictions, label_list("tram50", knowledge), resamples=100)
    # T1055.012 folds onto T1055; T1486 and PowerShell are not in the list.
    assert result.documents.mean_f1.value == 1.0
    assert result.labels == 50
    assert set(result.per_label) == {"T1003.001", "T1055"}
    assert result.documents.calibration_error == pytest.approx(0.2)
    assert result.documents.average_precision == 1.0


def test_suggestions_count_for_average_precision(predictions, knowledge):
    result = evaluate(predictions, label_list("parents", knowledge), resamples=100)
    # Ranked: T1003, T1055 right at 0.8; T1486 right in d2, in d1 not looked for.
    assert result.documents.average_precision == 1.0


def test_the_result_is_json(predictions, knowledge):
    result = evaluate(predictions, label_list("tram50", knowledge), resamples=100).to_dict()
    assert json.loads(json.dumps(result)) == result
    assert result["documents"]["score"]["precision"] == 1.0
    assert result["per_label"]["T1055"]["support"] == 1


def test_documents_without_sentences_are_read_as_text(knowledge):
    labelled = LabelledDocument("d", "url: lsass\n\nIt used PowerShell.", frozenset({"T1059.001"}),
                                body_start=12)  # fmt: skip
    (prediction,) = predict(Words(), LabelSet(documents=(labelled,)))
    assert prediction.findings == {"T1059.001"}
    result = evaluate([prediction], label_list("all", knowledge), resamples=100)
    assert result.sentences is None
    assert result.documents.mean_f1.value == 1.0
