"""The loss: what a sentence shows, what is not known of it, and what techniques mean.

Binary cross-entropy a technique, every cell with a weight of its own: full where the annotators
looked, small where they did not. "Nothing here" needs no class: such a sentence is a negative of
every technique. See docs/decisions/0006-encoder.md for the losses that were compared.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

# Sums are divided by one number rather than by the rows of a batch: batches hold a like number
# of tokens, so a mean would make the words of a long sentence count more than those of a short.
ROWS = 32
TEMPERATURE = 20.0


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy summed over all cells, each with its weight.

    Parameters
    ----------
    logits, targets, weights : Tensor, shape (n_sentences, n_labels)
    """
    total = functional.binary_cross_entropy_with_logits(
        logits, targets, weight=weights, reduction="sum"
    )
    return total / ROWS


def alignment(embeddings: Tensor, meanings: Tensor, shown: Tensor) -> Tensor:
    """Pull each sentence towards the descriptions of the techniques it shows.

    A softmax over the likeness to all descriptions (InfoNCE: van den Oord et al. 2018,
    https://arxiv.org/abs/1807.03748). It keeps the embeddings comparable with descriptions, which
    zero-shot needs; the classifier alone would bend them at will.

    Parameters
    ----------
    embeddings : Tensor, shape (n_sentences, n_dimensions)
    meanings : Tensor, shape (n_described, n_dimensions)
        Embeddings of the descriptions by the base encoder, of length one.
    shown : Tensor, shape (n_sentences, n_described)
        1 where the sentence shows the technique; rows without any count nothing.
    """
    rows = shown.sum(1) > 0
    if not bool(rows.any()):
        return embeddings.new_zeros(())
    chosen = shown[rows]
    likeness = functional.normalize(embeddings[rows]) @ meanings.T
    scores = torch.log_softmax(TEMPERATURE * likeness, dim=1)
    return -((scores * chosen).sum(1) / chosen.sum(1)).sum() / ROWS
