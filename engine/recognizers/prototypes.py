"""Zero-shot: techniques without enough labelled sentences, reached by likeness of embeddings.

One vector stands for a technique: the embedding of its name with its description, and the mean of
those of examples of its use where there are any. A sentence is as likely to show the technique as
it is like that vector, and unlike those of the techniques that have a classifier of their own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.arrays import write_arrays
from engine.errors import ReleaseError

ARRAYS = "prototypes.safetensors"
SETTINGS = "prototypes.json"
LARGEST = 127

# Matrices for phones and for plants name many techniques as enterprise does; a document that
# never speaks of such things is not searched for theirs.
_DOMAIN_WORDS = {
    "mobile": re.compile(
        r"\b(?:android|ios|iphones?|ipads?|apk|smartphones?|mobile (?:app|device|malware|phone)s?"
        r"|google play|app store|sms)\b",
        re.IGNORECASE,
    ),
    "ics": re.compile(
        r"\b(?:plcs?|scada|hmis?|rtus?|modbus|opc ua|iec[ -]?(?:104|60870|61850)|industrial control"
        r"|control systems?|safety instrumented|substations?|operational technology)\b",
        re.IGNORECASE,
    ),
}


class ZeroShotCalibration(BaseModel):
    """How likeness becomes a probability.

    Attributes
    ----------
    slope, offset : float
        ``logit = slope * likeness + rival_slope * rival + offset``.
    rival_slope : float
        ``rival`` is the likeness to the nearest technique that has a classifier of its own: a
        sentence that is plainly about one of those speaks for no other.
    ceiling : float
        No zero-shot probability is higher: a likeness is a hint, not a recognition.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float
    offset: float
    rival_slope: float = 0.0
    ceiling: float = Field(default=0.2, gt=0, le=1)


@dataclass(frozen=True)
class Prototypes:
    """Vectors that stand for techniques.

    Attributes
    ----------
    techniques : tuple of str
        The techniques to be found by likeness, sorted.
    vectors : ndarray of float32, shape (n_techniques, n_dimensions)
        Of length one.
    rivals : ndarray of float32, shape (n_rivals, n_dimensions)
        Likewise, of the techniques that have a classifier.
    rival_techniques : tuple of str
        Those, sorted; empty where an older release does not name them.
    calibration : ZeroShotCalibration
    """

    techniques: tuple[str, ...]
    vectors: NDArray[np.float32]
    rivals: NDArray[np.float32]
    rival_techniques: tuple[str, ...]
    calibration: ZeroShotCalibration

    def probabilities(
        self, embeddings: NDArray[np.float32], allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return calibrated probabilities.

        Only a sentence's likeliest technique gets one: likenesses to related techniques rise
        together, and together they would say too much.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n_sentences, n_dimensions)
        allowed : ndarray of bool, shape (n_techniques,), optional
            The techniques that are in question; all by default.

        Returns
        -------
        ndarray of float32, shape (n_sentences, n_techniques)
        """
        result = np.zeros((len(embeddings), len(self.techniques)), dtype=np.float32)
        if not result.size or not (allowed is None or allowed.any()):
            return result
        likeness = embeddings @ self.vectors.T
        if allowed is not None:
            likeness[:, ~allowed] = -1
        rows = np.arange(len(embeddings))
        best = likeness.argmax(axis=1)
        rival = (embeddings @ self.rivals.T).max(axis=1, initial=-1)
        how = self.calibration
        logit = how.slope * likeness[rows, best] + how.rival_slope * rival + how.offset
        result[rows, best] = np.minimum(1 / (1 + np.exp(-logit)), how.ceiling)
        return result

    def save(self, directory: Path) -> None:
        """Write into a directory, vectors as 8-bit integers."""
        arrays = {"vectors": _quantized(self.vectors), "rivals": _quantized(self.rivals)}
        write_arrays(arrays, directory / ARRAYS)
        settings = {
            "techniques": self.techniques,
            "rivals": self.rival_techniques,
            "calibration": self.calibration.model_dump(),
        }
        (directory / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ReleaseError
            If a file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            arrays = load_file(directory / ARRAYS)
            settings = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
            techniques = tuple(settings["techniques"])
            vectors, rivals = _restored(arrays["vectors"]), _restored(arrays["rivals"])
            # The first releases do not name their rivals, whose scores need no name.
            named = settings.get("rivals")
            rival_techniques = () if named is None else tuple(named)
            expected = len(rivals) if named is None else len(rival_techniques)
            if (len(vectors), len(rivals)) != (len(techniques), expected):
                raise ValueError("there are not as many vectors as techniques")
            calibration = ZeroShotCalibration(**settings["calibration"])
            return cls(techniques, vectors, rivals, rival_techniques, calibration)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise ReleaseError(
                f"The zero-shot prototypes in {directory} cannot be read ({error}). "
                "Fetch the release again, or use another: ttpscribe releases list"
            ) from error


def domains_in(text: str) -> frozenset[str]:
    """Return the domains of ATT&CK whose techniques a document may show, by what it speaks of."""
    spoken = (domain for domain, words in _DOMAIN_WORDS.items() if words.search(text))
    return frozenset({"enterprise", *spoken})


def _quantized(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    scale = np.abs(vectors).max(axis=1, keepdims=True, initial=1e-9) / LARGEST
    return np.asarray(np.rint(vectors / scale), dtype=np.int8)


def _restored(stored: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return vectors of length one: their scales need not be stored."""
    vectors = stored.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors
