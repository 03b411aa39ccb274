"""Checkpoints of one's own: labels checked and mapped, nothing unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import ReleaseError, TrainingDataError
from engine.knowledge import Knowledge
from engine.recognizers.encoder import EncoderRecognizer
from training.encoder import import_checkpoint
from training.encoder.base import BaseModelError, load_tokenizer

LABELS = ("T1003.001", "T1086", "T1566")
TEXTS = ["aora gest lsass memory hinu", "binu", "neti bora mailed attachment ginu kalk umb"]


@pytest.fixture(scope="module")
def checkpoint(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT for sequence classification as one fine-tunes it with transformers."""
    from transformers import BertConfig, BertForSequenceClassification

    directory = tmp_path_factory.mktemp("checkpoint")
    shutil.copytree(tiny_base, directory, dirs_exist_ok=True)
    config = BertConfig.from_pretrained(
        tiny_base,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        problem_type="multi_label_classification",
    )
    torch.manual_seed(1)
    model = BertForSequenceClassification(config)
    # Larger than at the start of a training, so that scores differ by more than rounding.
    torch.nn.init.normal_(model.classifier.weight, std=2.0)
    model.save_pretrained(directory)
    return directory


def changed(checkpoint: Path, directory: Path, **changes: object) -> Path:
    shutil.copytree(checkpoint, directory)
    path = directory / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return directory


def score(recognizer: EncoderRecognizer) -> np.ndarray:
    return recognizer.scores(*recognizer.encoder.encode(TEXTS))


def test_scores_are_those_of_transformers(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    imported = import_checkpoint(checkpoint, knowledge, tmp_path, quantize=False)
    recognizer = EncoderRecognizer.load(imported.directory, knowledge, {"zero_shot": False})
    tokenizer = load_tokenizer(str(checkpoint))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(TEXTS)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor([row.ids for row in encoded]),
            attention_mask=torch.tensor([row.attention_mask for row in encoded]),
        ).logits
    np.testing.assert_allclose(score(recognizer), torch.sigmoid(logits), atol=2e-3)


def test_revoked_labels_are_mapped_and_reported(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    imported = import_checkpoint(checkpoint, knowledge, tmp_path)
    assert imported.labels == ("T1003.001", "T1059.001", "T1566")
    assert imported.mapped == {"T1086": "T1059.001"}


def test_labels_that_are_no_techniques_are_listed(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    other = changed(
        checkpoint, tmp_path / "c", id2label={"0": "Malware", "1": "T1086", "2": "LABEL_2"}
    )
    with pytest.raises(TrainingDataError, match=r"2 of 3 labels.*Malware, LABEL_2.*--labels"):
        import_checkpoint(other, knowledge, tmp_path / "out")


def test_labels_from_a_file_for_checkpoints_without(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    other = changed(checkpoint, tmp_path / "c", id2label=None, label2id=None, num_labels=3)
    labels = tmp_path / "labels.txt"
    labels.write_text("T1003.001\nT1059.001\nT1566\n")
    imported = import_checkpoint(other, knowledge, tmp_path / "out", labels=labels)
    assert imported.labels == ("T1003.001", "T1059.001", "T1566")
    with pytest.raises(TrainingDataError, match="3 outputs, but 50 labels"):
        import_checkpoint(other, knowledge, tmp_path / "other", labels="tram")


def test_tensors_in_a_torch_file_are_read(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    other = changed(checkpoint, tmp_path / "c")
    torch.save(load_file(other / "model.safetensors"), other / "pytorch_model.bin")
    (other / "model.safetensors").unlink()
    one = import_checkpoint(checkpoint, knowledge, tmp_path / "one", quantize=False)
    two = import_checkpoint(other, knowledge, tmp_path / "two", quantize=False)
    scores = [score(EncoderRecognizer.load(each.directory, knowledge, {})) for each in (one, two)]
    np.testing.assert_array_equal(*scores)


class _Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_torch_file_never_runs(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    other = changed(checkpoint, tmp_path / "c")
    (other / "model.safetensors").unlink()
    touched = tmp_path / "touched"
    torch.save({"bert": _Harmful(touched)}, other / "pytorch_model.bin", pickle_module=pickle)
    with pytest.raises(BaseModelError):
        import_checkpoint(other, knowledge, tmp_path / "out")
    assert not touched.exists()


def test_a_softmax_model_stays_one(checkpoint: Path, knowledge: Knowledge, tmp_path: Path) -> None:
    other = changed(checkpoint, tmp_path / "c", problem_type="single_label_classification")
    imported = import_checkpoint(other, knowledge, tmp_path / "out")
    recognizer = EncoderRecognizer.load(
        imported.directory, knowledge, {"zero_shot": False, "floor": 0}
    )
    np.testing.assert_allclose(score(recognizer).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_incomplete_checkpoints(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path, missing: str
) -> None:
    other = changed(checkpoint, tmp_path / "c")
    (other / missing).unlink()
    with pytest.raises(BaseModelError, match=str(other)):
        import_checkpoint(other, knowledge, tmp_path / "out")


def test_a_plain_encoder_is_told_apart(
    tiny_base: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    with pytest.raises(BaseModelError, match="--base DIR"):
        import_checkpoint(tiny_base, knowledge, tmp_path)


def test_an_encoder_that_is_there_is_not_written_over(
    checkpoint: Path, knowledge: Knowledge, tmp_path: Path
) -> None:
    import_checkpoint(checkpoint, knowledge, tmp_path)
    with pytest.raises(ReleaseError, match="another --output"):
        import_checkpoint(checkpoint, knowledge, tmp_path)
