"""The evidence of labels: which sentences they are about, and where these stand in a text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.ledger import text_digest
from training.labels.verdicts.types import Judged, Label

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.ledger import Verdict, Written
    from engine.types import Document

Evidence = Mapping[str, tuple[tuple[str | None, str], ...]]
# A passage that stands in more sentences than this says of none of them that it is the one.
MOST_PLACES: Final = 3
# Shorter ones stand anywhere.
LEAST_LETTERS: Final = 12
_NOISE = re.compile(r"[\W_]+")


def evidence_of(
    written: Iterable[Written],
    history: Iterable[Verdict],
    labels: Mapping[str, Label],
    knowledge: Knowledge,
) -> tuple[Evidence, dict[str, frozenset[str]]]:
    """Return the evidence of labels, and which of it an analyst pointed at.

    A verdict names the sentence that it judges. For a technique that somebody added that is one
    that the analyst pointed at, as what we might have written for it later proved nothing to them;
    for others, it is if it is not what we wrote.

    Parameters
    ----------
    written : iterable of Written
        On the report.
    history : iterable of Verdict
        On the report; those that agree with the label count.
    labels : mapping from technique to Label
    knowledge : Knowledge

    Returns
    -------
    evidence : mapping from technique to tuple of (text or None, digest)
    pointed : dict of technique to frozenset of digest
    """
    ours: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    said: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    pointed: defaultdict[str, set[str]] = defaultdict(set)
    for thing in written:
        label = _label(thing.technique, labels, knowledge)
        if label is not None and thing.evidence_digest and thing.kind != "inference":
            _keep(ours[label.technique], thing.evidence, thing.evidence_digest)
    for verdict in history:
        label = _label(verdict.technique, labels, knowledge)
        if label is None or label.shown == (verdict.verdict == "rejected"):
            continue
        if (digest := verdict.evidence_digest) is not None:
            _keep(said[label.technique], verdict.evidence, digest)
            if verdict.verdict == "added" or digest not in ours[label.technique]:
                pointed[label.technique].add(digest)
    evidence = {}
    for technique in sorted(ours.keys() | said.keys()):
        found = {**ours[technique], **said[technique]}
        if labels[technique].why == "added":
            found = {digest: found[digest] for digest in found if digest in pointed[technique]}
        if found:
            evidence[technique] = tuple((text, digest) for digest, text in found.items())
    return evidence, {t: frozenset(pointed[t]) for t in sorted(pointed) if pointed[t]}


def in_text(judged: Judged, document: Document) -> Judged:
    """Return a judgement whose evidence is sentences of a document, where it stands there.

    An analyst quotes half a sentence or two, and another version of ttpscribe may end sentences
    elsewhere. What does not stand in the text stays as it is, and points at nothing. Where a
    technique is right, but an analyst pointed at another sentence than was shown, that one counts.
    """
    known = {text_digest(sentence.text) for sentence in document.sentences}
    flat: list[str] = []
    evidence: dict[str, tuple[tuple[str | None, str], ...]] = {}
    pointed: dict[str, frozenset[str]] = {}
    for technique, shown in judged.evidence.items():
        found: dict[str, str | None] = {}
        marked: set[str] = set()
        for text, digest in shown:
            here: dict[str, str | None] = {digest: text}
            if digest not in known and text:
                flat = flat or [_flat(sentence.text) for sentence in document.sentences]
                sentences = [document.sentences[place].text for place in _places(text, flat)]
                here = {text_digest(one): one for one in sentences} or here
            found |= here
            if digest in judged.pointed.get(technique, ()):
                marked |= here.keys() & known
        label = judged.labels.get(technique)
        if marked and label is not None and label.shown:
            found = {digest: found[digest] for digest in found if digest in marked}
        evidence[technique] = tuple((text, digest) for digest, text in found.items())
        if marked:
            pointed[technique] = frozenset(marked)
    return replace(judged, evidence=evidence, pointed=pointed)


def _places(text: str, flat: Sequence[str]) -> list[int]:
    """Return the sentences that a text quotes: one passage, or one in each line."""
    whole = _flat(text)
    found = _holding(whole, flat)
    if "\n" not in text or any(whole in flat[place] for place in found):
        return found
    lines = {place for line in text.splitlines() for place in _holding(_flat(line), flat)}
    return sorted(lines | set(found))


def _holding(passage: str, flat: Sequence[str]) -> list[int]:
    if len(passage) < LEAST_LETTERS:
        return []
    found = [
        place
        for place, sentence in enumerate(flat)
        if passage in sentence or (len(sentence) >= LEAST_LETTERS and sentence in passage)
    ]
    within = [place for place in found if flat[place] in passage]
    # However many whole sentences are quoted, each is; half a sentence is to tell which one.
    return found if len(found) - len(within) <= MOST_PLACES else within


def _flat(text: str) -> str:
    return _NOISE.sub("", text).casefold()


def _label(technique: str | None, labels: Mapping[str, Label], known: Knowledge) -> Label | None:
    found = known.resolve(technique).technique if technique else None
    return labels.get(found.id) if found is not None else None


def _keep(texts: dict[str, str | None], text: str | None, digest: str) -> None:
    texts[digest] = texts.get(digest) or text
