"""The training loop of one stage: resumable, early stopping, smaller batches where memory ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from engine.errors import TrainingDataError
from training.encoder.checkpoint import Checkpoints
from training.encoder.data import Batch, Rows, batches
from training.encoder.loss import alignment, weighted_cross_entropy
from training.encoder.machine import Machine
from training.encoder.model import SentenceClassifier
from training.encoder.settings import EncoderTrainingSettings, Stage
from training.progress import NO_STEPS, Steps

log = logging.getLogger(__name__)

WARM_UP = 0.06
LAST = 0.02
LARGEST_GRADIENT = 5.0

Choose = Callable[[np.random.Generator], NDArray[np.intp]]
Validate = Callable[[SentenceClassifier], float]


@dataclass(frozen=True)
class Outcome:
    """What a stage gave: the best weights, after how many epochs, and their score."""

    state: dict[str, Tensor]
    epochs: int
    score: float


def fit(
    name: str,
    model: SentenceClassifier,
    rows: Rows,
    meanings: Tensor,
    choose: Choose,
    stage: Stage,
    settings: EncoderTrainingSettings,
    machine: Machine,
    checkpoints: Checkpoints,
    *,
    validate: Validate | None = None,
    steps: Steps = NO_STEPS,
) -> Outcome:
    """Train a model in place, and leave it at its best weights.

    Parameters
    ----------
    name : str
        Of the stage, for checkpoints and progress.
    model : SentenceClassifier
    rows : Rows
    meanings : Tensor, shape (n_described, n_dimensions)
    choose : callable
        Draws the rows of an epoch.
    stage : Stage
    settings : EncoderTrainingSettings
    machine : Machine
    checkpoints : Checkpoints
    validate : callable, optional
        Scores the model after each epoch, higher is better; without it all epochs are done and
        the last weights kept.

    Raises
    ------
    TrainingDataError
        If memory does not suffice for a single sentence, or the loss is no number.
    """
    if done := checkpoints.finished(name):
        model.load_state_dict(done["state"])
        return Outcome(done["state"], done["epochs"], done["score"])
    model.to(machine.device)
    optimizer = _optimizer(model, stage, settings)
    plan = _Plan(rows.lengths, choose, stage.epochs, settings)
    schedule = LambdaLR(optimizer, plan.learning_rate)
    run = _Run(model, optimizer, schedule, meanings, stage.alignment, machine)
    best = Outcome(_copy(model), 0, -1.0)
    epoch = position = 0
    if part := checkpoints.partial(name):
        run.restore(part)
        best = Outcome(part["best"], part["best_epochs"], part["best_score"])
        epoch, position = part["epoch"], part["position"]
    else:
        torch.manual_seed(settings.seed)

    def keep() -> None:
        content = {"best": best.state, "best_epochs": best.epochs, "best_score": best.score}
        checkpoints.keep(name, {**run.state(), **content, "epoch": epoch, "position": position})

    while epoch < stage.epochs and epoch - best.epochs < settings.patience + (best.score < 0):
        todo = plan.epoch(epoch)
        with steps.step(f"{name}, epoch {epoch + 1} of {stage.epochs}", len(todo)) as advance:
            advance(position)
            for number in range(position, len(todo)):
                run.learn(rows.batch(todo[number], machine.device))
                position = number + 1
                advance(1)
                if position % settings.checkpoint_batches == 0:
                    keep()
        epoch, position = epoch + 1, 0
        score = validate(model) if validate else float(epoch)
        if score > best.score:
            best = Outcome(_copy(model), epoch, score)
        log.info("%s: epoch %d, loss %.3f, score %.4f", name, epoch, run.mean_loss(), score)
        keep()
    model.load_state_dict(best.state)
    content = {"state": best.state, "epochs": best.epochs, "score": best.score}
    checkpoints.finish(name, content)
    return best


class _Plan:
    """Which batches an epoch has; the same again after an interruption."""

    def __init__(
        self,
        lengths: NDArray[np.int64],
        choose: Choose,
        epochs: int,
        settings: EncoderTrainingSettings,
    ) -> None:
        self.lengths = lengths
        self.choose = choose
        self.settings = settings
        self.total = max(1, epochs * len(self.epoch(0)))

    def epoch(self, epoch: int) -> list[NDArray[np.intp]]:
        generator = np.random.default_rng([self.settings.seed, epoch])
        chosen = self.choose(generator)
        found = batches(self.lengths[chosen], self.settings.batch_tokens, generator)
        return [chosen[batch] for batch in found]

    def learning_rate(self, step: int) -> float:
        """Share of the peak: a short rise, then a straight fall."""
        return min((step + 1) / (WARM_UP * self.total), max(LAST, 1 - step / self.total))


class _Run:
    """Model, optimizer and schedule, moving on by a batch at a time."""

    def __init__(
        self,
        model: SentenceClassifier,
        optimizer: AdamW,
        schedule: LambdaLR,
        meanings: Tensor,
        alignment_weight: float,
        machine: Machine,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.schedule = schedule
        self.meanings = meanings
        self.alignment_weight = alignment_weight
        self.machine = machine
        self.pieces = 1
        self.losses: list[float] = []

    def learn(self, batch: Batch) -> None:
        self.model.train()
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                self.losses.append(sum(self._backward(batch)))
                break
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
            # Outside of the handler, so that the failed pass is released before the next one.
            self._halve(len(batch))
        if not np.isfinite(self.losses[-1]):
            raise TrainingDataError(
                "The loss is no number any more: the learning rate is too high for this base. "
                "Try half of it (--learning-rate)."
            )
        trained = [p for p in self.model.parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(trained, LARGEST_GRADIENT)
        self.optimizer.step()
        self.schedule.step()

    def _backward(self, batch: Batch) -> Iterator[float]:
        for part in batch.pieces(self.pieces):
            with self.machine.autocast():
                embeddings = self.model.embed(part.input_ids, part.attention_mask)
            logits = self.model.head(self.model.dropout(embeddings))
            loss = weighted_cross_entropy(logits, part.targets, part.weights)
            if self.alignment_weight and self.meanings.numel():
                pull = alignment(embeddings, self.meanings, part.described)
                loss = loss + self.alignment_weight * pull
            loss.backward()  # type: ignore[no-untyped-call]
            yield loss.item()

    def _halve(self, rows: int) -> None:
        if self.pieces >= rows:
            raise TrainingDataError(
                "Out of memory with a single sentence in a batch. Take a smaller --base, lower "
                "--max-tokens, or use a machine with more memory."
            )
        self.pieces *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.warning(
            "Out of memory: going on with batches in %d parts. "
            "Lower --batch-tokens to start like that.",
            self.pieces,
        )

    def mean_loss(self) -> float:
        """Mean since the last call."""
        mean = float(np.mean(self.losses)) if self.losses else 0.0
        self.losses.clear()
        return mean

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.last_epoch,
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.last_epoch = state["schedule"]
        torch.set_rng_state(state["random"])


def _optimizer(model: SentenceClassifier, stage: Stage, settings: EncoderTrainingSettings) -> AdamW:
    if settings.freeze_vocabulary:
        model.freeze_vocabulary()
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [
        {"params": encoder, "lr": stage.learning_rate},
        {"params": list(model.head.parameters()), "lr": stage.head_learning_rate},
    ]
    return AdamW(groups, weight_decay=settings.weight_decay)


def _copy(model: SentenceClassifier) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def _out_of_memory(error: RuntimeError) -> bool:
    """Tell whether memory ended; on a CPU torch says so only in words."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
