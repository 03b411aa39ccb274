"""How like each sentence of a report is to what is known of a technique.

A report that shows a technique has some sentence that says so, and before a model has learned the
technique three things tell which: the words of its name and of the texts that are known to show it
(Rocchio, "Relevance Feedback in Information Retrieval", 1971), and the words that reports with it
have and others have not (naive Bayes over reports; the report itself is left out, as all of its
words would speak for all of its techniques).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.recognizers.tfidf import WORD_SETTINGS, vectorizer
from training.labels import Example, LabelledDocument

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from engine.knowledge import Knowledge

# Log-odds for a cosine of one, and for a word that is e times as frequent in reports with the
# technique. Chosen by how often the best sentence of TRAM2's reports is one that its annotators
# marked: 0.37 of 1,071 pairs of report and technique, 0.29 by the cosine alone.
BY_COSINE = 10.0
BY_WORD = 0.15
WORD = r"(?u)[a-z][a-z0-9_.-]+"
TELLING = 5  # So many of a sentence's words count; otherwise long sentences would win.
SMOOTHING = 0.5


class Likeness:
    """Log-odds that a sentence shows a technique of its report, up to a constant.

    Parameters
    ----------
    documents : sequence of LabelledDocument
        Reports with the techniques that they show.
    known : iterable of Example
        Texts that are known to show techniques, such as those of seed data.
    knowledge : Knowledge
        Gives the names of techniques.
    """

    def __init__(
        self, documents: Sequence[LabelledDocument], known: Iterable[Example], knowledge: Knowledge
    ) -> None:
        from scipy.sparse import csr_matrix

        self._texts: defaultdict[str, list[int]] = defaultdict(list)
        self._members: defaultdict[str, list[int]] = defaultdict(list)
        self._number = {document.id: number for number, document in enumerate(documents)}
        for number, document in enumerate(documents):
            for technique in document.techniques:
                self._members[technique].append(number)
        texts = [sentence.text for document in documents for sentence in document.sentences]
        self._starts = np.cumsum([0, *(len(document.sentences) for document in documents)])
        self._names: dict[str, int] = {}
        for technique in sorted(self._members):
            self._names[technique] = len(texts)
            # Twice, so that no word of a name is too rare to count.
            texts += [_name(technique, knowledge)] * 2
        for example in known:
            if example.techniques:
                for technique in knowledge.with_parents(example.techniques):
                    self._texts[technique].append(len(texts))
                texts.append(example.text)
        self._found: dict[str, dict[int, NDArray[np.float32]]] = {}
        if not self._members:
            return  # Nobody found or added anything, so there is nothing to ask for.
        words = vectorizer({**WORD_SETTINGS, "token_pattern": WORD}, min_df=2, stop_words="english")
        self._words: csr_matrix = words.fit_transform(texts)
        sentences = self._words[: self._starts[-1]]
        self._has: csr_matrix = sentences.astype(bool).astype(np.float32)
        of = np.repeat(np.arange(len(documents)), np.diff(self._starts))
        shape = (len(documents), len(of))
        belongs = csr_matrix((np.ones(len(of)), (of, np.arange(len(of)))), shape=shape)
        self._reports: csr_matrix = (belongs @ self._has).astype(bool).astype(np.float32)
        self._every = np.asarray(self._reports.sum(axis=0)).ravel()

    def odds(self, document: str, technique: str) -> NDArray[np.float32]:
        """Return log-odds of shape (n_sentences,) for a technique that the document shows."""
        if technique not in self._found:
            self._found[technique] = self._of(technique)
        return self._found[technique][self._number[document]]

    def _of(self, technique: str) -> dict[int, NDArray[np.float32]]:
        members = self._members[technique]
        rows = np.concatenate([np.arange(self._starts[n], self._starts[n + 1]) for n in members])
        odds = BY_COSINE * (self._words[rows] @ self._centre(technique))
        odds += BY_WORD * _telling(self._has[rows], self._weights(members))
        sizes = np.diff(self._starts)[members]
        return dict(zip(members, np.split(odds, np.cumsum(sizes)[:-1]), strict=True))

    def _centre(self, technique: str) -> NDArray[np.float32]:
        """Return the name's words and the middle of the known texts, of length one each."""
        centre = self._words[self._names[technique]].toarray().ravel()
        if rows := self._texts[technique]:
            middle = np.asarray(self._words[rows].sum(axis=0)).ravel()
            length = float(np.linalg.norm(middle))
            centre = centre + middle / (length or 1.0)
        return np.asarray(centre, dtype=np.float32)

    def _weights(self, members: Sequence[int]) -> NDArray[np.float32]:
        """Return for each word how much more frequent it is in reports with the technique.

        Every word that counts stands in the report that is scored, so to leave that one out is
        to count one less.
        """
        others, without = len(members) - 1, self._reports.shape[0] - len(members)
        inside = np.asarray(self._reports[members].sum(axis=0)).ravel()
        outside = self._every - inside
        told = inside > 1
        share = (inside[told] - 1 + SMOOTHING) / (others + 2 * SMOOTHING)
        background = (outside[told] + SMOOTHING) / (without + 2 * SMOOTHING)
        weights = np.zeros(len(inside), dtype=np.float32)
        weights[told] = np.maximum(np.log(share / background), 0)
        return weights


def _name(technique: str, knowledge: Knowledge) -> str:
    known = knowledge.technique(technique)
    return f"{known.parent_name or ''} {known.name}"


def _telling(has: csr_matrix, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each row the sum of the greatest few weights of its words."""
    rows = np.repeat(np.arange(has.shape[0]), np.diff(has.indptr))
    values = weights[has.indices]
    order = np.lexsort((-values, rows))
    rank = np.arange(len(rows)) - has.indptr[rows]
    kept = np.where(rank < TELLING, values[order], 0)
    return np.bincount(rows, kept, minlength=has.shape[0]).astype(np.float32)
