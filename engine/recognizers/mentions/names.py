"""Technique names in running text: one trie of words over all names, one pass over the document.

Names are compared by words: case, hyphens, plurals and line breaks make no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from engine.knowledge import Knowledge, Technique

_WORD = re.compile(r"[^\W_]+")
# What may stand between two words of a name, and between a parent's name and its sub-technique's.
_WITHIN = re.compile(
    r"[ \t\u00a0]{1,3}|[-\u2010-\u2013/&.']|[ \t]*[/&][ \t]*(?:\r?\n)?[ \t]*/?"
    r"|[ \t]*[-\u2010]?[ \t]*\r?\n[ \t]*|[ \t]/"
)
_BETWEEN = re.compile(r"\s?[:/\u2010-\u2015>(|,-]?\s{0,2}")
_JOINT = ":"
_END = ""


class NameMention(NamedTuple):
    """A name in the text.

    ``techniques`` are all that bear the name; ``full`` says that the parent was named with it.
    """

    start: int
    end: int
    key: str
    techniques: tuple[str, ...]
    full: bool


def stem(word: str) -> str:
    """Return a word without the ending of its plural, in lower case."""
    word = word.casefold()
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def key_of(name: str) -> str:
    """Return what two spellings of one name have in common."""
    return " ".join(stem(word) for word in _WORD.findall(name))


class NameMatcher:
    """All names of one knowledge, ready to be looked for.

    Enterprise names go before equal ones of mobile and ICS. Names of revoked techniques stand for
    their successor where no active technique has taken the name over.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._root: dict[str, Any] = {}
        active = knowledge.techniques()
        self._add_all([(t.name, t) for t in active if "enterprise" in t.domains])
        self._add_all(
            [
                (old.name, successor)
                for old in knowledge.withdrawn
                if old.domain == "enterprise" and (successor := knowledge.resolve(old.id).technique)
            ]
        )
        self._add_all([(t.name, t) for t in active if "enterprise" not in t.domains])

    def _add_all(self, named: Iterable[tuple[str, Technique]]) -> None:
        """Add names; those that are in the trie already keep the techniques they have."""
        bearers: dict[str, set[str]] = {}
        for name, technique in named:
            for key in _spellings(name):
                bearers.setdefault(key, set()).add(technique.id)
            if technique.parent_name:
                for parent in _spellings(technique.parent_name):
                    for sub in _spellings(name):
                        self._add([*parent.split(), _JOINT, *sub.split()], (technique.id,), True)
        for key, ids in bearers.items():
            self._add(key.split(), tuple(sorted(ids)), False)

    def _add(self, words: list[str], techniques: tuple[str, ...], full: bool) -> None:
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        key = " ".join(words)
        node.setdefault(_END, (key, techniques, full))

    def find(self, text: str) -> Iterator[NameMention]:
        """Find all names in order, the longest where several begin together, without overlap."""
        words = [(m.start(), m.end()) for m in _WORD.finditer(text)]
        stems = [stem(text[start:end]) for start, end in words]
        root, position = self._root, 0
        while position < len(words):
            node = root.get(stems[position])
            best = self._longest(text, words, stems, position, node) if node else None
            if best is None:
                position += 1
                continue
            last, (key, techniques, full) = best
            yield NameMention(words[position][0], words[last][1], key, techniques, full)
            position = last + 1

    def _longest(
        self,
        text: str,
        words: list[tuple[int, int]],
        stems: list[str],
        position: int,
        node: dict[str, Any],
    ) -> tuple[int, tuple[str, tuple[str, ...], bool]] | None:
        best = None
        paths = [(position, node)]
        while paths:
            at, node = paths.pop()
            if _END in node and (best is None or at > best[0]):
                best = (at, node[_END])
            if at + 1 == len(words):
                continue
            word = stems[at + 1]
            inner = node.get(word)
            joint = node.get(_JOINT)
            outer = joint.get(word) if joint else None
            if inner is None and outer is None:
                continue
            gap = text[words[at][1] : words[at + 1][0]]
            if inner is not None and _WITHIN.fullmatch(gap):
                paths.append((at + 1, inner))
            if outer is not None and _BETWEEN.fullmatch(gap):
                paths.append((at + 1, outer))
        return best


def _spellings(name: str) -> list[str]:
    """Keys of a name, with the usual ways to write it otherwise."""
    keys = [key_of(name)]
    if "&" in name:
        keys.append(key_of(name.replace("&", " and ")))
    for key in tuple(keys):
        if "spearphishing" in key:
            keys.append(key.replace("spearphishing", "spear phishing"))
        if "side loading" in key:
            keys.append(key.replace("side loading", "sideloading"))
    return keys
