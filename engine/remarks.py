"""What an analyst's remark says of techniques, and which passages of the report it quotes for them.

A remark is a note in a platform, as people write it: plain text or Markdown. Few plain rules read
it, so that what is not said plainly is left alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Stance = Literal["right", "wrong", "missing"]
# What is shorter may be a word that somebody does not quite mean, and no part of a report.
LEAST_WORDS: Final = 3
LEAST_CHARACTERS: Final = 15
# Who quotes more does not point at a sentence; nor is it kept, as whole texts are not.
MOST_CHARACTERS: Final = 1_000
MOST_PASSAGES: Final = 10
# A longer quotation that has such words is the report's, not the analyst's.
SHORT_WORDS: Final = 8

_ID = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|[\n;|]+")
_WRONG = re.compile(
    r"\bfalse[ -]positives?\b|\bFP\b|\bwrong(?:ly)?\b|\bincorrect(?:ly)?\b|\breject(?:ed|s)?\b"
    r"|\b(?:is|are|was|were) not (?:used|present|described|supported|seen|there|correct|right)\b"
    r"|\bnot in the (?:text|report)\b|\bdoes not (?:describe|show|support|mention|use)\b",
    re.IGNORECASE,
)
_RIGHT = re.compile(
    r"\bconfirm(?:ed|s)?\b|\btrue[ -]positives?\b|\bcorrect(?:ly)?\b|\bverified\b", re.IGNORECASE
)
_MISSING = re.compile(r"\bmissing\b|\bmissed\b|\bshould be added\b|\bto be added\b", re.IGNORECASE)
# What turns a sentence round, or leaves it open: such sentences are not understood here.
_OPEN = re.compile(
    r"\b(?:not|no|never|cannot|nor|neither|unless|if|whether|maybe|perhaps|might|may|unclear|except"
    r"|but|instead|rather)\b|n't\b|\?",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_BLOCK = re.compile(r"\s*(?:[-*+]\s+|\d+[.)]\s+)?>+\s?(.*)")
_MARKED = re.compile(r"“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|\"([^\"]+)\"|`([^`]+)`")
_TOKEN = re.compile(rf"(?P<technique>{_ID.pattern})|{_MARKED.pattern}")


@dataclass(frozen=True)
class Remark:
    """A remark, taken apart.

    Attributes
    ----------
    words : str
        The analyst's own, without what is quoted.
    said : mapping from technique to Stance
        Of the techniques that it names: each is called right, wrong or missing, and not two of
        these. One that is named beside a quotation, with no more, is right.
    quoted : mapping from technique to tuple of str
        The passages that are quoted for each; none where they are too many.
    loose : tuple of str
        Passages quoted where no technique is named at all; none where they are too many.
    """

    words: str
    said: Mapping[str, Stance]
    quoted: Mapping[str, tuple[str, ...]]
    loose: tuple[str, ...]


def read_remark(text: str) -> Remark:
    """Take a remark apart.

    A quotation is a Markdown block quote, a code block, or stands between quotation marks or back
    ticks. It belongs to the techniques that are named last before it; else to the next ones.
    """
    parts = _Parts()
    for passage, line in _lines(text):
        if passage is not None:
            parts.quote(passage)
        else:
            parts.line(line)
    words = "\n".join(parts.words)
    quoted = {t: kept for t, found in parts.quoted.items() if (kept := _kept(found))}
    return Remark(words, _said(words, quoted), quoted, _kept(parts.waiting))


def named_in(text: str) -> frozenset[str]:
    """Return the ids of techniques that stand in a text, whether ATT&CK has them or not."""
    return frozenset(_ID.findall(text))


def stance_on_loose(words: str) -> Stance | None:
    """Return what is said of loose passages, by the analyst's own words beside them.

    Returns
    -------
    Stance or None
        Right where nothing is said of them; None where two things are, or it is left open.
    """
    found: set[Stance] = set()
    for sentence in _SENTENCE.split(words):
        if not _is_plain(sentence):
            return None
        found |= set(_stances(sentence))
    if len(found) > 1:
        return None
    return next(iter(found), "right")


@dataclass
class _Parts:
    """What was read of a remark so far."""

    words: list[str] = field(default_factory=list)
    quoted: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    waiting: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def quote(self, passage: str) -> None:
        for technique in self.named:
            self.quoted[technique].append(passage)
        if not self.named:
            self.waiting.append(passage)

    def name(self, technique: str, *, anew: bool) -> None:
        self.named = [technique] if anew else [*self.named, technique]
        self.quoted[technique] += self.waiting
        self.waiting = []

    def line(self, line: str) -> None:
        """Read a line of the analyst's own, with what is quoted in it."""
        own, end = [], 0
        follows = _ID.search(line)
        fresh = True  # The next technique that is named begins anew.
        for found in _TOKEN.finditer(line):
            between = line[end : found.start()]
            fresh = fresh or bool(_SENTENCE.search(between))
            own.append(between)
            end = found.end()
            technique = found["technique"]
            passage = None if technique else next(filter(None, found.groups()[1:]))
            if technique or passage is None or not _is_passage(passage):
                own.append(found[0])
                if technique:
                    self.name(technique, anew=fresh)
                    fresh = False
                continue
            own.append(" ")
            if fresh and follows is not None and follows.start() > found.start():
                self.named = []  # Of this line's own, which are named after it.
            self.quote(passage)
            fresh = True
        self.words.append("".join(own) + line[end:])


def _lines(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield quoted blocks, and the lines between them; of a code block each line by itself."""
    block: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        found = None if fenced else _BLOCK.fullmatch(line)
        if block and (found is None or not found[1].strip()):
            yield " ".join(block), ""
            block = []
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced:
            if line.strip():
                yield line.strip(), ""
        elif found is None:
            yield None, line
        elif found[1].strip():
            block.append(found[1].strip())


def _kept(passages: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(each for each in passages if len(each) <= MOST_CHARACTERS))
    return found if len(found) <= MOST_PASSAGES else ()


def _is_passage(text: str) -> bool:
    words = text.split()
    if len(words) < LEAST_WORDS or len(text) < LEAST_CHARACTERS:
        return False
    return len(words) >= SHORT_WORDS or not any(
        each.search(text) for each in (_WRONG, _RIGHT, _MISSING)
    )


def _said(words: str, quoted: Mapping[str, tuple[str, ...]]) -> dict[str, Stance]:
    heard: defaultdict[str, set[Stance]] = defaultdict(set)
    unclear: set[str] = set()
    for sentence in _SENTENCE.split(words):
        named = _ID.findall(sentence)
        if named and not _is_plain(sentence):
            unclear.update(named)
        elif named and (stances := _stances(sentence)):
            for technique in named:
                heard[technique].add(stances[0])
    for technique in quoted.keys() - heard.keys() - unclear:
        heard[technique].add("right")
    return {
        technique: next(iter(stances))
        for technique, stances in sorted(heard.items())
        if len(stances) == 1
    }


def _is_plain(sentence: str) -> bool:
    """Say whether a sentence says one thing at most, and neither turns it nor leaves it open."""
    return len(_stances(sentence)) < 2 and not _OPEN.search(_WRONG.sub(" ", sentence))


def _stances(sentence: str) -> list[Stance]:
    rest = _WRONG.sub(" ", sentence)
    found: list[Stance] = []
    if rest != sentence:
        found.append("wrong")
    if _RIGHT.search(rest):
        found.append("right")
    if _MISSING.search(rest):
        found.append("missing")
    return found
