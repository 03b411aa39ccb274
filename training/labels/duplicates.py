"""Near-duplicates: texts that repeat each other, found by the runs of words they share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from training.labels.types import Example, LabelledDocument

# Runs of four words are rare enough that two texts share them only by repeating each other.
RUN = 4
# With fewer runs than this in the shorter text, chance phrases would decide.
LEAST_RUNS = 3
BUCKETS = 2**26
BLOCK = 4096

_WORD = re.compile(r"[a-z0-9]+")


def normalise(text: str) -> str:
    """Return lower-case letters and digits only, words parted by one space."""
    return " ".join(_WORD.findall(text.lower()))


def near_duplicates(
    examples: Sequence[Example | LabelledDocument],
    against: Iterable[Example | LabelledDocument],
    threshold: float = 0.6,
) -> NDArray[np.bool_]:
    """Tell which examples repeat one of the other texts.

    A text repeats another if both are equal once normalised, or if they share at least
    ``threshold`` of the shorter one's runs of four words. So a phrase cut out of a longer
    sentence, or of a whole document, is found too, whichever of the two is the longer.

    Parameters
    ----------
    examples : sequence of Example or LabelledDocument
        What may repeat.
    against : iterable of Example or LabelledDocument
        What must not be repeated, for example the documents held out; of a document its
        sentences too.
    threshold : float
        Share of runs in (0, 1].

    Returns
    -------
    ndarray of bool, shape (n_examples,)
        True where the example repeats another text.
    """
    texts, index = _unique(example.text for example in examples)
    others, _ = _unique(_with_sentences(against))
    if not texts or not others:
        return np.zeros(len(examples), dtype=bool)
    exact = set(others) - {""}
    found = np.fromiter((text in exact for text in texts), dtype=bool, count=len(texts))
    rows, other_rows = _runs(texts), _runs(others)
    sizes, other_sizes = _sizes(rows), _sizes(other_rows)
    transposed = other_rows.T.tocsr()
    for begin in range(0, len(texts), BLOCK):
        block = coo_matrix(rows[begin : begin + BLOCK] @ transposed)
        smaller = np.minimum(sizes[begin + block.row], other_sizes[block.col])
        hit = (smaller >= LEAST_RUNS) & (block.data >= threshold * smaller)
        found[begin + block.row[hit]] = True
    return np.asarray(found[index], dtype=bool)


def drop_near_duplicates(
    examples: Sequence[Example],
    against: Iterable[Example | LabelledDocument],
    threshold: float = 0.6,
) -> tuple[Example, ...]:
    """Return the examples that repeat none of the other texts; see `near_duplicates`."""
    repeats = near_duplicates(examples, against, threshold)
    return tuple(example for example, repeat in zip(examples, repeats, strict=True) if not repeat)


def group_documents(
    documents: Sequence[LabelledDocument], threshold: float = 0.3
) -> NDArray[np.intp]:
    """Give documents that repeat each other the same group number.

    Parameters
    ----------
    documents : sequence of LabelledDocument
        What to group.
    threshold : float
        Share of the shorter document's runs of four words from which two belong together.

    Returns
    -------
    ndarray of intp, shape (n_documents,)
        The group of each document, from 0 in order of first appearance.
    """
    if not documents:
        return np.zeros(0, dtype=np.intp)
    texts = [normalise(document.text) for document in documents]
    rows = _runs(texts)
    sizes = _sizes(rows)
    shared = coo_matrix(rows @ rows.T)
    smaller = np.minimum(sizes[shared.row], sizes[shared.col])
    linked = (smaller >= LEAST_RUNS) & (shared.data >= threshold * smaller)
    first: dict[str, int] = {}
    same = [first.setdefault(text, number) for number, text in enumerate(texts)]
    row = np.concatenate([shared.row[linked], np.arange(len(texts))])
    column = np.concatenate([shared.col[linked], np.asarray(same)])
    links = coo_matrix((np.ones(len(row)), (row, column)), shape=(len(texts), len(texts)))
    _, groups = connected_components(links, directed=False)
    return np.asarray(groups, dtype=np.intp)


def _with_sentences(items: Iterable[Example | LabelledDocument]) -> Iterator[str]:
    for item in items:
        yield item.text
        if isinstance(item, LabelledDocument):
            yield from (sentence.text for sentence in item.sentences)


def _unique(texts: Iterable[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the different normalised texts, and which of them each text is."""
    places: dict[str, int] = {}
    index = [places.setdefault(normalise(text), len(places)) for text in texts]
    return list(places), np.asarray(index, dtype=np.intp)


def _runs(texts: Sequence[str]) -> csr_matrix:
    vectorizer = HashingVectorizer(
        analyzer="word",
        token_pattern=r"\S+",  # noqa: S106 - a pattern of words, not a secret
        ngram_range=(RUN, RUN),
        n_features=BUCKETS,
        binary=True,
        norm=None,
        alternate_sign=False,
        lowercase=False,
        dtype=np.float32,
    )
    return csr_matrix(vectorizer.transform(texts))


def _sizes(rows: csr_matrix) -> NDArray[np.intp]:
    return np.asarray(np.diff(rows.indptr), dtype=np.intp)
