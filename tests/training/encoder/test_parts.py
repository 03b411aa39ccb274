"""Batches, losses, calibration, figures, prototypes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.knowledge import Knowledge
from engine.recognizers.prototypes import Prototypes, ZeroShotCalibration
from training.encoder.calibrate import calibrate
from training.encoder.data import batches
from training.encoder.descriptions import describe, examples_of_use
from training.encoder.loss import alignment, weighted_cross_entropy
from training.encoder.measure import best_f1, f1_at
from training.encoder.zero_shot import calibrate_zero_shot, make_prototypes
from training.labels import Example, LabelSet


def test_batches_hold_every_row_once_and_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(3, 100, 5000)
    found = batches(lengths, 1000, np.random.default_rng(1))
    assert sorted(np.concatenate(found)) == list(range(5000))
    assert all(len(batch) * lengths[batch].max() <= 1000 for batch in found)
    padded = sum(len(batch) * lengths[batch].max() for batch in found)
    assert padded < 1.05 * lengths.sum()
    assert [len(batch) for batch in found[:50]] != sorted(len(batch) for batch in found[:50])


def test_what_is_unknown_does_not_teach() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    weighted_cross_entropy(logits, torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] > 0 == logits.grad[0, 1]


def test_alignment_pulls_towards_the_description_and_ignores_negatives() -> None:
    meanings = torch.eye(3)
    embeddings = torch.tensor([[0.1, 0.1, 0.2], [0.3, 0.1, 0.2]], requires_grad=True)
    alignment(embeddings, meanings, torch.tensor([[1.0, 0, 0], [0, 0, 0]])).backward()
    assert embeddings.grad is not None
    assert embeddings.grad[0, 0] < 0 < embeddings.grad[0, 2]
    assert not embeddings.grad[1].any()
    assert alignment(embeddings, meanings, torch.zeros(2, 3)) == 0


def test_calibration_recovers_the_truth() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(-2, 2, (4000, 5)).astype(np.float32)
    truth = generator.random(logits.shape) < 1 / (1 + np.exp(-(0.7 * logits + 0.3)))
    slope, offset = calibrate(logits, truth, np.ones_like(truth))
    assert slope == pytest.approx(0.7, abs=0.05)
    assert offset == pytest.approx(0.3, abs=0.1)


def test_calibration_of_separated_classes_stays_finite_and_rising() -> None:
    logits = np.array([[-1.0], [-0.5], [0.5], [1.0]], dtype=np.float32)
    slope, offset = calibrate(logits, logits > 0, np.ones((4, 1), dtype=bool))
    assert 0 < slope < 100
    assert np.isfinite(offset)
    assert calibrate(logits, logits > 5, np.ones((4, 1), dtype=bool)) == (1.0, 0.0)


def test_best_f1_counts_known_cells_and_equal_scores_together() -> None:
    scores = np.array([[0.9, 0.5], [0.5, 0.1]], dtype=np.float32)
    positive = np.array([[True, True], [False, False]])
    known = np.array([[True, True], [True, False]])
    best, threshold = best_f1(scores, positive, known)
    assert best == pytest.approx(0.8)
    assert threshold == pytest.approx(0.5)
    assert f1_at(scores, positive, known, threshold) == pytest.approx(best)
    assert best_f1(scores, np.zeros_like(positive), known)[0] == 0


def test_every_technique_of_all_domains_is_described(knowledge: Knowledge) -> None:
    own = Example("LSASS Memory. They dump it.", frozenset({"T1003.001"}), "T1003.001",
                  source="attack-techniques")  # fmt: skip
    texts = describe(LabelSet((own,)), knowledge)
    assert set(texts) == {technique.id for technique in knowledge.techniques()}
    assert texts["T1003.001"] == "OS Credential Dumping: LSASS Memory. They dump it."
    assert all(len(text) > 10 for text in texts.values())


def test_examples_of_use_show_one_technique_and_are_few() -> None:
    many = tuple(
        Example(f"text {n}", frozenset({"T1105"}), f"e{n}", source="attack-procedures")
        for n in range(50)
    )
    both = Example("both", frozenset({"T1105", "T1057"}), "b")
    found = examples_of_use(LabelSet((*many, both)))
    assert set(found) == {"T1105"}
    assert len(found["T1105"]) < 10


def test_prototypes_weigh_description_and_examples_alike() -> None:
    axes = {"d1": [1, 0, 0], "d2": [0, 1, 0], "e": [0, 0, 1]}

    def embed(texts):
        return np.array([axes[text] for text in texts], dtype=np.float32)

    made = make_prototypes(
        {"T1001": "d1", "T1002": "d2"},
        {"T1001": ["e", "e", "e"]},
        {"T1002"},
        embed,
    )
    assert made.techniques == ("T1001",)
    np.testing.assert_allclose(made.vectors[0], [0.5**0.5, 0, 0.5**0.5], atol=1e-6)
    assert made.rival_techniques == ("T1002",)
    np.testing.assert_allclose(made.rivals[0], [0, 1, 0], atol=1e-6)


def _learned_prototypes(size: int = 9) -> tuple[Prototypes, list[str]]:
    how = ZeroShotCalibration(slope=1, offset=0)
    rivals = np.eye(size, dtype=np.float32)
    learned = [f"T10{n:02}" for n in range(size)]
    return Prototypes((), rivals[:0], rivals, tuple(learned), how), learned


def test_zero_shot_trusts_likeness_as_far_as_labels_bear_it_out() -> None:
    prototypes, learned = _learned_prototypes()
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.15, (600, 9)).astype(np.float32)
    # Half of the texts are near the technique that they show; the others show nothing.
    shown = [n % 9 if n < 300 else None for n in range(600)]
    for row, technique in enumerate(shown):
        if technique is not None:
            noise[row, technique] += 1
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    texts = [
        Example(str(row), frozenset() if t is None else frozenset({learned[t]}), str(row))
        for row, t in enumerate(shown)
    ]

    def embed(asked):
        return noise[[int(text) for text in asked]]

    # Descriptions are no texts to calibrate on, and examples of use are in the prototypes.
    found = calibrate_zero_shot(prototypes, LabelSet(tuple(texts)), embed)
    assert found is not None
    assert found.slope > 0 > found.offset
    assert calibrate_zero_shot(prototypes, LabelSet(tuple(texts[:10])), embed) is None
    assert calibrate_zero_shot(prototypes, LabelSet(), embed) is None


def test_the_projection_leads_back_to_the_base(tiny_base, tmp_path) -> None:
    from training.encoder.base import load_base
    from training.encoder.data import tokenize
    from training.encoder.machine import Machine
    from training.encoder.model import SentenceClassifier
    from training.encoder.projection import fit_projection
    from training.encoder.settings import EncoderTrainingSettings

    encoder, tokenizer = load_base(str(tiny_base))
    model = SentenceClassifier(encoder, 2)
    machine = Machine.of(EncoderTrainingSettings(precision="float32"))
    words = ["lsass", "memory", "powershell", "script", "mailed", "aora", "ginu", "kalk"]
    texts = [f"{a} {b} {c}" for a in words for b in words for c in words]
    tokens = tokenize(tokenizer, texts, 32)
    before = machine.predict(model, tokens)[1]
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=torch.manual_seed(0))
    tuned = machine.predict(model, tokens)[1]
    fit_projection(model, tokens[::2], before[::2], machine)
    projected = machine.predict(model, tokens)[1]
    unseen = np.arange(1, len(tokens), 2)
    near = (projected * before).sum(axis=1)[unseen].mean()
    assert near > (tuned * before).sum(axis=1)[unseen].mean()
    assert near > 0.9


def test_a_full_disk_is_an_error_of_the_disk(disk, tiny_base, tmp_path) -> None:
    from training.encoder.base import load_base
    from training.encoder.checkpoint import Checkpoints
    from training.encoder.kept import write_kept
    from training.encoder.model import SentenceClassifier

    encoder, tokenizer = load_base(str(tiny_base))
    model = SentenceClassifier(encoder, 2)
    facts = {"labels": ["T1003", "T1059"], "folds": {}, "base": "b", "max_tokens": 32}
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        Checkpoints(disk.root / "checkpoints", {}).keep("texts", {"state": model.state_dict()})
    with pytest.raises(OSError, match="No space left"):
        write_kept(disk.root / "kept", model, tokenizer, facts, [])
    assert {path.name for path in disk.root.iterdir()} >= {"checkpoints", "kept.unfinished"}
    disk.free()
    write_kept(disk.root / "kept", model, tokenizer, facts, [])
    assert not list(disk.root.glob("*.unfinished"))
