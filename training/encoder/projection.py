"""Back from the fine-tuned embeddings to those of the base, by one linear map.

Fine-tuning draws together what the labels do not tell apart, and so loses what would tell apart
the techniques it has no labels of. Most of it can be had back linearly: fitted on the texts at
hand, the map makes zero-shot as good as it is with the base itself, for the price of one small
matrix in the same forward pass (docs/models/encoder.md has the figures).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from training.encoder.machine import Machine
from training.encoder.model import SentenceClassifier

RIDGE = 1.0


def fit_projection(
    model: SentenceClassifier,
    tokens: tuple[NDArray[np.int32], ...],
    base: NDArray[np.float32],
    machine: Machine,
) -> None:
    """Set the model's projection by ridge regression.

    Parameters
    ----------
    model : SentenceClassifier
    tokens : tuple of array of int
        Texts, tokenized.
    base : ndarray of float32, shape (n_texts, n_dimensions)
        Their embeddings by the encoder before it was trained, of length one.
    machine : Machine
    """
    tuned = machine.embed(model, tokens).astype(np.float64)
    with_bias = np.concatenate([tuned, np.ones((len(tuned), 1))], axis=1)
    square = with_bias.T @ with_bias + RIDGE * np.eye(with_bias.shape[1])
    weights = np.linalg.solve(square, with_bias.T @ base.astype(np.float64)).astype(np.float32)
    with torch.no_grad():
        model.projection.weight.copy_(torch.from_numpy(weights[:-1].T.copy()))
        model.projection.bias.copy_(torch.from_numpy(weights[-1].copy()))
