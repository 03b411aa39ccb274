"""From probabilities to findings, suggestions, tactics and sentences at an operating point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.fusion.adaptation import VERDICTS
from engine.fusion.features import EXPLICIT
from engine.fusion.model import Fusion, Scores
from engine.types import (
    Document,
    Evidence,
    Finding,
    Recognition,
    SentenceTechniques,
    TacticScore,
)

if TYPE_CHECKING:
    from engine.releases import OperatingPoint

MOST_EVIDENCE = 5
# A sentence this much less probable than the best one of the technique adds nothing.
EVIDENCE_SHARE = 0.4
LEAST_EVIDENCE = 0.05
DESCRIBED = 0.5
TACTIC_THRESHOLD = 0.5
VERDICTS_NOTE = "learned from verdicts on earlier reports"


@dataclass(frozen=True)
class Selection:
    """What an operating point makes of the scores of a document."""

    findings: tuple[Finding, ...]
    suggestions: tuple[Finding, ...]
    tactics: tuple[TacticScore, ...]
    sentences: tuple[SentenceTechniques, ...]


def select(
    document: Document,
    scores: Scores,
    recognitions: Sequence[Recognition],
    fusion: Fusion,
    point: OperatingPoint,
) -> Selection:
    """Apply the thresholds of an operating point.

    A sub-technique implies its parent, so a parent is left out where one of its sub-techniques
    is listed, unless the text names the parent itself.
    """
    by_name = {recognition.recognizer: recognition for recognition in recognitions}
    named = by_name.get(EXPLICIT)
    printed = frozenset(technique for _, technique in named.spans) if named else frozenset()
    probability = {
        technique: float(scores.documents[column])
        for technique, column in fusion.space.column.items()
        if scores.documents[column] >= point.suggest_threshold
    }
    written = {t for t, p in probability.items() if p >= point.write_threshold}
    chosen = fusion.knowledge.most_specific(written) | (written & printed)
    others = fusion.knowledge.most_specific(set(probability)) - written
    evidence = _Evidence(document, scores, by_name, fusion)

    def findings(techniques: frozenset[str] | set[str]) -> tuple[Finding, ...]:
        made = (
            Finding(
                technique,
                fusion.knowledge.technique(technique).full_name,
                probability[technique],
                technique in printed,
                evidence.of(technique),
            )
            for technique in techniques
        )
        return tuple(sorted(made, key=lambda f: (-f.probability, f.technique)))

    return Selection(
        findings(chosen),
        findings(others),
        _tactics(scores.tactics, fusion),
        _sentences(scores, fusion, point.sentence_threshold),
    )


class _Evidence:
    """Finds the sentences that speak for a technique, and the recognizer that says so."""

    def __init__(
        self,
        document: Document,
        scores: Scores,
        recognitions: Mapping[str, Recognition],
        fusion: Fusion,
    ) -> None:
        pairs = scores.sentences
        self.document = document
        self.scores = scores
        self.recognitions = recognitions
        self.fusion = fusion
        # By recognizer, its own score of each candidate pair.
        self.own = {
            name: aligned.at(pairs.rows, pairs.columns) for name, aligned in scores.aligned.items()
        }
        if scores.raised is not None:
            self.own[VERDICTS] = scores.raised
        # As evidence, a printed name or id counts whatever the models make of the sentence.
        self.probabilities = np.maximum(scores.probabilities, self.own.get(EXPLICIT, 0))
        self.order = np.lexsort((-self.probabilities, pairs.columns))
        self.columns = pairs.columns[self.order]

    def of(self, technique: str) -> tuple[Evidence, ...]:
        column = self.fusion.space.column[technique]
        columns = [column, *np.flatnonzero(self.fusion.space.parent == column)]
        places = np.concatenate([self._places(number) for number in columns])
        probabilities = self.probabilities[places]
        # A sentence that describes it says more than a row of a table that only names it.
        described = self.scores.probabilities[places] >= DESCRIBED
        rows = self.scores.sentences.rows[places]
        ranking = np.lexsort((rows, -probabilities, ~described))
        least = max(LEAST_EVIDENCE, EVIDENCE_SHARE * float(probabilities.max(initial=0)))
        found: dict[int, Evidence] = {}
        for place in places[ranking]:
            probability = float(self.probabilities[place])
            if len(found) == MOST_EVIDENCE or (found and probability < least):
                break
            row = int(self.scores.sentences.rows[place])
            if row not in found:
                found[row] = self._at(int(place), probability)
        return tuple(found.values())

    def _places(self, column: int) -> NDArray[np.int64]:
        begin, end = np.searchsorted(self.columns, [column, column + 1])
        return self.order[begin:end]

    def _at(self, place: int, probability: float) -> Evidence:
        sentence = self.document.sentences[int(self.scores.sentences.rows[place])]
        technique = self.fusion.space.techniques[self.scores.sentences.columns[place]]
        own = {name: float(scores[place]) for name, scores in self.own.items()}
        # Where the text names the technique, that is the reason a reader wants to see.
        recognizer = EXPLICIT if own.get(EXPLICIT, 0) > 0 else max(own, key=lambda n: own[n])
        return Evidence(
            sentence=sentence.index,
            start=sentence.start,
            end=sentence.end,
            text=sentence.text,
            recognizer=recognizer,
            probability=probability,
            page=sentence.page,
            note=self._note(recognizer, technique),
        )

    def _note(self, recognizer: str, technique: str) -> str | None:
        if recognizer == VERDICTS:
            return VERDICTS_NOTE
        return self.recognitions[recognizer].notes.get(technique)


def _tactics(scores: Mapping[str, float], fusion: Fusion) -> tuple[TacticScore, ...]:
    made = (
        TacticScore(tactic, fusion.knowledge.tactic(tactic).name, probability)
        for tactic, probability in scores.items()
        if probability >= TACTIC_THRESHOLD
    )
    return tuple(sorted(made, key=lambda t: (-t.probability, t.tactic)))


def _sentences(scores: Scores, fusion: Fusion, threshold: float) -> tuple[SentenceTechniques, ...]:
    kept = np.flatnonzero(scores.probabilities >= threshold)
    by_row: dict[int, list[tuple[str, float]]] = {}
    for place in kept:
        technique = fusion.space.techniques[scores.sentences.columns[place]]
        row = int(scores.sentences.rows[place])
        by_row.setdefault(row, []).append((technique, float(scores.probabilities[place])))
    return tuple(
        SentenceTechniques(row, tuple(sorted(by_row[row], key=lambda pair: (-pair[1], pair[0]))))
        for row in sorted(by_row)
    )
