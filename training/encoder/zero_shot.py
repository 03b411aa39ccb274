"""Make the prototypes of techniques that have no classifier, and calibrate them.

The calibration plays the case through on techniques that do have labels: some of them are taken
for unknown, and labelled texts tell how often the likeliest of the unknown ones is right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.recognizers.prototypes import Prototypes, ZeroShotCalibration
from training.encoder.descriptions import DESCRIPTIONS, examples_of_use

if TYPE_CHECKING:
    from training.labels import Example, LabelSet

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

# Every so manieth technique is taken for unknown.
EVERY = 3
# Texts to calibrate with, of either kind; more make no difference.
MOST_TEXTS = 2000
LEAST_HITS = 20
# Assumed share of sentences that show a technique without a classifier. TRAM2 marks far fewer, but
# its annotators did not look for most of these techniques.
PRIOR = 0.005
# The techniques that are only taken for unknown did shape the encoder, those that are unknown did
# not. On techniques held out from the training, odds were lower by this factor (logarithm).
DISCOUNT = 1.0

UNCALIBRATED = ZeroShotCalibration(slope=1, offset=0)


def make_prototypes(
    descriptions: Mapping[str, str],
    examples: Mapping[str, Sequence[str]],
    learned: Collection[str],
    embed: Embed,
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
        Returns embeddings of length one, comparable with those served.

    Returns
    -------
    Prototypes
        Not yet calibrated.
    """
    techniques = sorted(descriptions)
    vectors = embed([descriptions[technique] for technique in techniques]).copy()
    used = [technique for technique in techniques if examples.get(technique)]
    if used:
        embedded = embed([text for technique in used for text in examples[technique]])
        row = {technique: number for number, technique in enumerate(techniques)}
        begin = 0
        for technique in used:
            end = begin + len(examples[technique])
            # Half the description, half the examples, however many there are.
            vectors[row[technique]] += _unit(embedded[begin:end].mean(axis=0))
            begin = end
    vectors = _unit(vectors)
    known = np.array([technique in learned for technique in techniques], dtype=bool)
    found = tuple(technique for technique in techniques if technique not in learned)
    rivals = tuple(technique for technique in techniques if technique in learned)
    return Prototypes(found, vectors[~known], vectors[known], rivals, UNCALIBRATED)


def calibrate_zero_shot(
    prototypes: Prototypes, labels: LabelSet, embed: Embed
) -> ZeroShotCalibration | None:
    """Fit how likeness becomes a probability.

    Parameters
    ----------
    prototypes : Prototypes
        Not yet calibrated.
    labels : LabelSet
        Of its texts those are used that are no examples of use.
    embed : callable
        The one that serves.

    Returns
    -------
    ZeroShotCalibration or None
        None where the texts are too few to tell.
    """
    from sklearn.linear_model import LogisticRegression

    order = prototypes.rival_techniques
    taken = np.arange(len(order)) % EVERY == 0
    hidden = {technique for technique, is_taken in zip(order, taken, strict=True) if is_taken}
    used = {text for found in examples_of_use(labels).values() for text in found}
    texts = [e for e in labels.examples if e.source != DESCRIPTIONS and e.text not in used]
    chosen = _some(texts, lambda e: bool(hidden & e.techniques)) + _some(
        texts, lambda e: not hidden & e.techniques
    )
    if not chosen:
        return None
    unknown = np.concatenate([prototypes.vectors, prototypes.rivals[taken]])
    names = [*prototypes.techniques, *(t for t in order if t in hidden)]
    embedded = embed([example.text for example in chosen])
    likeness = embedded @ unknown.T
    best = likeness.argmax(axis=1)
    rival = (embedded @ prototypes.rivals[~taken].T).max(axis=1, initial=-1)
    hits = np.array(
        [names[b] in example.techniques for b, example in zip(best, chosen, strict=True)]
    )
    if min(hits.sum(), (~hits).sum()) < LEAST_HITS:
        return None
    features = np.stack([likeness[np.arange(len(best)), best], rival], axis=1)
    weights = np.where(hits, PRIOR / hits.mean(), (1 - PRIOR) / (~hits).mean())
    fitted = LogisticRegression(C=1e3).fit(features, hits, sample_weight=weights)
    slope, rival_slope = (float(value) for value in fitted.coef_[0])
    if slope <= 0:
        return None
    return ZeroShotCalibration(
        slope=slope, rival_slope=rival_slope, offset=float(fitted.intercept_[0]) - DISCOUNT
    )


def _some(texts: Sequence[Example], wanted: Callable[[Example], bool]) -> list[Example]:
    found = [example for example in texts if wanted(example)]
    step = max(1, len(found) // MOST_TEXTS)
    return found[::step][:MOST_TEXTS]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)
