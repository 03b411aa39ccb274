"""Train the encoder and score every document by a model that has not seen it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.documents import from_sentences
from engine.recognizers.encoder import EncoderRecognizer, worth_reading
from engine.recognizers.encoder_description import EncoderDescription
from engine.types import Recognition
from training.encoder.artefact import FOLDER, folder_of, write_artefact
from training.encoder.base import require_torch
from training.encoder.calibrate import calibrate
from training.encoder.descriptions import describe, examples_of_use
from training.encoder.kept import KEPT, digest_of, write_kept
from training.encoder.measure import best_f1, f1_at
from training.encoder.settings import EncoderTrainingSettings
from training.encoder.zero_shot import make_prototypes
from training.labels import LabelSet
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from training.encoder.stages import Stages, Unseen

CHECKPOINTS = "encoder-checkpoints"
# What 8-bit weights, and skipping sentences of few words, may cost in F1 before they are not done.
LARGEST_QUANTIZATION_LOSS = 0.005
LARGEST_SKIPPING_LOSS = 0.003
LEAST_WORDS = 3


@dataclass(frozen=True)
class EncoderTraining:
    """What the training gives.

    Attributes
    ----------
    directory : Path
        The encoder's folder of the release.
    techniques : tuple of str
        Those with a classifier.
    out_of_fold : OutOfFold
        What the recognizer makes of the documents that were held out.
    figures : mapping
        What was measured.
    """

    directory: Path
    techniques: tuple[str, ...]
    out_of_fold: OutOfFold
    figures: Mapping[str, Any]


def train_encoder(
    labels: LabelSet,
    knowledge: Knowledge,
    output: Path,
    settings: EncoderTrainingSettings | None = None,
    *,
    cross_validate: bool = False,
    without: Mapping[int, LabelSet] | None = None,
    restart: bool = False,
    keep: bool = True,
    steps: Steps = NO_STEPS,
) -> EncoderTraining:
    """Train on a label set and write the encoder's folder of a release.

    Interrupted, it goes on where it was when called again with the same arguments.

    Parameters
    ----------
    labels : LabelSet
    knowledge : Knowledge
    output : Path
        The part's directory; the folder ``recognizers/encoder`` is made in it, and beside it the
        out-of-fold scores and what is kept.
    settings : EncoderTrainingSettings, optional
    cross_validate : bool
        Hold out each fold of documents in turn rather than one alone, so that every document
        gets out-of-fold scores.
    without : mapping from fold to LabelSet, optional
        What to learn from where a fold is held out; as of ``train_svc``.
    restart : bool
        Forget checkpoints of an interrupted training.
    keep : bool
        Keep what a later training can go on from, in the folder ``kept``.
    steps : Steps
        Told of progress.

    Raises
    ------
    TrainingDataError
        If nothing can be learned from the label set.
    BaseModelError
        If the base cannot be loaded.
    """
    require_torch()
    from training.encoder.checkpoint import Checkpoints
    from training.encoder.stages import Stages, joined

    settings = settings or EncoderTrainingSettings()
    directory = folder_of(output)
    # Not what only the machine at hand decides: a training may go on with more threads.
    decisive = settings.model_dump(exclude={"device", "threads", "checkpoint_batches"})
    base = Path(settings.base)
    identity = {
        "labels": labels.digest(),
        "without": {str(fold): one.digest() for fold, one in (without or {}).items()},
        "settings": decisive,
        "base": digest_of(base) if base.is_dir() else settings.base,
    }
    checkpoints = Checkpoints(output / CHECKPOINTS, identity)
    if restart:
        checkpoints.clear()
    descriptions = describe(labels, knowledge)
    stages = Stages(labels, descriptions, knowledge, settings, checkpoints, steps, without)
    with steps.step("Make prototypes of techniques", 1):
        prototypes = make_prototypes(
            descriptions,
            examples_of_use(labels),
            stages.data.targets.techniques,
            stages.embed_by_base,
        )
    texts = stages.texts()
    epochs: list[int] = []
    parts: list[Unseen] = []
    held_out = sorted(set(stages.folds.values()))[: None if cross_validate else 1]
    for fold in held_out:
        epochs.append(max(1, stages.sentences(texts, fold).epochs))
        stages.project()
        parts.append(stages.score(stages.validating(fold)))
    if not parts:
        stages.project()
        parts.append(stages.score(stages.validating()))
    unseen = joined(parts)
    figures = _figures(stages, parts[-1]) | {"folds": len(epochs)}
    slope, offset = calibrate(unseen.logits, unseen.positive, unseen.known)
    description = EncoderDescription(
        labels=stages.data.targets.techniques,
        slope=slope,
        offset=offset,
        max_tokens=stages.max_tokens,
        least_words=LEAST_WORDS if figures["skipping_loss"] <= LARGEST_SKIPPING_LOSS else 0,
        base=stages.kept.base if stages.kept else settings.base,
        figures=figures | {"f1": best_f1(unseen.logits, unseen.positive, unseen.known)[0]},
    )
    if epochs:
        stages.sentences(texts, None, round(median(epochs)))
        stages.project()
    # Put into its place when all else is there: what is in its place is finished.
    made = checkpoints.directory / FOLDER
    shutil.rmtree(made, ignore_errors=True)
    write_artefact(
        made,
        stages.model,
        stages.tokenizer,
        description,
        lambda _: prototypes,
        labels,
        quantize=figures["quantization_loss"] <= LARGEST_QUANTIZATION_LOSS,
        steps=steps,
    )
    recognizer = EncoderRecognizer.load(made, knowledge, {})
    found = _by_document(labels, stages, unseen, recognizer)
    folds = {document: stages.folds[document] for document in found}
    out_of_fold = OutOfFold(EncoderRecognizer.name, found, folds)
    if found:
        out_of_fold.save(output)
    if keep:
        with steps.step("Keep what can be gone on from", 1):
            _keep(output / KEPT, stages, description, held_out)
    directory.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(directory, ignore_errors=True)
    made.rename(directory)
    checkpoints.clear()
    return EncoderTraining(directory, description.labels, out_of_fold, description.figures)


def _keep(
    directory: Path, stages: Stages, description: EncoderDescription, held_out: Sequence[int]
) -> None:
    # What was kept before may have seen documents that are in no label set any more.
    before = stages.kept.folds if stages.kept else {}
    facts = {
        "labels": description.labels,
        "folds": {**before, **stages.folds},
        "base": description.base,
        "max_tokens": description.max_tokens,
    }
    states = (
        (fold, done["state"])
        for fold in held_out
        if (done := stages.checkpoints.finished(stages.name_without(fold)))
    )
    write_kept(directory, stages.model, stages.tokenizer, facts, states)


def _figures(stages: Stages, unseen: Unseen) -> dict[str, float]:
    """Measure what 8-bit weights and skipping cost, on rows that the model at hand has not seen."""
    from training.encoder.export import encode_with

    texts = [stages.data.examples[row].text for row in unseen.rows]
    positive, known = unseen.positive, unseen.known

    def logits(quantize: bool) -> NDArray[np.float32]:
        return encode_with(
            stages.model, stages.tokenizer, texts, stages.max_tokens, quantize=quantize
        )

    with stages.steps.step("Measure 8-bit weights", 2) as advance:
        exact, threshold = best_f1(plain := logits(quantize=False), positive, known)
        advance(1)
        small = logits(quantize=True)
    skipped = plain.copy()
    skipped[[not worth_reading(text, LEAST_WORDS) for text in texts]] = -np.inf
    return {
        "f1_float32": exact,
        # Each at its own best threshold, as each would be served.
        "quantization_loss": exact - best_f1(small, positive, known)[0],
        "skipping_loss": exact - f1_at(skipped, positive, known, threshold),
    }


def _by_document(
    labels: LabelSet, stages: Stages, unseen: Unseen, recognizer: EncoderRecognizer
) -> dict[str, Recognition]:
    """Return what the recognizer makes of each document that was held out.

    Sentences that repeat another of their fold were learned, and so scored, only once.
    """
    place = {
        (int(stages.data.fold[row]), stages.data.examples[row].text.lower()): number
        for number, row in enumerate(unseen.rows)
    }
    held_out = {fold for fold, _ in place}
    found = {}
    for gold in labels.documents:
        fold = stages.folds.get(gold.id)
        if fold is None or fold not in held_out or not gold.sentences or gold.id in stages.moved:
            continue
        document = from_sentences([sentence.text for sentence in gold.sentences], gold.id)
        row_of: dict[str, int] = {}
        for sentence in document.sentences:
            row = place.get((fold, sentence.text.lower()))
            if row is not None and recognizer.reads(sentence.text):
                row_of.setdefault(sentence.text, row)
        rows = np.fromiter(row_of.values(), dtype=np.intp, count=len(row_of))
        numbered = {text: number for number, text in enumerate(row_of)}
        found[gold.id] = recognizer.recognition(
            document, numbered, unseen.logits[rows], unseen.embeddings[rows]
        )
    return found
