"""Finds the threat that a sentence speaks of.

The threats that the report refers to are looked for by name and alias, in the sentence itself,
or else in the nearest sentence before it that names any. Where two fit, none is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from connector.reader import Reading
from connector.report import Threat
from engine.types import Finding, Sentence

# How far back "it" and "the group" may point, in sentences of the same source.
REACH = 5
# Up to this length a name counts only as it is written: Play, TA2, Ryuk.
SHORT = 4
_SPACES = re.compile(r"[\s\-_]+")


class Threats:
    """The threats of a report, ready to be found in its sentences.

    Parameters
    ----------
    threats : iterable of Threat
    """

    def __init__(self, threats: Iterable[Threat]) -> None:
        self._by_name: dict[str, set[str]] = {}
        self._exact: set[str] = set()
        self.by_id: dict[str, Threat] = {}
        for threat in threats:
            self.by_id[threat.standard_id] = threat
            for name in threat.names:
                if len(key := _key(name)) < 2:
                    continue
                self._by_name.setdefault(key, set()).add(threat.standard_id)
                if len(name) <= SHORT:
                    self._exact.add(_SPACES.sub(" ", name))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self._by_name:
            return None
        # The longest first: in "Example Spider" nobody speaks of another one called "Spider".
        ordered = sorted(self._by_name, key=lambda name: (-len(name), name))
        names = "|".join(r"[\s\-_]+".join(map(re.escape, name.split(" "))) for name in ordered)
        return re.compile(rf"(?<![\w]){'(?:' + names + ')'}(?![\w])", re.IGNORECASE)

    def named_in(self, text: str) -> frozenset[str]:
        """Return the standard ids of all threats that a text names."""
        if self._pattern is None:
            return frozenset()
        found: set[str] = set()
        for match in self._pattern.finditer(text):
            written = _SPACES.sub(" ", match.group())
            if len(written) <= SHORT and written not in self._exact:
                continue
            found |= self._by_name[_key(written)]
        return frozenset(found)

    def of_sentence(self, sentences: Sequence[Sentence], index: int, first: int) -> Threat | None:
        """Return the threat that a sentence speaks of, or None where it is not clear.

        Parameters
        ----------
        sentences : sequence of Sentence
        index : int
            The sentence.
        first : int
            Where its source begins: nothing before it is about the same thing.
        """
        for place in range(index, max(first, index - REACH) - 1, -1):
            named = self.named_in(sentences[place].text)
            if named:
                return self.by_id[next(iter(named))] if len(named) == 1 else None
        return None


def threats_of(finding: Finding, reading: Reading, threats: Threats) -> dict[str, int]:
    """Return the threats that the evidence of a finding speaks of, each with its best sentence.

    Returns
    -------
    dict from standard id to index of the sentence
    """
    found: dict[str, int] = {}
    if reading.document is None:
        return found
    ranked = sorted(finding.evidence, key=lambda each: (-each.probability, each.sentence))
    for evidence in ranked:
        first = reading.source_of(evidence.sentence).first
        threat = threats.of_sentence(reading.document.sentences, evidence.sentence, first)
        if threat is not None:
            found.setdefault(threat.standard_id, evidence.sentence)
    return found


def _key(name: str) -> str:
    return _SPACES.sub(" ", name.strip()).casefold()
