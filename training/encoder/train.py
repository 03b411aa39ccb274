"""Train the encoder and score every document by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.recognizers.encoder import worth_reading
from engine.recognizers.encoder_description import EncoderDescription
from engine.types import Recognition
from training.encoder.artefact import folder_of, write_artefact
from training.encoder.base import require_torch
from training.encoder.calibrate import calibrate
from training.encoder.descriptions import describe
from training.encoder.measure import best_f1, f1_at
from training.encoder.settings import EncoderTrainingSettings
from training.labels import LabelledDocument, LabelSet
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from training.encoder.loop import Outcome
    from training.encoder.stages import OutOfFold, Stages

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
        The label space.
    documents : tuple of LabelledDocument
        The documents that were scored by a model that had not seen them.
    scores : mapping from document id to ndarray of float32, shape (n_sentences, n_techniques)
        Those calibrated probabilities, sentence by sentence as the source cut it.
    figures : mapping
        What was measured.
    """

    directory: Path
    techniques: tuple[str, ...]
    documents: tuple[LabelledDocument, ...]
    scores: Mapping[str, NDArray[np.float32]]
    figures: Mapping[str, Any]

    def score(self, document: LabelledDocument) -> Recognition:
        """Return the out-of-fold scores of a document as the recognizer would give them."""
        from scipy.sparse import csr_matrix

        return Recognition("encoder", self.techniques, csr_matrix(self.scores[document.id]))

    def save_scores(self, path: Path) -> None:
        """Write the out-of-fold probabilities as safetensors, one tensor a document."""
        import json

        from safetensors.numpy import save_file

        metadata = {"techniques": json.dumps(self.techniques)}
        save_file(dict(self.scores), path, metadata=metadata)


def train_encoder(
    labels: LabelSet,
    knowledge: Knowledge,
    output: Path,
    settings: EncoderTrainingSettings | None = None,
    *,
    cross_validate: bool = False,
    restart: bool = False,
    steps: Steps = NO_STEPS,
) -> EncoderTraining:
    """Train on a label set and write the encoder's folder of a release.

    Interrupted, it goes on where it was when called again with the same arguments.

    Parameters
    ----------
    labels : LabelSet
    knowledge : Knowledge
    output : Path
        The release's directory; the folder ``recognizers/encoder`` is made in it.
    settings : EncoderTrainingSettings, optional
    cross_validate : bool
        Hold out each fold of documents in turn rather than one alone, so that every document
        gets out-of-fold scores.
    restart : bool
        Forget checkpoints of an interrupted training.
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
    from training.encoder.export import Served
    from training.encoder.stages import Stages, joined

    settings = settings or EncoderTrainingSettings()
    directory = folder_of(output)
    identity = {"labels": labels.digest(), "settings": settings.model_dump()}
    checkpoints = Checkpoints(output / CHECKPOINTS, identity)
    if restart:
        checkpoints.clear()
    descriptions = describe(labels, knowledge)
    stages = Stages(labels, descriptions, knowledge, settings, checkpoints, steps)
    texts = stages.texts()
    outcomes: list[Outcome] = []
    parts: list[OutOfFold] = []
    for fold in sorted(set(stages.folds.values()))[: None if cross_validate else 1]:
        outcomes.append(stages.sentences(texts, fold))
        parts.append(stages.score(stages.validating(fold)))
    if not parts:
        parts.append(stages.score(stages.validating()))
    unseen = joined(parts)
    figures = _figures(stages, parts[-1], settings) | {"folds": len(outcomes)}
    slope, offset = calibrate(unseen.logits, unseen.positive, unseen.known)
    description = EncoderDescription(
        labels=stages.data.targets.techniques,
        slope=slope,
        offset=offset,
        max_tokens=settings.max_tokens,
        least_words=LEAST_WORDS if figures["skipping_loss"] <= LARGEST_SKIPPING_LOSS else 0,
        base=settings.base,
        figures=figures | {"f1": best_f1(unseen.logits, unseen.positive, unseen.known)[0]},
    )
    if outcomes:
        stages.sentences(texts, None, round(median(max(1, o.epochs) for o in outcomes)))
    write_artefact(
        directory,
        Served(stages.model),
        stages.tokenizer,
        description,
        labels,
        knowledge,
        quantize=figures["quantization_loss"] <= LARGEST_QUANTIZATION_LOSS,
        steps=steps,
    )
    checkpoints.clear()
    scores = _by_document(labels, stages, unseen, description)
    documents = tuple(document for document in labels.documents if document.id in scores)
    return EncoderTraining(directory, description.labels, documents, scores, description.figures)


def _figures(
    stages: Stages, unseen: OutOfFold, settings: EncoderTrainingSettings
) -> dict[str, float]:
    """Measure what 8-bit weights and skipping cost, on rows that the model at hand has not seen."""
    from training.encoder.export import Served, encode_with

    texts = [stages.data.examples[row].text for row in unseen.rows]
    positive, known = unseen.positive, unseen.known

    def logits(quantize: bool) -> NDArray[np.float32]:
        return encode_with(
            Served(stages.model), stages.tokenizer, texts, settings.max_tokens, quantize=quantize
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
    labels: LabelSet, stages: Stages, unseen: OutOfFold, description: EncoderDescription
) -> dict[str, NDArray[np.float32]]:
    """Return the probabilities of the sentences of each document that was held out.

    Sentences that repeat another of their fold were learned, and so scored, only once.
    """
    probabilities = description.probabilities(unseen.logits)
    row_of = {
        (int(stages.data.fold[row]), stages.data.examples[row].text.lower()): number
        for number, row in enumerate(unseen.rows)
    }
    found = {}
    for document in labels.documents:
        fold = stages.folds.get(document.id)
        keys = [(fold, sentence.text.lower()) for sentence in document.sentences]
        if fold is None or not keys:
            continue
        nothing = np.zeros(len(description.labels), dtype=np.float32)
        rows = [row_of.get(key) for key in keys]  # type: ignore[arg-type]
        if any(row is not None for row in rows):
            found[document.id] = np.stack(
                [nothing if row is None else probabilities[row] for row in rows]
            )
    return found
