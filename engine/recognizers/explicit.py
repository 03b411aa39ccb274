"""Techniques that the text names, by id or by name.

Ids (`engine.recognizers.mentions.ids`) count wherever they are printed; revoked ones stand for
their successor, unknown ones for nothing. Names (`engine.recognizers.mentions.names`) count by how
specific they are (`engine.recognizers.mentions.vocabulary`):

======================================  =====  ====================================================
mention                                 score  counts
======================================  =====  ====================================================
id                                      0.99   always
"Parent: Sub-technique"                 0.95   always
phrase written as a title               0.90   always
phrase in lower case                    0.85   always
everyday word or ordinary phrase        0.80   only where it is presented as a technique
name that several techniques bear       0.80   only with its parent named in the same sentence
======================================  =====  ====================================================

Mentions that are no claim about the adversary are told apart by heading and wording
(`engine.recognizers.mentions.context.role`). In advice on mitigation or detection an id scores
0.90 and a name 0.40; in a list of references an id 0.60 and a name 0.20. A name at 0.40 or less is
no longer explicit: it has no span. Where a technique has no other mention, a note says so.

Names that only mobile or ICS techniques bear count in documents that print an id of that domain.
Names inside a URL do not count, nor those beside an id, for which the id speaks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from scipy.sparse import csr_matrix

from engine.recognizers.mentions import context
from engine.recognizers.mentions.ids import find_ids
from engine.recognizers.mentions.names import NameMatcher, NameMention
from engine.recognizers.mentions.vocabulary import PREFERRED, specificity
from engine.types import Document, Recognition, Sentence

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

ID, FULL, TITLED, PLAIN, PRESENTED = 0.99, 0.95, 0.90, 0.85, 0.80
_ID_BY_ROLE: Mapping[context.Role, float] = {"claim": ID, "defence": 0.90, "reference": 0.60}
_NAME_CEILING: Mapping[context.Role, float] = {"claim": 1.0, "defence": 0.40, "reference": 0.20}
_EXPLICIT_FROM = 0.5
_BESIDE = 8  # characters between a name and the id that speaks for it
_NOTES: Mapping[context.Role, str] = {
    "defence": "named only in advice on mitigation or detection",
    "reference": "named only in a list of references",
}


class _Mention(NamedTuple):
    sentence: int
    technique: str
    start: int
    end: int
    score: float
    role: context.Role


class ExplicitRecognizer:
    """Finds the techniques that a document names.

    Parameters
    ----------
    knowledge : Knowledge
        Gives the ids and the names.

    Notes
    -----
    One pass over the text for ids and one for names, some 10 ms for 2,500 words. Safe to share
    between threads.
    """

    name: ClassVar[str] = "explicit"

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._names = NameMatcher(knowledge)

    @classmethod
    def load(
        cls, directory: Path | None, knowledge: Knowledge, settings: Mapping[str, Any]
    ) -> Self:
        """Build it from the knowledge; it has no files in a release and no settings."""
        del directory, settings
        return cls(knowledge)

    def recognize(self, document: Document) -> Recognition:
        """Find every id and every name that means its technique.

        Returns
        -------
        Recognition
            Scores by sentence, where a mention belongs to the sentence it begins in; a span for
            each explicit one; notes on techniques that are named in advice or references only.
        """
        starts = [sentence.start for sentence in document.sentences]
        if not starts:
            return _recognition(0, [], {})
        ids, notes, taken = self._ids(document, starts)
        names = self._mentions_by_name(document, starts, taken, ids)
        return _recognition(len(starts), [*ids, *names], notes)

    def _ids(
        self, document: Document, starts: list[int]
    ) -> tuple[list[_Mention], dict[str, str], list[tuple[int, int]]]:
        mentions, notes, taken = [], {}, []
        roles: dict[int, context.Role] = {}
        for found in find_ids(document.text):
            resolution = self._knowledge.resolve(found.id)
            taken.append((found.start, found.end))
            if resolution.technique is None:
                continue
            sentence = _sentence_at(document, starts, found.start)
            role = _role(roles, sentence)
            technique = resolution.technique.id
            if technique != found.id:
                notes[technique] = f"printed as {found.id}, which is {technique} today"
            mentions.append(
                _Mention(sentence.index, technique, found.start, found.end, _ID_BY_ROLE[role], role)
            )
        return mentions, notes, taken

    def _mentions_by_name(
        self,
        document: Document,
        starts: list[int],
        taken: list[tuple[int, int]],
        ids: list[_Mention],
    ) -> list[_Mention]:
        urls = [match.span() for match in context.URL.finditer(document.text)]
        domains = {"enterprise"}.union(
            *(self._knowledge.technique(m.technique).domains for m in ids)
        )
        found: list[tuple[NameMention, Sentence]] = [
            (name, _sentence_at(document, starts, name.start))
            for name in self._names.find(document.text)
            if not _beside(document.text, taken, name) and not _inside(urls, name.start)
        ]
        named_in: dict[int, set[str]] = {}
        roles: dict[int, context.Role] = {}
        for mention in ids:
            named_in.setdefault(mention.sentence, set()).add(mention.technique)
        for name, sentence in found:
            if len(name.techniques) == 1:
                named_in.setdefault(sentence.index, set()).add(name.techniques[0])
        mentions = []
        for name, sentence in found:
            technique = self._meant(name, named_in.get(sentence.index, set()))
            if technique is None:
                continue
            if domains.isdisjoint(self._knowledge.technique(technique).domains):
                continue
            if _runs_over(document.text, sentence, name):
                continue
            score = _score(document, sentence, name)
            if score:
                role = _role(roles, sentence)
                score = min(score, _NAME_CEILING[role])
                mentions.append(
                    _Mention(sentence.index, technique, name.start, name.end, score, role)
                )
        return mentions

    def _meant(self, name: NameMention, named: set[str]) -> str | None:
        """Return the one technique a name stands for here; None where that is not clear."""
        if len(name.techniques) == 1:
            return name.techniques[0]
        with_parent = [t for t in name.techniques if self._knowledge.parent(t) in named]
        if len(with_parent) == 1:
            return with_parent[0]
        return PREFERRED.get(name.key)


def _score(document: Document, sentence: Sentence, name: NameMention) -> float:
    """Score a name by its class; 0 where it does not mean the technique."""
    if name.full:
        return FULL
    if specificity(name.key) == "phrase":
        written = document.text[name.start : name.end]
        if len(name.techniques) > 1:
            return PRESENTED
        return TITLED if context.is_titled(written) else PLAIN
    index = sentence.index
    neighbours = document.sentences[max(0, index - 1) : index + 2]
    if context.presented_as_technique(document, sentence, name.start, name.end, neighbours):
        return PRESENTED
    return 0.0


def _runs_over(text: str, sentence: Sentence, name: NameMention) -> bool:
    """Tell a name broken by a line from two lines that only look like one name.

    In lists, tables and headings a line ends what it says; in prose a new line does when it begins
    with a capital after lower case ("attacks on the supply chain" / "Compromise of ...").
    """
    written = text[name.start : name.end]
    if name.end > sentence.end and sentence.kind != "prose":
        return True
    if re.match(r" (?:East|Ages)\b", text[name.end : name.end + 6]):
        return True  # "adversary in the Middle East"
    return written[0].islower() and bool(re.search(r"\n\s*[A-Z]", written))


def _sentence_at(document: Document, starts: list[int], offset: int) -> Sentence:
    """Return the sentence at an offset; for one between two sentences, the one before it."""
    return document.sentences[max(0, bisect_right(starts, offset) - 1)]


def _role(known: dict[int, context.Role], sentence: Sentence) -> context.Role:
    """Return the role of a sentence, read only once however many mentions it holds."""
    if sentence.index not in known:
        known[sentence.index] = context.role(sentence)
    return known[sentence.index]


def _beside(text: str, ids: list[tuple[int, int]], name: NameMention) -> bool:
    """Tell whether nothing but a few signs stands between a name and an id."""
    at = bisect_right(ids, (name.start, name.start))
    gaps = []
    if at > 0:
        gaps.append((ids[at - 1][1], name.start))
    if at < len(ids):
        gaps.append((name.end, ids[at][0]))
    return any(
        end - start <= _BESIDE and not any(map(str.isalnum, text[start:end])) for start, end in gaps
    )


def _inside(spans: list[tuple[int, int]], offset: int) -> bool:
    at = bisect_right(spans, (offset, offset))
    return at > 0 and spans[at - 1][1] > offset


def _recognition(
    sentences: int, mentions: list[_Mention], revoked: Mapping[str, str]
) -> Recognition:
    best: dict[tuple[int, str], _Mention] = {}
    roles: dict[str, set[context.Role]] = {}
    for mention in mentions:
        key = (mention.sentence, mention.technique)
        if key not in best or mention.score > best[key].score:
            best[key] = mention
        roles.setdefault(mention.technique, set()).add(mention.role)
    techniques = tuple(sorted(roles))
    column = {technique: i for i, technique in enumerate(techniques)}
    keys = sorted(best)
    scores = csr_matrix(
        (
            np.array([best[key].score for key in keys], dtype=np.float32),
            ([s for s, _ in keys], [column[t] for _, t in keys]),
        ),
        shape=(sentences, len(techniques)),
        dtype=np.float32,
    )
    notes = {}
    for technique, seen in roles.items():
        parts = [revoked[technique]] if technique in revoked else []
        if "claim" not in seen:
            parts.append(_NOTES["defence" if "defence" in seen else "reference"])
        if parts:
            notes[technique] = "; ".join(parts)
    return Recognition(
        recognizer=ExplicitRecognizer.name,
        techniques=techniques,
        sentence_scores=scores,
        spans={
            key: (mention.start, mention.end)
            for key, mention in best.items()
            if mention.score >= _EXPLICIT_FROM
        },
        notes=notes,
    )
