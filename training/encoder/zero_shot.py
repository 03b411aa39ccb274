"""Make the prototypes of techniques that have no classifier."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.recognizers.prototypes import Prototypes, ZeroShotCalibration

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

# Fitted on techniques that were held out from the training, over the sentences of expert-labelled
# texts and of reports that show none of them; docs/models/encoder.md has the measurement.
CALIBRATION = ZeroShotCalibration(slope=14.1, rival_slope=-4.8, offset=-8.7, ceiling=0.5)


def make_prototypes(
    descriptions: Mapping[str, str],
    examples: Mapping[str, Sequence[str]],
    learned: Collection[str],
    embed: Embed,
    calibration: ZeroShotCalibration = CALIBRATION,
) -> Prototypes:
    """Embed descriptions and examples of use, one vector a technique.

    Parameters
    ----------
    descriptions : mapping of technique to text
        The techniques to be found, and those that have a classifier.
    examples : mapping of technique to texts
        May lack techniques.
    learned : collection of str
        The techniques that have a classifier.
    embed : callable
        Returns embeddings of length one; the one that serves, so that both sides are alike.
    calibration : ZeroShotCalibration
    """
    techniques = sorted(descriptions)
    vectors = embed([descriptions[technique] for technique in techniques]).copy()
    used = [technique for technique in techniques if examples.get(technique)]
    if used:
        texts = [text for technique in used for text in examples[technique]]
        embedded = embed(texts)
        begin = 0
        row = {technique: number for number, technique in enumerate(techniques)}
        for technique in used:
            end = begin + len(examples[technique])
            # Half the description, half the examples, however many there are.
            vectors[row[technique]] += _unit(embedded[begin:end].mean(axis=0))
            begin = end
    vectors = _unit(vectors)
    known = np.array([technique in learned for technique in techniques], dtype=bool)
    found = tuple(technique for technique in techniques if technique not in learned)
    return Prototypes(found, vectors[~known], vectors[known], calibration)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)
