"""From torch to an ONNX file with 8-bit weights, and what that costs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.recognizers.onnx_encoder import OnnxEncoder
from training.encoder.base import quiet

if TYPE_CHECKING:
    from tokenizers import Tokenizer

OPSET = 17


class ServedSequenceClassifier(nn.Module):
    """A Hugging Face model for sequence classification, served as a `SentenceClassifier` is."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding."""
        found = self.model(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        kept = attention_mask.unsqueeze(-1).to(found.logits.dtype)
        mean = (found.hidden_states[-1] * kept).sum(1) / kept.sum(1).clamp(min=1)
        return cast(Tensor, found.logits), nn.functional.normalize(mean)


def export(served: nn.Module, path: Path, *, quantize: bool = True) -> None:
    """Write a model as ONNX.

    Parameters
    ----------
    served : torch.nn.Module
        Takes ids and mask, returns logits and embedding.
    path : Path
        The file to write.
    quantize : bool
        Store weights, those of the token embeddings too, as 8-bit integers, and compute with
        them; activations are quantized as they come (dynamic quantization).
    """
    served = served.eval().cpu().float()
    with TemporaryDirectory() as scratch:
        plain = Path(scratch) / "model.onnx"
        _trace(served, plain if quantize else path)
        if quantize:
            _quantize(plain, path)


def _trace(served: nn.Module, path: Path) -> None:
    ids = torch.tensor([[3, 4, 5, 6, 7], [3, 4, 5, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    both = {0: "sentences", 1: "tokens"}
    with warnings.catch_warnings(), quiet(), torch.no_grad():
        # The tracer warns of every shape that it takes for a constant; tests with other shapes
        # than the traced one show that none matters.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            served,
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits", "embedding"],
            dynamic_axes={
                "input_ids": both,
                "attention_mask": both,
                "logits": {0: "sentences"},
                "embedding": {0: "sentences"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def _quantize(plain: Path, path: Path) -> None:
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a step of preparation that changes nothing here
    try:
        quantize_dynamic(
            plain,
            path,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            # Seven bits of eight: processors without VNNI add two products in 16 bits, and with
            # all eight the sum may not fit. It costs less than other schemes do, too.
            reduce_range=True,
        )
    finally:
        root.setLevel(level)


def encode_with(
    served: nn.Module,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    max_tokens: int,
    *,
    quantize: bool,
) -> NDArray[np.float32]:
    """Export, serve and return the logits of texts, float32 of shape (n_texts, n_labels)."""
    with TemporaryDirectory() as scratch:
        model, vocabulary = Path(scratch) / "model.onnx", Path(scratch) / "tokenizer.json"
        export(served, model, quantize=quantize)
        tokenizer.save(str(vocabulary))
        logits, _ = OnnxEncoder(model, vocabulary, max_tokens=max_tokens).encode(texts)
    return logits
