"""What analysts say of a technique in so many words: opinions, and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.changes import Hand, hands, moment
from connector.kinds import KINDS
from connector.report import attack_id, nodes
from engine.remarks import Stance, named_in, read_remark, stance_on_loose

# OpenCTI's scale, with how sure each is of it.
OPINIONS: Mapping[str, tuple[Stance, float] | None] = {
    "strongly-disagree": ("wrong", 1.0),
    "disagree": ("wrong", 0.8),
    "neutral": None,
    "agree": ("right", 0.8),
    "strongly-agree": ("right", 1.0),
}
NOTED = 0.7  # a note is read by a few plain rules
QUOTED = 0.9  # who quotes the report for a technique has looked at it


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
    quoted : mapping from technique to str
        The passages of the report that it quotes for a technique, one a line.
    """

    reports: tuple[tuple[str, str], ...]
    relationships: tuple[str, ...]
    said: Mapping[str, tuple[Stance, float]]
    quoted: Mapping[str, str]
    who: Hand
    writers: tuple[Hand, ...]
    at: datetime
    origin: str


def of_opinion(node: Mapping[str, Any]) -> Statement | None:
    """Return what an opinion says of techniques; None where it says nothing of any.

    It is about those that it is attached to, beside a report or by a ``uses`` relationship. An
    opinion on a report alone is about a technique only if its explanation names one, and no more.
    What the explanation quotes is where the technique shows, or does not.
    """
    stance = OPINIONS.get(str(node.get("opinion")))
    techniques, relationships = _about(node)
    remark = read_remark(str(node.get("explanation") or ""))
    if not techniques:
        named = named_in(remark.words)
        techniques = set(named) if len(named) == 1 else set()
    if stance is None or not techniques:
        return None
    quoted = {t: remark.quoted[t] for t in techniques & remark.quoted.keys()}
    if len(techniques) == 1 and remark.loose:
        quoted = dict.fromkeys(techniques, remark.loose)
    said = dict.fromkeys(sorted(techniques), stance)
    return _statement(node, said, quoted, relationships, "opinion")


def of_note(node: Mapping[str, Any]) -> Statement | None:
    """Return what a note says of techniques that it names; None where it says nothing clear.

    One that names none is about the technique that it is attached to, if it quotes the report and
    is attached to no other.
    """
    text = f"{node.get('attribute_abstract') or ''}\n{node.get('content') or ''}"
    remark = read_remark(text)
    said, quoted = remark.said, remark.quoted
    relationships: tuple[str, ...] = ()
    if remark.loose:
        techniques, relationships = _about(node)
        stance = stance_on_loose(remark.words)
        if len(techniques) != 1 or stance is None:
            return None
        said = dict.fromkeys(techniques, stance)
        quoted = dict.fromkeys(techniques, remark.loose)
    if not said:
        return None
    heard = {
        technique: (stance, QUOTED if technique in quoted else NOTED)
        for technique, stance in said.items()
    }
    return _statement(node, heard, quoted, relationships, "note")


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
    quoted: Mapping[str, tuple[str, ...]],
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
        quoted={technique: "\n".join(passages) for technique, passages in quoted.items()},
        who=writers[-1],
        writers=writers,
        at=moment(node["updated_at"]),
        origin=f"{kind} {node['id']} {node['updated_at']}",
    )
