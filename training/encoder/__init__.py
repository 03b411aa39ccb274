"""Fine-tune an encoder and make its part of a release.

From top to bottom: `settings` say how, `base` loads the encoder to start from, `data` turns labels
into batches, `model` and `loss` are what is learned, `loop` learns (`checkpoint` lets it go on
after an interruption), `train` does all of it and also scores every document by a model that has
not seen it. `export` writes ONNX, `zero_shot` the prototypes, `artefact` the folder of the
release; `importing` makes the same folder of somebody's own fine-tuned checkpoint.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.encoder.importing import import_checkpoint
    from training.encoder.settings import EncoderTrainingSettings
    from training.encoder.train import EncoderTraining, train_encoder

__all__ = ["EncoderTraining", "EncoderTrainingSettings", "import_checkpoint", "train_encoder"]
_HOMES = {
    "EncoderTraining": "train",
    "EncoderTrainingSettings": "settings",
    "import_checkpoint": "importing",
    "train_encoder": "train",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the settings alone, which the command's help shows, need no torch.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
