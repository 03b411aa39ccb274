"""The fused probabilities of techniques in sentences, of techniques and tactics in a document.

Three logistic regressions, each over the features of `engine.fusion.features`, stacked: the
second reads what the first made of the sentences, the third what the second made of the
document (Wolpert, "Stacked Generalization", 1992). They are fitted on out-of-fold scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from engine.errors import ReleaseError
from engine.fusion.adaptation import Adaptation
from engine.fusion.alignment import Aligned, LabelSpace, align
from engine.fusion.features import (
    EXPLICIT,
    FLOOR,
    Candidates,
    document_candidates,
    document_feature_names,
    sentence_candidates,
    sentence_feature_names,
    to_logit,
)
from engine.fusion.logistic import Logistic, Priors
from engine.types import Document, Recognition

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

FILE = "fusion.json"
TACTIC_FEATURES = ("any", "best", "whole", "has_whole")


@dataclass(frozen=True)
class Scores:
    """Fused probabilities of one document.

    Attributes
    ----------
    sentences : Candidates
        The candidate pairs of sentence and technique.
    probabilities : ndarray of float32, shape (n_candidates,)
    documents : ndarray of float32, shape (n_techniques,)
        A parent is at least as probable as its sub-techniques.
    tactics : dict of tactic id to float
    aligned : dict of recognizer to Aligned
    raised : ndarray of float32, shape (n_candidates,), or None
        The probability of candidates that verdicts raised, else 0.
    """

    sentences: Candidates
    probabilities: NDArray[np.float32]
    documents: NDArray[np.float32]
    tactics: dict[str, float]
    aligned: dict[str, Aligned]
    raised: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Found:
    """What `Fusion.techniques` finds; attributes as of `Scores`."""

    pairs: Candidates
    probabilities: NDArray[np.float32]
    documents: NDArray[np.float32]
    raised: NDArray[np.float32] | None


class Fusion:
    """Joins recognitions; immutable, so it can be shared by threads.

    Two kinds of scores it has not learned to weigh, and takes at their word: those of techniques
    that no cross-validated recognizer was trained on (zero-shot ones), and those of recognizers
    that it was fitted without, such as an outsider's.

    Parameters
    ----------
    recognizers : sequence of str
        Names of those it was fitted with, ``explicit`` apart.
    space : LabelSpace
    sentence, document, tactic : Logistic
    priors : Priors
    knowledge : Knowledge
    fitted : ndarray of bool, shape (n_techniques,), optional
        The techniques that it was fitted with; without, all.
    adaptation : Adaptation, optional
        What was learned from verdicts on top.
    """

    def __init__(
        self,
        recognizers: Sequence[str],
        space: LabelSpace,
        sentence: Logistic,
        document: Logistic,
        tactic: Logistic,
        priors: Priors,
        knowledge: Knowledge,
        fitted: NDArray[np.bool_] | None = None,
        adaptation: Adaptation | None = None,
    ) -> None:
        self.adaptation = adaptation
        self.fitted = np.ones(len(space.techniques), dtype=bool) if fitted is None else fitted
        self.recognizers = tuple(recognizers)
        self.space = space
        self.sentence = sentence
        self.document = document
        self.tactic = tactic
        self.priors = priors
        self.knowledge = knowledge

    def align(self, recognitions: Iterable[Recognition]) -> dict[str, Aligned]:
        """Bring recognitions onto the label space, by recognizer."""
        return {
            recognition.recognizer: align(recognition, self.space, self.knowledge)
            for recognition in recognitions
        }

    def score(self, document: Document, recognitions: Sequence[Recognition]) -> Scores:
        """Return the fused probabilities of a document."""
        aligned = self.align(recognitions)
        features = self._features(recognitions)
        found = self.techniques(document, aligned, features)
        tactics = self.score_tactics(found.documents, recognitions)
        return Scores(
            found.pairs, found.probabilities, found.documents, tactics, aligned, found.raised
        )

    def score_techniques(
        self, document: Document, recognitions: Sequence[Recognition]
    ) -> NDArray[np.float32]:
        """Return the probability of each technique of the label space in a document."""
        aligned = self.align(recognitions)
        return self.techniques(document, aligned, self._features(recognitions)).documents

    def _features(self, recognitions: Sequence[Recognition]) -> NDArray[np.float32] | None:
        """Return the features of sentences that the adaptation needs."""
        if self.adaptation is None:
            return None
        for recognition in recognitions:
            if recognition.recognizer == self.adaptation.recognizer:
                return recognition.features
        return None

    def techniques(
        self,
        document: Document,
        aligned: Mapping[str, Aligned],
        features: NDArray[np.float32] | None,
    ) -> Found:
        """Return the probabilities of techniques alone, of recognitions aligned before.

        Parameters
        ----------
        document : Document
        aligned : mapping from recognizer to Aligned
        features : ndarray of float32, shape (n_sentences, n_features), or None
            Of the recognizer that the adaptation names; without, it corrects nothing.
        """
        words = np.array([len(s.text.split()) for s in document.sentences], dtype=np.int64)
        pairs = sentence_candidates(aligned, self.recognizers, words, self.priors.sentence)
        probabilities = self.sentence.probabilities(
            pairs.features, self.priors.sentence_offset[pairs.columns]
        )
        word = self._at_their_word(pairs, aligned)
        probabilities = np.where(
            self.fitted[pairs.columns], np.maximum(probabilities, word), word
        ).astype(np.float32)
        offsets, raised = self.priors.document_offset, None
        if self.adaptation is not None and features is not None:
            pairs, probabilities, raised = self.adaptation.apply(
                pairs, probabilities, features, self.space
            )
            word = self._at_their_word(pairs, aligned)
            word = np.where(self.fitted[pairs.columns], word, probabilities)
            offsets = offsets + self.adaptation.offsets(self.space)
        found = document_candidates(
            aligned, self.recognizers, pairs, probabilities, len(words), self.priors.document
        )
        by_technique = np.zeros(len(self.space.techniques), dtype=np.float32)
        by_technique[found.columns] = self.document.probabilities(
            found.features, offsets[found.columns]
        )
        by_technique[~self.fitted] = 0
        np.maximum.at(by_technique, pairs.columns, word)
        self._shift_unfitted(by_technique, offsets)
        self._explicit_wins(by_technique, aligned)
        self._raise_parents(by_technique)
        return Found(pairs, probabilities, by_technique, raised)

    def _shift_unfitted(
        self, by_technique: NDArray[np.float32], offsets: NDArray[np.float32]
    ) -> None:
        """Correct techniques whose document score is that of their best sentence."""
        from scipy.special import expit, logit

        chosen = ~self.fitted & (offsets != 0) & (by_technique > 0)
        odds = logit(np.clip(by_technique[chosen], 1e-6, 1 - 1e-6)) + offsets[chosen]
        by_technique[chosen] = expit(odds)

    def _at_their_word(
        self, pairs: Candidates, aligned: Mapping[str, Aligned]
    ) -> NDArray[np.float32]:
        """Return, for each candidate, the largest score that was not learned to be weighed."""
        word = np.zeros(len(pairs.rows), dtype=np.float32)
        for name, one in aligned.items():
            if name == EXPLICIT:
                continue
            own = one.at(pairs.rows, pairs.columns)
            if name in self.recognizers:
                own[self.fitted[pairs.columns]] = 0
            np.maximum(word, own, out=word)
        return word

    def _explicit_wins(
        self, by_technique: NDArray[np.float32], aligned: Mapping[str, Aligned]
    ) -> None:
        """Where the document names a technique, the explicit recognizer's score is the least.

        Not so for single sentences: a row of an ATT&CK table names a technique without
        describing it, and annotators seldom mark such a row.
        """
        if EXPLICIT in aligned and aligned[EXPLICIT].sentences.nnz:
            named = aligned[EXPLICIT].sentences.max(axis=0).toarray().ravel()
            np.maximum(by_technique, named, out=by_technique)

    def _raise_parents(self, by_technique: NDArray[np.float32]) -> None:
        children = np.flatnonzero(self.space.parent >= 0)
        np.maximum.at(by_technique, self.space.parent[children], by_technique[children])

    def score_tactics(
        self, by_technique: NDArray[np.float32], recognitions: Sequence[Recognition]
    ) -> dict[str, float]:
        """Return the probability of each tactic that a technique of the label space serves."""
        tactics, features = self.tactic_features(by_technique, recognitions)
        return dict(zip(tactics, map(float, self.tactic.probabilities(features)), strict=True))

    def tactic_features(
        self, by_technique: NDArray[np.float32], recognitions: Sequence[Recognition]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Return the tactics, sorted, and their features: from techniques, and directly."""
        members = self._members
        whole = {
            tactic: score
            for recognition in recognitions
            for tactic, score in recognition.tactic_scores.items()
        }
        rows = []
        for columns in members.values():
            own = by_technique[columns]
            any_of = 1 - float(np.prod(1 - np.clip(own, 0, 1 - FLOOR)))
            rows.append([any_of, float(own.max(initial=0))])
        odds = to_logit(np.array(rows, dtype=np.float32).reshape(-1, 2))
        direct = [[float(to_logit(whole.get(t, 0.5))), float(t in whole)] for t in members]
        features = np.hstack([odds, np.array(direct, dtype=np.float32).reshape(-1, 2)])
        return list(members), features

    @cached_property
    def _members(self) -> dict[str, NDArray[np.int64]]:
        members: dict[str, list[int]] = {}
        for column, technique in enumerate(self.space.techniques):
            for tactic in self.knowledge.technique(technique).tactics:
                members.setdefault(tactic, []).append(column)
        return {tactic: np.array(members[tactic]) for tactic in sorted(members)}

    def save(self, directory: Path) -> None:
        """Write ``fusion.json``: the same fusion gives the same bytes."""
        priors = {
            technique: [
                round(float(values[column]), 6)
                for values in (
                    self.priors.sentence,
                    self.priors.document,
                    self.priors.sentence_offset,
                    self.priors.document_offset,
                )
            ]
            for column, technique in enumerate(self.space.techniques)
            if self.fitted[column]
        }
        fields = {
            "recognizers": self.recognizers,
            "sentence": self.sentence.to_json(),
            "document": self.document.to_json(),
            "tactic": self.tactic.to_json(),
            "priors": priors,
        }
        directory.mkdir(parents=True, exist_ok=True)
        if self.adaptation is not None:
            self.adaptation.save(directory)
        (directory / FILE).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path | None, knowledge: Knowledge) -> Self:
        """Load from a release.

        A technique that the knowledge has since revoked is read as its successor.

        Raises
        ------
        ReleaseError
            If the file is missing, damaged, or was made for other features.
        """
        if directory is None:
            raise ReleaseError("The release holds no fusion. Fetch the release again.")
        try:
            fields = json.loads((directory / FILE).read_text(encoding="utf-8"))
            recognizers = [str(name) for name in fields["recognizers"]]
            everything = (technique.id for technique in knowledge.techniques())
            space = LabelSpace.of(everything, knowledge)
            fitted = np.zeros(len(space.techniques), dtype=bool)
            learned = space.columns_of(fields["priors"], knowledge)
            fitted[learned[learned >= 0]] = True
            return cls(
                recognizers,
                space,
                Logistic.from_json(fields["sentence"], sentence_feature_names(recognizers)),
                Logistic.from_json(fields["document"], document_feature_names(recognizers)),
                Logistic.from_json(fields["tactic"], TACTIC_FEATURES),
                _priors(fields["priors"], space, knowledge),
                knowledge,
                fitted,
                Adaptation.load(directory, knowledge),
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ReleaseError(
                f"The fusion in {directory} cannot be read ({error}). "
                "Fetch the release again, or: ttpscribe releases rollback"
            ) from error


def _priors(rows: Mapping[str, Sequence[float]], space: LabelSpace, knowledge: Knowledge) -> Priors:
    table = np.zeros((4, len(space.techniques)), dtype=np.float32)
    table[:2] = np.log(FLOOR)
    for column, row in zip(space.columns_of(rows, knowledge), rows.values(), strict=True):
        if column >= 0:
            table[:, column] = row
    return Priors(*table)
