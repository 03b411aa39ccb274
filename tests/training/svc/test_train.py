"""The svc recognizer: it learns, beats trivial baselines, and gives the same bytes again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.documents import from_sentences
from engine.errors import TrainingDataError
from engine.knowledge import Knowledge
from engine.recognizers.svc import SvcRecognizer
from training.evaluation import mean_average_precision, micro
from training.labels import LabelSet
from training.svc import SvcSettings, SvcTraining, train_svc
from training.svc.train import _fit_tfidf

SMALL = SvcSettings(words=2000, characters=2000, min_count=1, min_examples=4, min_documents=3)


def _sets(trained: SvcTraining, threshold: float) -> tuple[list[set[str]], list[set[str]]]:
    gold, found = [], []
    for document in trained.documents:
        scores = trained.score(document)
        table = scores.sentence_scores.toarray()
        for row, sentence in zip(table, document.sentences, strict=True):
            gold.append(set(sentence.techniques))
            found.append({scores.techniques[c] for c in np.flatnonzero(row >= threshold)})
    return gold, found


def test_beats_the_most_frequent_technique_on_documents_it_has_not_seen(
    small_svc: SvcTraining,
) -> None:
    gold, found = _sets(small_svc, 0.5)
    labels = sorted({technique for techniques in gold for technique in techniques})
    frequent = max(labels, key=lambda label: sum(label in techniques for techniques in gold))
    trivial = micro(gold, [{frequent} for _ in gold], labels).f1
    assert micro(gold, found, labels).f1 > trivial + 0.4


def test_labels_that_say_nothing_teach_nothing(
    small_labels: LabelSet, knowledge: Knowledge
) -> None:
    """The figures above come from the labels: with those of another sentence they vanish."""
    import random

    choice = random.Random(3)  # noqa: S311 - test data
    shuffled = []
    for document in small_labels.documents:
        marks = [sentence.techniques for sentence in document.sentences]
        choice.shuffle(marks)
        sentences = tuple(
            replace(sentence, techniques=mark)
            for sentence, mark in zip(document.sentences, marks, strict=True)
        )
        shuffled.append(replace(document, sentences=sentences))
    labels = LabelSet(
        tuple(sentence for document in shuffled for sentence in document.sentences),
        tuple(shuffled),
    )
    trained = train_svc(labels, knowledge, SMALL)
    truth, scores = [], []
    for document in trained.documents:
        recognition = trained.score(document)
        column = recognition.techniques.index("T1486")
        scores += list(recognition.sentence_scores[:, column].toarray().ravel())
        truth += ["T1486" in sentence.techniques for sentence in document.sentences]
    assert mean_average_precision(np.array(truth)[:, None], np.array(scores)[:, None]) < 0.5


def test_same_data_and_seed_give_the_same_bytes(
    small_svc: SvcTraining, small_labels: LabelSet, knowledge: Knowledge, tmp_path: Path
) -> None:
    small_svc.recognizer.save(tmp_path / "first")
    train_svc(small_labels, knowledge, SMALL).recognizer.save(tmp_path / "second")
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["svc.json", "svc.safetensors", "vocabulary.json"]
    for name in names:
        first, second = (tmp_path / which / name for which in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_saved_model_scores_as_the_one_in_memory(
    small_svc: SvcTraining, knowledge: Knowledge, tmp_path: Path
) -> None:
    small_svc.recognizer.save(tmp_path)
    loaded = SvcRecognizer.load(tmp_path, knowledge, {})
    document = from_sentences(
        ["The group ran an encoded powershell command.", "We thank our colleagues."], "d"
    )
    before = small_svc.recognizer.recognize(document)
    after = loaded.recognize(document)
    assert after.techniques == before.techniques
    # Weights are kept in 8 bits: probabilities differ in the third digit.
    difference = before.sentence_scores.toarray() - after.sentence_scores.toarray()
    assert np.abs(difference).max() < 0.01
    first = after.sentence_scores.toarray()[0]
    assert after.techniques[int(first.argmax())] in {"T1059", "T1059.001"}
    assert first.max() > 0.5
    assert after.sentence_scores.toarray()[1].max() < 0.2


def test_whole_documents_and_tactics_are_scored(small_svc: SvcTraining) -> None:
    text = "The ransomware encrypts every share. Files were encrypted and renamed."
    recognition = small_svc.recognizer.recognize(from_sentences([text], "d"))
    assert recognition.document_scores is not None
    scores = dict(zip(recognition.techniques, recognition.document_scores, strict=True))
    assert scores["T1486"] == max(scores.values())
    assert max(recognition.tactic_scores, key=lambda t: recognition.tactic_scores[t]) == "TA0040"


def test_a_document_is_scored_by_a_model_that_has_not_seen_it(small_svc: SvcTraining) -> None:
    document = small_svc.documents[0]
    fold = small_svc.folds[document.id]
    assert small_svc.by_fold[fold] is not small_svc.recognizer
    own = small_svc.recognizer.recognize(
        from_sentences([s.text for s in document.sentences], document.id)
    )
    assert not np.array_equal(
        own.sentence_scores.toarray(), small_svc.score(document).sentence_scores.toarray()
    )


def test_too_few_examples_are_an_error(small_labels: LabelSet, knowledge: Knowledge) -> None:
    few = LabelSet(small_labels.examples[:3], ())
    with pytest.raises(TrainingDataError, match="8 examples or more"):
        train_svc(few, knowledge)


def test_words_of_few_texts_do_not_get_into_a_release(tmp_path: Path) -> None:
    """A name that one confidential report mentions must not be read back out of a model."""
    settings = SvcSettings()
    texts = [f"The group ran an encoded powershell command on day {n}." for n in range(20)]
    for n in range(settings.min_count):
        texts[n] += " It hit Norrvik." if n == 0 else " It hit Norrvik and Brackwater."
    _fit_tfidf(texts, settings).save(tmp_path)
    vocabulary = (tmp_path / "vocabulary.json").read_text(encoding="utf-8").lower()

    assert "brackwater" not in vocabulary
    assert "norrvik" in vocabulary, "the count is what keeps it out"


def test_with_documents_enough_the_other_folds_teach_throughout(
    small_labels: LabelSet, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_svc(small_labels, knowledge, SMALL)
    first = sorted(set(whole.folds.values()))[0]
    held = {name for name, fold in whole.folds.items() if fold == first}
    monkeypatch.setattr("training.svc.train.ENOUGH_DOCUMENTS", len(held))

    trained = train_svc(small_labels, knowledge, SMALL)

    assert {document.id for document in trained.documents} == set(trained.folds) == held
    assert len(held) < len(whole.documents)
    same = trained.score(trained.documents[0]).sentence_scores
    assert same.shape == whole.score(trained.documents[0]).sentence_scores.shape
    assert trained.recognizer.sentences.labels == whole.recognizer.sentences.labels
