"""The model that is trained: an encoder, its mean over the tokens, a linear layer."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class SentenceClassifier(nn.Module):
    """Scores sentences for several techniques at once, and embeds them.

    The mean over the tokens rather than the first token's vector: encoders trained for likeness
    of sentences are trained on it, and others lose nothing by it.

    Parameters
    ----------
    encoder : torch.nn.Module
        A Hugging Face encoder.
    n_labels : int
    dropout : float
        On the embedding, before the linear layer.
    """

    def __init__(self, encoder: nn.Module, n_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        width = int(cast(int, encoder.config.hidden_size))  # type: ignore[union-attr]
        self.head = nn.Linear(width, n_labels)
        nn.init.zeros_(self.head.weight)
        # Not learned with the rest; see `training.encoder.projection`.
        self.projection = nn.Linear(width, width).requires_grad_(False)
        nn.init.eye_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the mean over the tokens, of shape (n_sentences, n_dimensions)."""
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state.float()
        kept = attention_mask.unsqueeze(-1).to(states.dtype)
        return cast(Tensor, (states * kept).sum(1) / kept.sum(1).clamp(min=1))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, and the projected embeddings of length one."""
        embedding = self.embed(input_ids, attention_mask)
        projected = nn.functional.normalize(self.projection(embedding))
        return self.head(self.dropout(embedding)), projected

    def begin_with_priors(self, frequencies: Tensor) -> None:
        """Set the biases so that the first predictions are the labels' frequencies.

        Without it the first hundred steps only learn that most techniques are rare.
        """
        with torch.no_grad():
            self.head.bias.copy_(torch.logit(frequencies.clamp(1e-4, 0.3)))

    def freeze_vocabulary(self) -> None:
        """Leave the token embeddings as they are."""
        embeddings = self.encoder.get_input_embeddings()  # type: ignore[operator]
        embeddings.weight.requires_grad_(False)
