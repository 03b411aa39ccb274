"""What analysts say of a technique in so many words: opinions, and notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from connector.changes import Hand, hands, moment
from connector.kinds import KINDS
from connector.report import attack_id, nodes

Stance = Literal["right", "wrong", "missing"]
# OpenCTI's scale, with how sure each is of it.
OPINIONS: Mapping[str, tuple[Stance, float] | None] = {
    "strongly-disagree": ("wrong", 1.0),
    "disagree": ("wrong", 0.8),
    "neutral": None,
    "agree": ("right", 0.8),
    "strongly-agree": ("right", 1.0),
}
NOTED = 0.7  # a note is read by a few plain rules
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody said of techniques on reports.

    Attributes
    ----------
    reports : tuple of (entity type, id)
        Those that it names.
    relationships : tuple of str
        Ids of ``uses`` relationships that it is about; reports that hold them are meant, where
        it names none.
    said : mapping from technique to (stance, confidence)
    """

    reports: tuple[tuple[str, str], ...]
    relationships: tuple[str, ...]
    said: Mapping[str, tuple[Stance, float]]
    who: Hand
    writers: tuple[Hand, ...]
    at: datetime
    origin: str


def of_opinion(node: Mapping[str, Any]) -> Statement | None:
    """Return what an opinion says of techniques; None where it says nothing of any.

    It is about those that it is attached to, beside a report or by a ``uses`` relationship. An
    opinion on a report alone is about a technique only if its explanation names one, and no more.
    """
    stance = OPINIONS.get(str(node.get("opinion")))
    techniques, relationships = _about(node)
    if not techniques:
        named = set(_ID.findall(str(node.get("explanation") or "")))
        techniques = named if len(named) == 1 else set()
    if stance is None or not techniques:
        return None
    return _statement(node, dict.fromkeys(sorted(techniques), stance), relationships, "opinion")


def of_note(node: Mapping[str, Any]) -> Statement | None:
    """Return what a note says of techniques that it names; None where it says nothing clear."""
    text = f"{node.get('attribute_abstract') or ''}\n{node.get('content') or ''}"
    said = spoken(text)
    if not said:
        return None
    heard: dict[str, tuple[Stance, float]] = {
        technique: (stance, NOTED) for technique, stance in said.items()
    }
    return _statement(node, heard, (), "note")


def spoken(text: str) -> dict[str, Stance]:
    """Return what a text says of the techniques that it names, where it is plain.

    A sentence counts if it names techniques and calls them right, wrong or missing, one of the
    three, without a turn. A technique of which two things are said is left out.
    """
    heard: dict[str, set[Stance]] = {}
    for sentence in _SENTENCE.split(text):
        named = _ID.findall(sentence)
        stance = _stance(sentence) if named else None
        if stance is not None:
            for technique in named:
                heard.setdefault(technique, set()).add(stance)
    return {
        technique: next(iter(stances))
        for technique, stances in sorted(heard.items())
        if len(stances) == 1
    }


def _stance(sentence: str) -> Stance | None:
    rest = _WRONG.sub(" ", sentence)
    if _OPEN.search(rest):
        return None
    found: list[Stance] = []
    if rest != sentence:
        found.append("wrong")
    if _RIGHT.search(rest):
        found.append("right")
    if _MISSING.search(rest):
        found.append("missing")
    return found[0] if len(found) == 1 else None


def _about(node: Mapping[str, Any]) -> tuple[set[str], tuple[str, ...]]:
    techniques: set[str] = set()
    relationships: list[str] = []
    for each in nodes(node.get("objects")):
        if each["entity_type"] == "Attack-Pattern" and attack_id(each):
            techniques.add(each["x_mitre_id"])
        elif each["entity_type"] == "uses" and attack_id(each.get("to") or {}):
            techniques.add(each["to"]["x_mitre_id"])
            relationships.append(each["id"])
    return techniques, tuple(relationships)


def _reports(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in nodes(node.get("objects")):
        if each["entity_type"] in KINDS:
            yield each["entity_type"], each["id"]


def _statement(
    node: Mapping[str, Any],
    said: Mapping[str, tuple[Stance, float]],
    relationships: tuple[str, ...],
    kind: str,
) -> Statement | None:
    writers = hands(node)
    reports = tuple(_reports(node))
    if not writers or not (reports or relationships):
        return None
    return Statement(
        reports=reports,
        relationships=relationships,
        said=said,
        who=writers[-1],
        writers=writers,
        at=moment(node["updated_at"]),
        origin=f"{kind} {node['id']} {node['updated_at']}",
    )
