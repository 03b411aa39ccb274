"""The encoder's folder of a release: ``model.onnx``, ``tokenizer.json``, what is said of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import ReleaseError
from engine.recognizers.encoder import MODEL, TOKENIZER
from engine.recognizers.encoder_description import DESCRIPTION, EncoderDescription
from engine.recognizers.onnx_encoder import OnnxEncoder
from training.encoder.export import export
from training.encoder.zero_shot import make_prototypes
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch.nn import Module

FOLDER = "recognizers/encoder"


def folder_of(output: Path) -> Path:
    """Return the encoder's folder under a release's directory; it must not hold one yet.

    Raises
    ------
    ReleaseError
        If it does.
    """
    directory = output / FOLDER
    if (directory / MODEL).exists() or (output / "manifest.json").exists():
        raise ReleaseError(
            f"{output} holds an encoder or a whole release already, and releases never change. "
            "Give another --output."
        )
    return directory


def write_artefact(
    directory: Path,
    served: Module,
    tokenizer: Tokenizer,
    description: EncoderDescription,
    descriptions: Mapping[str, str],
    examples: Mapping[str, Sequence[str]],
    *,
    quantize: bool = True,
    steps: Steps = NO_STEPS,
) -> None:
    """Write the folder.

    Parameters
    ----------
    directory : Path
        Made when needed.
    served : torch.nn.Module
        Takes ids and mask, returns logits and embedding.
    tokenizer : Tokenizer
    description : EncoderDescription
    descriptions, examples : mapping
        Texts of techniques, for the zero-shot prototypes.
    quantize : bool
        Whether to store 8-bit weights.
    steps : Steps
    """
    directory.mkdir(parents=True, exist_ok=True)
    with steps.step("Export to ONNX", 1):
        tokenizer.save(str(directory / TOKENIZER))
        export(served, directory / MODEL, quantize=quantize)
    encoder = OnnxEncoder(
        directory / MODEL, directory / TOKENIZER, max_tokens=description.max_tokens
    )

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return encoder.encode(texts)[1]

    with steps.step("Embed the descriptions of techniques", 1):
        make_prototypes(descriptions, examples, description.labels, embed).save(directory)
    # Last: the folder is complete when this file is there.
    text = json.dumps(description.model_dump(mode="json"), indent=1, sort_keys=True)
    (directory / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
