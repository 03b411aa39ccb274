"""How often a technique is seen, before a word is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from engine.fusion.alignment import LabelSpace
from training.fusion.scored import Truth
from training.fusion.settings import FusionSettings

RAREST = 1e-4


def document_prior(
    truths: Sequence[Truth],
    counts: Mapping[str, int],
    space: LabelSpace,
    settings: FusionSettings,
) -> NDArray[np.float32]:
    """Return the log-odds that a document shows a technique, shape (n_techniques,).

    The frequency in documents whose annotators looked for it, mixed with its frequency in all
    labels, which alone speaks where nobody looked.
    """
    general = _general(counts, space) * settings.techniques_a_document
    complete = np.array([truth.complete for truth in truths])
    shown = np.array([truth.document for truth in truths]) & complete
    weight = settings.prior_weight
    share = (shown.sum(axis=0) + weight * general + RAREST) / (
        complete.sum(axis=0) + weight + 2 * RAREST
    )
    return np.asarray(logit(np.clip(share, RAREST, 0.9)), dtype=np.float32)


def sentence_prior(truths: Sequence[Truth], document: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-odds that a sentence shows a technique, shape (n_techniques,).

    A constant below that of the document: how often a technique is repeated in a document says
    more of the document than of the technique.
    """
    n_sentences = sum(len(truth.sentences) for truth in truths)
    shown = sum(int((truth.sentences & truth.complete).sum()) for truth in truths)
    documents = sum(int((truth.document & truth.complete).sum()) for truth in truths)
    repeated = max(shown, 1) / max(documents, 1) * len(truths) / max(n_sentences, 1)
    return np.asarray(document + np.log(repeated), dtype=np.float32)


def _general(counts: Mapping[str, int], space: LabelSpace) -> NDArray[np.float64]:
    """Return each technique's share of all labels."""
    own = np.array([counts.get(technique, 0) for technique in space.techniques], dtype=float)
    share: NDArray[np.float64] = own / max(own.sum(), 1.0)
    return share
