"""Where and how precisely to compute, and predictions made there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.encoder.data import batches, pad
from training.encoder.model import SentenceClassifier
from training.encoder.settings import EncoderTrainingSettings

BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how precisely to compute."""

    device: torch.device
    bfloat16: bool

    @classmethod
    def of(cls, settings: EncoderTrainingSettings) -> Machine:
        """Choose by the settings and by what there is."""
        if settings.threads:
            torch.set_num_threads(settings.threads)
        name = settings.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        device = torch.device(name)
        if settings.precision != "auto":
            return cls(device, settings.precision == "bfloat16")
        if device.type == "cuda":
            return cls(device, torch.cuda.is_bf16_supported())
        return cls(device, bool(torch.cpu.get_capabilities().get("avx512_bf16", False)))

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which forward passes run."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    def embed(
        self, model: SentenceClassifier, tokens: tuple[NDArray[np.int32], ...]
    ) -> NDArray[np.float32]:
        """Return the embeddings of tokenized texts as the head sees them, in their order."""
        return self._run(tokens, lambda ids, mask: (model.embed(ids, mask),), model)[0]

    def predict(
        self, model: SentenceClassifier, tokens: tuple[NDArray[np.int32], ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits and projected embeddings of tokenized texts, in their order."""
        logits, embeddings = self._run(tokens, model, model)
        return logits, embeddings

    @torch.no_grad()
    def _run(
        self,
        tokens: tuple[NDArray[np.int32], ...],
        call: Callable[[Tensor, Tensor], tuple[Tensor, ...]],
        model: SentenceClassifier,
    ) -> list[NDArray[np.float32]]:
        model.eval()
        found: list[tuple[NDArray[np.float32], ...]] = []
        order: list[NDArray[np.intp]] = []
        lengths = np.array([len(row) for row in tokens], dtype=np.int64)
        for chosen in batches(lengths, BATCH_TOKENS, np.random.default_rng(0)):
            ids, mask = pad([tokens[row] for row in chosen])
            with self.autocast():
                outputs = call(ids.to(self.device), mask.to(self.device))
            found.append(tuple(output.float().cpu().numpy() for output in outputs))
            order.append(chosen)
        back = np.argsort(np.concatenate(order))
        return [np.concatenate(parts)[back] for parts in zip(*found, strict=True)]
