"""Where and how precisely to compute, and predictions made there."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.encoder.data import batches, pad
from training.encoder.model import SentenceClassifier
from training.encoder.settings import EncoderTrainingSettings


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


@torch.no_grad()
def predict(
    model: SentenceClassifier,
    tokens: tuple[NDArray[np.int32], ...],
    machine: Machine,
    batch_tokens: int = 8192,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logits and embeddings (of length one) of tokenized texts, in their order."""
    model.eval()
    width = model.head.in_features
    logits = np.zeros((len(tokens), model.head.out_features), dtype=np.float32)
    embeddings = np.zeros((len(tokens), width), dtype=np.float32)
    lengths = np.array([len(row) for row in tokens], dtype=np.int64)
    for chosen in batches(lengths, batch_tokens, np.random.default_rng(0)) if tokens else ():
        ids, mask = pad([tokens[row] for row in chosen])
        with machine.autocast():
            found, vectors = model(ids.to(machine.device), mask.to(machine.device))
        logits[chosen] = found.float().cpu().numpy()
        vectors = torch.nn.functional.normalize(vectors.float())
        embeddings[chosen] = vectors.cpu().numpy()
    return logits, embeddings
