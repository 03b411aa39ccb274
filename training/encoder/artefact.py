"""The encoder's folder of a release: ``model.onnx``, ``tokenizer.json``, what is said of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import ReleaseError
from engine.recognizers.encoder import MODEL, TOKENIZER
from engine.recognizers.encoder_description import DESCRIPTION, EncoderDescription
from engine.recognizers.onnx_encoder import OnnxEncoder
from engine.recognizers.prototypes import Prototypes
from training.encoder.export import export
from training.encoder.zero_shot import Embed, calibrate_zero_shot
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch.nn import Module

    from training.labels import LabelSet

log = logging.getLogger(__name__)

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
    prototypes: Callable[[Embed], Prototypes],
    labels: LabelSet,
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
    prototypes : callable
        Makes those for zero-shot, given what embeds texts as they are served.
    labels : LabelSet
        Texts to calibrate them on; without enough of them zero-shot is left out.
    quantize : bool
        Whether to store 8-bit weights.
    steps : Steps
    """
    directory.mkdir(parents=True, exist_ok=True)
    with steps.step("Export to ONNX", 1):
        tokenizer.save(str(directory / TOKENIZER), pretty=False)
        export(served, directory / MODEL, quantize=quantize)
    encoder = OnnxEncoder(
        directory / MODEL, directory / TOKENIZER, max_tokens=description.max_tokens
    )

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return encoder.encode(texts)[1]

    with steps.step("Calibrate zero-shot", 1):
        made = prototypes(embed)
        calibration = calibrate_zero_shot(made, labels, embed)
        if calibration is None:
            log.warning("Too few labelled texts to calibrate zero-shot: it is left out.")
        else:
            replace(made, calibration=calibration).save(directory)
    # Last: the folder is complete when this file is there.
    text = json.dumps(description.model_dump(mode="json"), indent=1, sort_keys=True)
    (directory / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
