"""From labelled examples to batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from training.labels import Targets

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from training.labels import Example

# Batches are cut from stretches of so many rows sorted by length: long enough to find rows of
# like length, short enough that their order stays random.
STRETCH = 4096
MOST_ROWS = 96


@dataclass(frozen=True, slots=True)
class Batch:
    """Sentences to learn from at once; all tensors on one device, rows are sentences."""

    input_ids: Tensor
    attention_mask: Tensor
    targets: Tensor
    weights: Tensor
    described: Tensor

    def __len__(self) -> int:
        return len(self.input_ids)

    def pieces(self, count: int) -> Iterator[Batch]:
        """Cut into about ``count`` parts of consecutive rows."""
        size = -(-len(self) // count)
        for begin in range(0, len(self), size):
            part = slice(begin, begin + size)
            yield Batch(
                self.input_ids[part],
                self.attention_mask[part],
                self.targets[part],
                self.weights[part],
                self.described[part],
            )


@dataclass(frozen=True)
class Rows:
    """Everything there is to learn from, tokenized.

    Attributes
    ----------
    tokens : tuple of array of int
    targets : Targets
    unknown_weight : ndarray of float32, shape (n_rows,)
        Weight, relative to the row's own, of cells whose truth is unknown.
    described : csr_matrix, shape (n_rows, n_described)
        1 where the row shows a technique that has a description.
    """

    tokens: tuple[NDArray[np.int32], ...]
    targets: Targets
    unknown_weight: NDArray[np.float32]
    described: csr_matrix

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.array([len(row) for row in self.tokens], dtype=np.int64)

    def batch(self, chosen: NDArray[np.intp], device: torch.device) -> Batch:
        """Return rows as tensors."""
        ids, mask = pad([self.tokens[row] for row in chosen])
        positive = self.targets.positive[chosen].toarray()
        known = self.targets.known[chosen] | positive
        weights = np.where(known, 1, self.unknown_weight[chosen, None])
        weights[self.targets.unsure[chosen].toarray()] = 0
        weights = weights * self.targets.weights[chosen, None]
        described = self.described[chosen].toarray()
        return Batch(
            ids.to(device),
            mask.to(device),
            torch.from_numpy(positive.astype(np.float32)).to(device),
            torch.from_numpy(weights.astype(np.float32)).to(device),
            torch.from_numpy(described.astype(np.float32)).to(device),
        )


def rows_of(
    examples: Sequence[Example],
    targets: Targets,
    described: Sequence[str],
    tokens: Sequence[NDArray[np.int32]],
    unknown_weight: float,
) -> Rows:
    """Join examples, what they teach, and their tokens.

    Texts that stand alone were written, or picked, to show one technique: what is not marked in
    them counts as absent. In documents it is unknown.
    """
    column = {technique: number for number, technique in enumerate(described)}
    pairs = [
        (row, column[technique])
        for row, example in enumerate(examples)
        for technique in example.techniques
        if technique in column
    ]
    places = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Rows(
        tuple(tokens),
        targets,
        np.array(
            [1.0 if example.kind == "text" else unknown_weight for example in examples],
            dtype=np.float32,
        ),
        csr_matrix(
            (np.ones(places.shape[1], np.float32), (places[0], places[1])),
            shape=(len(examples), len(column)),
        ),
    )


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int
) -> tuple[NDArray[np.int32], ...]:
    """Tokenize texts, cut to a length; the special tokens at both ends stay."""
    tokenizer.enable_truncation(max_tokens)
    try:
        encoded = tokenizer.encode_batch(list(texts))
    finally:
        tokenizer.no_truncation()
    return tuple(np.array(row.ids, dtype=np.int32) for row in encoded)


def pad(rows: Sequence[NDArray[np.int32]]) -> tuple[Tensor, Tensor]:
    """Return ids and mask of rows, padded to the longest of them."""
    width = max(len(row) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.int64)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.from_numpy(row.astype(np.int64))
        mask[number, : len(row)] = 1
    return ids, mask


def batches(
    lengths: NDArray[np.int64], batch_tokens: int, generator: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Put rows into batches of like length, in random order.

    Returns
    -------
    list of ndarray of int
        Row numbers; each batch has at most ``batch_tokens`` tokens with padding, or one row.
    """
    order = generator.permutation(len(lengths))
    result: list[NDArray[np.intp]] = []
    for begin in range(0, len(order), STRETCH):
        stretch = order[begin : begin + STRETCH]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        current: list[int] = []
        for row in stretch:
            too_long = (len(current) + 1) * int(lengths[row]) > batch_tokens
            if current and (too_long or len(current) >= MOST_ROWS):
                result.append(np.array(current, dtype=np.intp))
                current = []
            current.append(int(row))
        result.append(np.array(current, dtype=np.intp))
    shuffled = generator.permutation(len(result))
    return [result[number] for number in shuffled]


def described_meanings(
    described: Mapping[str, NDArray[np.float32]], device: torch.device
) -> Tensor:
    """Return embeddings of descriptions as one tensor, in the order of the mapping."""
    return torch.from_numpy(np.stack(list(described.values()))).to(device)
