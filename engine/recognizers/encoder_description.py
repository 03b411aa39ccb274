"""``encoder.json``: what is said of the model that lies beside it in a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.errors import ReleaseError

DESCRIPTION = "encoder.json"
PROTOCOL: Final = 1


class EncoderDescription(BaseModel):
    """What ``encoder.json`` says of the model beside it.

    Attributes
    ----------
    labels : tuple of str
        Technique ids of the columns of ``logits``.
    activation : {"sigmoid", "softmax"}
        Whether a sentence may show several techniques, or exactly one.
    slope, offset : float
        Calibration: the probability is ``activation(slope * logits + offset)``.
    max_tokens : int
        Longer sentences are cut.
    least_words : int
        Sentences with fewer words are not read; see `worth_reading`.
    base : str
        The encoder it was fine-tuned from, for people.
    figures : mapping
        What was measured when it was made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    protocol: Literal[1] = 1
    labels: tuple[str, ...]
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    slope: float = 1.0
    offset: float = 0.0
    max_tokens: int = Field(default=128, ge=8, le=512)
    least_words: int = Field(default=0, ge=0)
    base: str = ""
    figures: dict[str, Any] = {}

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the calibrated probabilities of the labels, of the shape of the logits."""
        from scipy.special import expit, softmax

        scaled = self.slope * logits.astype(np.float64) + self.offset
        how = expit(scaled) if self.activation == "sigmoid" else softmax(scaled, axis=1)
        return np.asarray(how, dtype=np.float32)


def read_description(directory: Path) -> EncoderDescription:
    """Read ``encoder.json``.

    Raises
    ------
    ReleaseError
        If it is missing, damaged or of a newer protocol.
    """
    path = directory / DESCRIPTION
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        protocol = fields.get("protocol")
        if isinstance(protocol, int) and protocol > PROTOCOL:
            raise ReleaseError(
                f"The encoder in {directory} is of protocol {protocol}; this ttpscribe reads up "
                f"to {PROTOCOL}. Upgrade ttpscribe: pip install -U ttpscribe"
            )
        return EncoderDescription(**fields)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"{path} cannot be read ({str(error)[:200]}). "
            "Fetch the release again, or use another: ttpscribe releases list"
        ) from error
