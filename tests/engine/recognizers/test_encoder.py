"""Serving: a small ONNX model made by hand, so that what it must answer is known exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.documents import from_sentences
from engine.errors import ReleaseError, UsageError
from engine.knowledge import Knowledge
from engine.recognizers.encoder import EncoderRecognizer, worth_reading
from engine.recognizers.onnx_encoder import OnnxEncoder
from engine.recognizers.prototypes import Prototypes, ZeroShotCalibration
from engine.types import Document

pytest.importorskip("onnx")

# One dimension a word; "nothing" words have one of their own.
WORDS = ("lsass", "powershell", "beacon", "nothing", "android", "attachment")
LABELS = ("T1003.001", "T1086")  # the second was revoked and is T1059.001 now


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_encoder(tmp_path)


def make_encoder(directory: Path, labels: tuple[str, ...] = LABELS) -> Path:
    """An encoder whose logit of a label is 8 * (share of its word among the tokens) - 4."""
    write_model(directory / "model.onnx")
    write_tokenizer(directory / "tokenizer.json")
    description = {"labels": labels, "max_tokens": 16, "protocol": 1}
    (directory / "encoder.json").write_text(json.dumps(description))
    return directory


def write_model(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    size = len(WORDS) + 2  # padding and unknown come first
    table = np.zeros((size, len(WORDS)), dtype=np.float32)
    table[2:] = np.eye(len(WORDS))
    head = np.zeros((len(WORDS), 2), dtype=np.float32)
    head[0, 0] = head[1, 1] = 8
    constants = {
        "table": table,
        "head": head,
        "bias": np.full(2, -4, dtype=np.float32),
        "last": np.array([-1], dtype=np.int64),
        "middle": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["states"]),
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["mask"]),
        helper.make_node("Mul", ["states", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "head"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("LpNormalization", ["mean"], ["embedding"], axis=-1, p=2),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["sentences", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["sentences", 2]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["sentences", len(WORDS)]),
    ]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "encoder", inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    vocabulary = {"[PAD]": 0, "[UNK]": 1} | {word: n + 2 for n, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(path))


def prototypes() -> Prototypes:
    unit = np.eye(len(WORDS), dtype=np.float32)
    # T1071: beacon; T1475 (mobile): android; the rivals are the learned ones.
    how = ZeroShotCalibration(slope=20, rival_slope=-5, offset=-10, ceiling=0.4)
    return Prototypes(("T1071", "T1404"), unit[[2, 4]], unit[[0, 1]], LABELS, how)


def load(directory: Path, knowledge: Knowledge, **settings: object) -> EncoderRecognizer:
    return EncoderRecognizer.load(directory, knowledge, settings)


def score(recognizer: EncoderRecognizer, texts: list[str], **options: object) -> np.ndarray:
    return recognizer.scores(*recognizer.encoder.encode(texts), **options)


def test_sentences_get_the_models_probabilities(directory: Path, knowledge: Knowledge) -> None:
    document = from_sentences(["lsass", "powershell nothing", "nothing nothing"], "d")
    found = load(directory, knowledge).recognize(document)
    expected = 1 / (1 + np.exp(-np.array([[4, -4], [-4, 0], [-4, -4]])))
    np.testing.assert_allclose(found.sentence_scores.toarray(), expected, atol=1e-5)


def test_revoked_labels_are_read_as_their_successors(directory: Path, knowledge: Knowledge) -> None:
    assert load(directory, knowledge).techniques == ("T1003.001", "T1059.001")


def test_two_labels_that_became_one_technique_give_the_higher_score(
    tmp_path: Path, knowledge: Knowledge
) -> None:
    recognizer = load(make_encoder(tmp_path, ("T1059.001", "T1086")), knowledge)
    assert recognizer.techniques == ("T1059.001",)
    assert score(recognizer, ["lsass"])[0, 0] == pytest.approx(1 / (1 + np.exp(-4)))
    assert score(recognizer, ["powershell"])[0, 0] == pytest.approx(1 / (1 + np.exp(-4)))


def test_order_length_and_repetition_do_not_matter(directory: Path, knowledge: Knowledge) -> None:
    texts = ["lsass", "nothing " * 9 + "powershell", "lsass nothing", "lsass", "powershell"] * 7
    together = load(directory, knowledge, batch_tokens=64).recognize(from_sentences(texts, "d"))
    alone = load(directory, knowledge)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(
            together.sentence_scores[row].toarray()[0], score(alone, [text])[0], atol=1e-6
        )


def test_each_distinct_sentence_is_encoded_once(
    directory: Path, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    encode = OnnxEncoder.encode

    def watched(encoder: OnnxEncoder, texts: list[str]):
        seen.extend(texts)
        return encode(encoder, texts)

    monkeypatch.setattr(OnnxEncoder, "encode", watched)
    load(directory, knowledge).recognize(from_sentences(["lsass", "powershell"] * 50, "d"))
    assert sorted(seen) == ["lsass", "powershell"]


def test_nothing_is_padded_to_a_fixed_length(directory: Path) -> None:
    encoder = OnnxEncoder(directory / "model.onnx", directory / "tokenizer.json", max_tokens=16)
    assert encoder.tokens(["lsass", "lsass nothing"]) == 4
    # With batches of few tokens even the shorter one needs no padding.
    encoder.batch_tokens = 2
    assert encoder.tokens(["lsass", "lsass nothing"]) == 3


def test_a_sentence_of_a_million_characters_is_cut(directory: Path, knowledge: Knowledge) -> None:
    scores = score(load(directory, knowledge), ["lsass " * 200_000])
    assert scores[0, 0] == pytest.approx(1 / (1 + np.exp(-4)))


def test_a_document_without_sentences(directory: Path, knowledge: Knowledge) -> None:
    found = load(directory, knowledge).recognize(Document("d", "", (), "0"))
    assert found.sentence_scores.shape == (0, 2)


def test_short_lines_are_not_read_where_the_release_says_so(
    directory: Path, knowledge: Knowledge
) -> None:
    path = directory / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"least_words": 2}))
    found = load(directory, knowledge).recognize(from_sentences(["lsass", "lsass lsass"], "d"))
    assert found.sentence_scores[0].nnz == 0
    assert found.sentence_scores[1].nnz


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", False),
        ("T1059", False),
        ("192.168.0.1:443", False),
        ("It ran powershell.", True),
    ],
)
def test_hashes_and_addresses_hold_no_words(text: str, worth: bool) -> None:
    assert worth_reading(text, 3) is worth
    assert worth_reading(text, 0)


def test_zero_shot_findings_are_marked_and_of_low_trust(
    directory: Path, knowledge: Knowledge
) -> None:
    prototypes().save(directory)
    recognizer = load(directory, knowledge)
    found = recognizer.recognize(from_sentences(["beacon", "lsass"], "d"))
    column = found.techniques.index("T1071")
    scores = found.sentence_scores.toarray()
    assert scores[0, column] == pytest.approx(0.4)  # the ceiling
    assert scores[1, column] == 0  # plainly about a technique that was learned
    assert "zero-shot" in found.notes["T1071"]
    assert "T1003.001" not in found.notes


def test_mobile_techniques_need_a_document_that_speaks_of_phones(
    directory: Path, knowledge: Knowledge
) -> None:
    prototypes().save(directory)
    recognizer = load(directory, knowledge)
    column = recognizer.techniques.index("T1404")
    assert score(recognizer, ["android"], domains=["enterprise"])[0, column] == 0
    found = recognizer.recognize(from_sentences(["android"], "d"))
    assert found.sentence_scores[0, column] > 0


def test_zero_shot_can_be_switched_off(directory: Path, knowledge: Knowledge) -> None:
    prototypes().save(directory)
    assert "T1071" not in load(directory, knowledge, zero_shot=False).techniques


def test_prototypes_survive_storing(directory: Path) -> None:
    prototypes().save(directory)
    loaded = Prototypes.load(directory)
    np.testing.assert_allclose(loaded.vectors, prototypes().vectors, atol=0.01)
    assert loaded.techniques == prototypes().techniques


def test_prototypes_of_a_release_that_does_not_name_its_rivals(directory: Path) -> None:
    prototypes().save(directory)
    named = Prototypes.load(directory)
    settings = json.loads((directory / "prototypes.json").read_text())
    del settings["rivals"]
    (directory / "prototypes.json").write_text(json.dumps(settings))
    older = Prototypes.load(directory)
    embeddings = named.vectors[:2]
    allowed = np.ones(len(named.techniques), dtype=bool)
    assert np.array_equal(
        older.probabilities(embeddings, allowed), named.probabilities(embeddings, allowed)
    )


def test_softmax_for_models_of_one_label_a_sentence(directory: Path, knowledge: Knowledge) -> None:
    path = directory / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"activation": "softmax"}))
    scores = score(load(directory, knowledge, floor=0), ["lsass"])
    assert scores.sum() == pytest.approx(1)


def test_threads_share_one_session(directory: Path, knowledge: Knowledge) -> None:
    recognizer = load(directory, knowledge, threads=1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda texts: score(recognizer, texts), [["lsass", "nothing"]] * 16))
    for scores in found[1:]:
        np.testing.assert_array_equal(scores, found[0])


def test_the_number_of_threads_comes_from_settings_or_environment(
    directory: Path, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTPSCRIBE_ENCODER_THREADS", "3")
    assert load(directory, knowledge).encoder.threads == 3
    assert load(directory, knowledge, threads=1).encoder.threads == 1
    monkeypatch.setenv("TTPSCRIBE_ENCODER_THREADS", "many")
    with pytest.raises(UsageError, match="TTPSCRIBE_ENCODER_THREADS"):
        load(directory, knowledge)


def test_a_damaged_model_says_what_to_do(directory: Path, knowledge: Knowledge) -> None:
    (directory / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ReleaseError, match=r"model\.onnx .* Fetch the release again"):
        score(load(directory, knowledge), ["lsass"])


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_a_missing_file_says_what_to_do(directory: Path, knowledge: Knowledge, file: str) -> None:
    (directory / file).unlink()
    with pytest.raises(ReleaseError, match="Fetch the release again"):
        load(directory, knowledge)


@pytest.mark.parametrize("file", ["tokenizer.json", "encoder.json", "prototypes.safetensors"])
def test_a_damaged_file_says_what_to_do(directory: Path, knowledge: Knowledge, file: str) -> None:
    prototypes().save(directory)
    (directory / file).write_bytes(b"\x00{")
    with pytest.raises(ReleaseError, match="Fetch the release again"):
        score(load(directory, knowledge), ["lsass"])


def test_labels_that_do_not_fit_the_model(tmp_path: Path, knowledge: Knowledge) -> None:
    directory = make_encoder(tmp_path, ("T1003.001", "T1059.001", "T1105"))
    with pytest.raises(ReleaseError, match="do not belong together"):
        score(load(directory, knowledge), ["lsass"])


def test_a_newer_protocol_says_to_upgrade(directory: Path, knowledge: Knowledge) -> None:
    path = directory / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"protocol": 2}))
    with pytest.raises(ReleaseError, match="Upgrade"):
        load(directory, knowledge)


def test_wrong_settings_and_no_files(directory: Path, knowledge: Knowledge) -> None:
    with pytest.raises(ReleaseError, match="threads"):
        load(directory, knowledge, threads="two")
    with pytest.raises(ReleaseError, match="no files"):
        EncoderRecognizer.load(None, knowledge, {})


def test_serving_imports_neither_torch_nor_transformers(directory: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.knowledge import Knowledge;"
        "from engine.recognizers.encoder import EncoderRecognizer;"
        f"r = EncoderRecognizer.load(Path({str(directory)!r}), Knowledge.load(), {{}});"
        "r.scores(*r.encoder.encode(['lsass']));"
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
