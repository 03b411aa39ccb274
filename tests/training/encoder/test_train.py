"""The whole way: labels, training, export, serving, without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.documents import from_sentences
from engine.errors import ReleaseError, TrainingDataError
from engine.knowledge import Knowledge
from engine.recognizers.encoder import EncoderRecognizer
from training.encoder import EncoderTrainingSettings, train_encoder
from training.encoder.settings import Stage
from training.labels import Example, LabelSet


def settings_of(base: Path, **changes: object) -> EncoderTrainingSettings:
    stage = Stage(epochs=4, learning_rate=3e-3, head_learning_rate=3e-2, alignment=0.1)
    given = {
        "base": str(base),
        "texts": stage,
        "sentences": stage,
        "max_tokens": 32,
        "batch_tokens": 128,
        "precision": "float32",
        "threads": 1,
        "min_examples": 4,
        "patience": 2,
        **changes,
    }
    return EncoderTrainingSettings(**given)


@pytest.fixture(scope="module")
def trained(tiny_base: Path, labels: LabelSet, knowledge: Knowledge, tmp_path_factory):
    output = tmp_path_factory.mktemp("release")
    return train_encoder(labels, knowledge, output, settings_of(tiny_base), cross_validate=True)


def test_a_model_from_a_local_base_learns_and_is_served_without_torch(trained, knowledge):
    recognizer = EncoderRecognizer.load(trained.directory, knowledge, {"zero_shot": False})
    document = from_sentences(
        [
            "aora gest lsass memory hinu kalk",
            "binu dalk named by mumb hest",
            "neti bora mailed attachment ginu",
        ],
        "d",
    )
    found = recognizer.recognize(document)
    scores = found.sentence_scores.toarray()
    column = found.techniques.index
    assert scores[:, column("T1003.001")].argmax() == 0
    assert scores[:, column("T1566.001")].argmax() == 2
    assert scores[0, column("T1003.001")] > 0.5


def test_training_beats_a_trivial_model(trained, labels: LabelSet):
    # Saying everything everywhere: three of seven sentences show one of three techniques.
    trivial = 2 * (1 / 7) / (1 / 7 + 1)
    assert trained.figures["f1"] > 2 * trivial


def test_parents_are_learned_from_their_sub_techniques(trained):
    assert {"T1059", "T1059.001"} <= set(trained.techniques)


def test_every_document_is_scored_by_a_model_that_has_not_seen_it(trained, labels: LabelSet):
    scores = trained.out_of_fold
    assert set(scores.recognitions) == {document.id for document in labels.documents}
    assert scores.folds == {document.id: document.fold for document in labels.documents}
    for document in labels.documents:
        found = scores.recognitions[document.id]
        assert set(trained.techniques) <= set(found.techniques)
        assert found.sentence_scores.shape == (len(document.sentences), len(found.techniques))


def test_a_fold_is_scored_by_what_learned_from_its_own_labels_of_the_others(
    trained, labels, knowledge, tiny_base, tmp_path
):
    gone = "T1003.001"
    examples = tuple(replace(one, techniques=one.techniques - {gone}) for one in labels.examples)
    blind = replace(labels, examples=examples)
    fold = labels.documents[0].fold
    other = train_encoder(
        labels,
        knowledge,
        tmp_path / "part",
        settings_of(tiny_base),
        cross_validate=True,
        without={fold: blind},
    )
    for document in labels.documents:
        first, second = (
            one.out_of_fold.recognitions[document.id].sentence_scores.toarray()
            for one in (trained, other)
        )
        column = trained.out_of_fold.recognitions[document.id].techniques.index(gone)
        if document.fold == fold:
            shown = [gone in sentence.techniques for sentence in document.sentences]
            assert (second[shown, column] < first[shown, column]).all()


def test_out_of_fold_scores_are_not_those_of_the_model_that_ships(trained, labels, knowledge):
    recognizer = EncoderRecognizer.load(trained.directory, knowledge, {})
    differences = []
    for gold in labels.documents:
        document = from_sentences([sentence.text for sentence in gold.sentences], gold.id)
        found = trained.out_of_fold.recognitions[gold.id]
        difference = found.sentence_scores - recognizer.recognize(document).sentence_scores
        differences.append(abs(difference).max())
    assert max(differences) > 0.05


def test_figures_say_what_quantization_and_skipping_cost(trained):
    assert trained.figures["folds"] == 5
    assert abs(trained.figures["quantization_loss"]) < 0.2
    assert trained.figures["skipping_loss"] <= 0.003


def test_checkpoints_are_gone_and_only_release_files_stay(trained):
    output = trained.directory.parent.parent
    assert {p.name for p in output.iterdir()} == {"recognizers", "out-of-fold", "kept"}
    files = {p.name for p in trained.directory.iterdir()}
    needed = {"model.onnx", "tokenizer.json", "encoder.json"}
    assert needed <= files <= needed | {"prototypes.safetensors", "prototypes.json"}


def test_a_release_is_not_written_over(trained, labels, knowledge, tiny_base):
    with pytest.raises(ReleaseError, match="Give another --output"):
        train_encoder(labels, knowledge, trained.directory.parent.parent, settings_of(tiny_base))


def test_without_documents_some_texts_validate(tiny_base, labels, knowledge, tmp_path):
    alone = labels.select(lambda e: e.kind == "text", lambda _: False)
    trained = train_encoder(alone, knowledge, tmp_path, settings_of(tiny_base))
    assert (trained.directory / "model.onnx").exists()
    assert not trained.out_of_fold.recognitions


def test_an_interrupted_training_goes_on(tiny_base, labels, knowledge, tmp_path, monkeypatch):
    from training.encoder import loop

    settings = settings_of(tiny_base, checkpoint_batches=1)
    learn = loop._Run.learn
    calls = []

    def counted(run, batch):
        calls.append(None)
        learn(run, batch)

    def interrupted(run, batch):
        if len(calls) == 4:
            raise KeyboardInterrupt
        counted(run, batch)

    monkeypatch.setattr(loop._Run, "learn", counted)
    whole = train_encoder(labels, knowledge, tmp_path / "whole", settings)
    all_batches = len(calls)
    calls.clear()
    monkeypatch.setattr(loop._Run, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_encoder(labels, knowledge, tmp_path / "parts", settings)
    assert list((tmp_path / "parts" / "encoder-checkpoints").glob("*.pt"))
    calls.clear()
    monkeypatch.setattr(loop._Run, "learn", counted)
    elsewhere = settings.model_copy(update={"checkpoint_batches": 3, "device": "cpu"})
    resumed = train_encoder(labels, knowledge, tmp_path / "parts", elsewhere)
    # The four batches done before are not done again, and the result is the same.
    assert len(calls) == all_batches - 4
    for document, found in whole.out_of_fold.recognitions.items():
        again = resumed.out_of_fold.recognitions[document].sentence_scores
        np.testing.assert_allclose(found.sentence_scores.toarray(), again.toarray(), atol=1e-3)


def test_checkpoints_of_other_data_are_refused(tiny_base, labels, knowledge, tmp_path, monkeypatch):
    from training.encoder import loop

    settings = settings_of(tiny_base)
    monkeypatch.setattr(loop._Plan, "epoch", _then_interrupt(loop._Plan.epoch, 2))
    with pytest.raises(KeyboardInterrupt):
        train_encoder(labels, knowledge, tmp_path, settings)
    monkeypatch.undo()
    other = labels.select(lambda e: e.id != "d0-0")
    with pytest.raises(TrainingDataError, match="other data or settings"):
        train_encoder(other, knowledge, tmp_path, settings)
    assert train_encoder(other, knowledge, tmp_path, settings, restart=True).directory.exists()


def _then_interrupt(real, after):
    calls = []

    def epoch(plan, number):
        calls.append(number)
        if len(calls) > after:
            raise KeyboardInterrupt
        return real(plan, number)

    return epoch


def test_out_of_memory_makes_smaller_batches_and_says_so(
    tiny_base,
    labels,
    knowledge,
    tmp_path,
    monkeypatch,
    caplog,
):
    from training.encoder.model import SentenceClassifier

    embed = SentenceClassifier.embed

    def limited(model, ids, mask):
        if model.training and len(ids) > 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return embed(model, ids, mask)

    monkeypatch.setattr(SentenceClassifier, "embed", limited)
    # Libraries that other tests import raise the root logger's level.
    caplog.set_level("WARNING", logger="training")
    trained = train_encoder(labels, knowledge, tmp_path, settings_of(tiny_base))
    assert (trained.directory / "model.onnx").exists()
    assert "Lower --batch-tokens" in caplog.text


def test_memory_for_no_sentence_at_all_ends_with_advice(
    tiny_base,
    labels,
    knowledge,
    tmp_path,
    monkeypatch,
):
    from training.encoder.model import SentenceClassifier

    embed = SentenceClassifier.embed

    def never(model, ids, mask):
        if model.training:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return embed(model, ids, mask)

    monkeypatch.setattr(SentenceClassifier, "embed", never)
    with pytest.raises(TrainingDataError, match="smaller --base"):
        train_encoder(labels, knowledge, tmp_path, settings_of(tiny_base))


def test_data_with_one_class_is_refused(tiny_base, knowledge, tmp_path):
    same = LabelSet(
        tuple(Example(f"mailed attachment {n}", frozenset({"T1566"}), f"e{n}") for n in range(12))
    )
    with pytest.raises(TrainingDataError, match="nothing to tell apart"):
        train_encoder(same, knowledge, tmp_path, settings_of(tiny_base))


def test_rows_without_labels_stay_negatives_of_everything(labels, knowledge, tiny_base):
    from training.encoder.stages import _examples
    from training.svc.data import folds_of

    folds = folds_of(labels.documents, 5, 0)
    data = _examples(labels, folds, knowledge, settings_of(tiny_base))
    nothing = [row for row, e in enumerate(data.examples) if not e.techniques]
    assert nothing
    assert data.targets.known[nothing].all()
    assert replace(data.examples[nothing[0]]).kind == "sentence"
