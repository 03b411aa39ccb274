"""The two stages: texts that stand alone, then the sentences of documents."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import TrainingDataError
from engine.recognizers.encoder import worth_reading
from training.encoder.base import load_base, positions
from training.encoder.checkpoint import Checkpoints
from training.encoder.data import Rows, rows_of, tokenize
from training.encoder.kept import Kept
from training.encoder.loop import Outcome, fit
from training.encoder.machine import Machine
from training.encoder.measure import best_f1
from training.encoder.model import SentenceClassifier
from training.encoder.projection import fit_projection
from training.encoder.settings import MOST_NEW, EncoderTrainingSettings
from training.labels import LabelSet
from training.progress import NO_STEPS, Steps
from training.svc.data import NO_FOLD, TrainingExamples, folds_of, prepare
from training.svc.settings import SvcSettings

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

log = logging.getLogger(__name__)

# One text in so many validates, where there is no document to hold out.
HELD_OUT = 10
# Shorter sentences teach nothing as negatives: they are headings, hashes and cells of tables.
LEAST_WORDS = 3
# Texts to fit the projection on.
PROJECTED = 8000

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Unseen:
    """What models that had not seen them made of rows of the data.

    Attributes
    ----------
    rows : ndarray of int, shape (n_rows,)
        Row numbers.
    logits : ndarray of float32, shape (n_rows, n_techniques)
    embeddings : ndarray of float32, shape (n_rows, n_dimensions)
        Of length one.
    positive, known : ndarray of bool, shape (n_rows, n_techniques)
        What is true, and where that is known.
    """

    rows: Indices
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    positive: NDArray[np.bool_]
    known: NDArray[np.bool_]


class Stages:
    """Everything that stays the same between the stages and between the folds.

    Parameters
    ----------
    labels : LabelSet
    descriptions : dict of technique to text
    knowledge : Knowledge
    settings : EncoderTrainingSettings
    checkpoints : Checkpoints
    steps : Steps
    without : mapping from fold to LabelSet, optional
        What to learn from where a fold is held out; as of ``train_svc``.
    """

    def __init__(
        self,
        labels: LabelSet,
        descriptions: dict[str, str],
        knowledge: Knowledge,
        settings: EncoderTrainingSettings,
        checkpoints: Checkpoints,
        steps: Steps = NO_STEPS,
        without: Mapping[int, LabelSet] | None = None,
    ) -> None:
        self.without = without or {}
        self.knowledge = knowledge
        self.techniques = list(descriptions)
        self.settings = settings
        self.checkpoints = checkpoints
        self.steps = steps
        self.machine = Machine.of(settings)
        encoder, self.tokenizer = load_base(settings.base)
        self.max_tokens = positions(encoder.config, settings.max_tokens)
        if self.max_tokens < settings.max_tokens:
            log.warning(
                "%s reads texts of %d tokens at most: longer ones are cut there, not at %d.",
                settings.base, self.max_tokens, settings.max_tokens,
            )  # fmt: skip
        self.kept = Kept.of(Path(settings.base))
        self.folds = folds_of(labels.documents, settings.folds, settings.seed)
        with steps.step("Compare texts", 1):
            self.data = _examples(labels, self.folds, knowledge, settings)
        self.model = SentenceClassifier(
            encoder, len(self.data.targets.techniques), settings.dropout
        ).to(self.machine.device)
        self._alone = np.flatnonzero((self.data.fold == NO_FOLD) & ~self.data.repeats)
        self._begin()
        with steps.step("Embed descriptions", 1):
            meanings = self.embed_by_base(list(descriptions.values()))
            self.meanings = torch.from_numpy(meanings).to(self.machine.device)
        self.rows = self._rows(
            self.data, self._tokens(example.text for example in self.data.examples)
        )
        with steps.step("Embed texts", 1):
            every = max(1, len(self.rows.tokens) // PROJECTED)
            self._projected = self.rows.tokens[::every]
            self._before = self.machine.predict(self.model, self._projected)[1]
        self._shows = _showing(self.data)
        self._wordy = np.array(
            [worth_reading(example.text, LEAST_WORDS) for example in self.data.examples]
        )

    def _begin(self) -> None:
        """Set the linear layer, and what a kept base has learned."""
        learned = self._alone if self.folds else self._alone[self._alone % HELD_OUT != 0]
        self.model.begin_with_priors(self._priors(learned).to(self.machine.device))
        known = self.kept.folds if self.kept else {}
        # The weights that have not seen a fold of before may have seen a document that is in that
        # fold now: nothing honest can be said of it.
        self.moved = frozenset(d for d, fold in known.items() if self.folds.get(d, fold) != fold)
        documents = [example.document for example in self.data.examples]
        self._known = np.array([document in known for document in documents], dtype=bool)
        self._moved = np.array([document in self.moved for document in documents], dtype=bool)
        if self.kept:
            lost = set(self.kept.labels) - set(self.data.targets.techniques)
            if lost:
                log.warning(
                    "%d techniques that %s knows have too few examples here and are forgotten, "
                    "such as %s. Give the data that it was trained on, too.",
                    len(lost), self.settings.base, min(lost),
                )  # fmt: skip
            now = self.model.state_dict()
            self.model.load_state_dict(self.kept.shipped(now, self.data.targets.techniques))

    def embed_by_base(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts by the encoder as it was; only before anything is trained."""
        return self.machine.predict(self.model, self._tokens(texts))[1]

    def project(self) -> None:
        """Fit the model's projection, now that its weights stay."""
        fit_projection(self.model, self._projected, self._before, self.machine)

    def texts(self) -> Outcome:
        """Train on texts that stand alone; what comes out has seen no document.

        A kept base has learned them already, and is left as it is.
        """
        if self.kept:
            state = self.model.state_dict()
            return Outcome({name: value.detach().clone() for name, value in state.items()}, 0, 0.0)
        learned = self._alone if self.folds else self._alone[self._alone % HELD_OUT != 0]
        validating = self.validating(min(self.folds.values())) if self.folds else self.validating()
        return self._fit("texts", "texts", learned, validating)

    def sentences(self, texts: Outcome, held_out: int | None, epochs: int = 0) -> Outcome:
        """Go on with the sentences of all documents but those of a fold.

        Parameters
        ----------
        texts : Outcome
            Of the first stage.
        held_out : int or None
            The fold that validates. None: all documents teach, for ``epochs`` epochs.
        """
        state: Mapping[str, torch.Tensor] = texts.state
        if self.kept and held_out is not None:
            state = self.kept.without(held_out, state, self.data.targets.techniques)
        self.model.load_state_dict(state)
        if held_out is None:
            taught = np.flatnonzero(self.data.fold != NO_FOLD)
            return self._fit("sentences of all", "sentences", taught, None, epochs)
        taught = np.flatnonzero((self.data.fold != NO_FOLD) & (self.data.fold != held_out))
        validating = self.validating(held_out)
        labelled = None
        if held_out in self.without:
            data = self.data.relabelled(self.without[held_out], self.knowledge)
            labelled = self._rows(data, self.rows.tokens), _showing(data)
        name = self.name_without(held_out)
        return self._fit(name, "sentences", taught, validating, labelled=labelled)

    @staticmethod
    def name_without(fold: int) -> str:
        """Name the checkpoints of the second stage without a fold."""
        return f"sentences without fold {fold}"

    def validating(self, fold: int | None = None) -> Indices:
        """Return the rows that validate: those of a fold, or some of the texts."""
        if fold is None:
            return np.asarray(self._alone[self._alone % HELD_OUT == 0], dtype=np.intp)
        return np.flatnonzero((self.data.fold == fold) & ~self._moved)

    def score(self, rows: Indices) -> Unseen:
        """Score rows by the model as it is."""
        tokens = tuple(self.rows.tokens[row] for row in rows)
        logits, embeddings = self.machine.predict(self.model, tokens)
        positive = self.data.targets.positive[rows].toarray().astype(bool)
        known = self.data.targets.known[rows] | positive
        return Unseen(rows, logits, embeddings, positive, known)

    def _fit(
        self,
        name: str,
        kind: str,
        rows: Indices,
        validating: Indices | None,
        epochs: int = 0,
        labelled: tuple[Rows, NDArray[np.bool_]] | None = None,
    ) -> Outcome:
        stage = self.settings.texts if kind == "texts" else self.settings.sentences
        if epochs:
            stage = stage.model_copy(update={"epochs": epochs})
        several = stage.epochs > 1
        examples, showing = labelled or (self.rows, self._shows)
        shows = rows[showing[rows]]
        quiet = rows[~showing[rows] & self._wordy[rows]]

        def choose(generator: np.random.Generator) -> Indices:
            if kind == "texts":
                return np.concatenate([shows, quiet])
            negatives = _draw(generator, quiet, self.settings.negatives)
            rehearsed = _draw(generator, self._alone, self.settings.rehearsal)
            if not self.kept:
                return np.concatenate([shows, negatives, rehearsed])
            new = _draw(generator, shows[~self._known[shows]], MOST_NEW)
            recalled = _draw(generator, shows[self._known[shows]], self.settings.recalled)
            return np.concatenate([new, recalled, negatives, rehearsed])

        def validate(_: SentenceClassifier) -> float:
            assert validating is not None  # noqa: S101 - only called where there are rows
            found = self.score(validating)
            return best_f1(found.logits, found.positive, found.known)[0]

        return fit(
            name,
            self.model,
            examples,
            self.meanings,
            choose,
            stage,
            self.settings,
            self.machine,
            self.checkpoints,
            # After a single epoch there is nothing to choose between.
            validate=validate if validating is not None and len(validating) and several else None,
            steps=self.steps,
        )

    def _rows(self, data: TrainingExamples, tokens: tuple[NDArray[np.int32], ...]) -> Rows:
        weight = self.settings.unknown_weight
        return rows_of(data.examples, data.targets, self.techniques, tokens, weight)

    def _priors(self, rows: Indices) -> torch.Tensor:
        weights = self.data.targets.weights[rows]
        shown = weights @ self.data.targets.positive[rows].astype(np.float32)
        total = max(float(weights.sum()), 1e-6)
        return torch.from_numpy(np.asarray(shown, dtype=np.float32) / total)

    def _tokens(self, texts: Iterable[str]) -> tuple[NDArray[np.int32], ...]:
        return tokenize(self.tokenizer, list(texts), self.max_tokens)


def _examples(
    labels: LabelSet,
    folds: dict[str, int],
    knowledge: Knowledge,
    settings: EncoderTrainingSettings,
) -> TrainingExamples:
    """Choose what to learn from: no spans, whose sentences are there already."""
    chosen = labels.select(
        lambda example: example.kind != "span" and example.source not in settings.left_out_sources
    )
    data = prepare(chosen, folds, knowledge, SvcSettings(min_examples=settings.min_examples))
    shown = np.asarray(data.targets.positive.sum(axis=0)).ravel()
    if not (shown < len(data.examples)).any():
        raise TrainingDataError(
            f"All {len(data.examples)} examples show the same "
            f"({', '.join(data.targets.techniques)}), so there is nothing to tell apart. Add "
            "sentences that show other techniques, or none."
        )
    return data


def _showing(data: TrainingExamples) -> NDArray[np.bool_]:
    return np.asarray(data.targets.positive.sum(axis=1)).ravel() > 0


def _draw(generator: np.random.Generator, rows: Indices, count: int) -> Indices:
    drawn: Indices = generator.choice(rows, min(count, len(rows)), replace=False)
    return drawn


def joined(parts: Iterable[Unseen]) -> Unseen:
    """Join the scores of several folds."""
    found = list(parts)
    fields: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in found])
        for name in ("rows", "logits", "embeddings", "positive", "known")
    }
    return replace(found[0], **fields)
