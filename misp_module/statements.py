"""What analysts say of techniques: sightings, opinions, notes, and tags that judge one of ours.

A note beside an object of ours is about its technique; one elsewhere in the event about those that
it names.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

from engine.ledger import text_digest
from engine.remarks import Remark, read_remark, stance_on_loose
from misp_module.audit import People, moment
from misp_module.snapshot import Own, Snapshot, tag_names

if TYPE_CHECKING:
    from engine.ledger.records import Judgement

FALSE_POSITIVE: Final = "1"  # type of a sighting
NEUTRAL: Final = 50  # of an opinion, 0 to 100
REVIEWED: Final = frozenset({
    'ai-computer-assisted:review-level="human-reviewed"',
    'ai-computer-assisted:review-level="human-reviewed-updated"',
    'ai-computer-assisted:review-level="multi-party-reviewed"',
})  # fmt: skip
# A low risk of a false positive is no praise, and one that cannot be judged is no judgement.
_JUDGING: Final[Mapping[str, tuple[Judgement, float, str]]] = {
    'false-positive:confirmed="true"': ("rejected", 1.0, "tag"),
    'false-positive:risk="high"': ("rejected", 0.7, "tag"),
    'false-positive:confirmed="false"': ("confirmed", 1.0, "tag"),
    **dict.fromkeys(REVIEWED, ("confirmed", 1.0, "review")),
}
_AGAINST = re.compile(
    r"\b(false[ -]positives?|wrong|incorrect|inaccurate|mistaken|misleading|unsupported|"
    r"disagree|not (?:supported|correct|right|shown|described|true|the case|this technique)|"
    r"does(?: not|n't) (?:show|describe|support|fit|apply)|should(?: not|n't) be|remove this)\b",
    re.IGNORECASE,
)
_FOR = re.compile(
    r"\b(confirm(?:ed|s)?|correct|agreed?|accurate|true positive|well supported|verified)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|n't|never|cannot|can't|un)\W+(?:\w+\W+){0,2}$", re.IGNORECASE)
NOTE_CONFIDENCE: Final = 0.6
QUOTED_CONFIDENCE: Final = 0.9  # who quotes the report for a technique has looked at it


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said of one technique.

    Attributes
    ----------
    at : datetime or None
        When, where it says so itself.
    origin : str
        What stays the same when it is read again.
    quoted : str or None
        The passages of the report that it quotes, one a line.
    """

    technique: str
    judgement: Judgement
    known_by: str
    confidence: float
    origin: str
    who: str | None = None
    at: datetime | None = None
    quoted: str | None = None


def statements(
    snapshot: Snapshot, people: People, zone: tzinfo, ours: Container[str]
) -> Iterator[Statement]:
    """Yield what was said of our objects that are alive, and in remarks, in no order.

    Parameters
    ----------
    snapshot : Snapshot
    people : People
    zone : tzinfo
        In which MISP writes times.
    ours : container of str
        The techniques that we wrote: who says that one of them is right confirms it.
    """
    for own in snapshot.own:
        if own.alive:
            for element in own.elements:
                yield from _said(own, element, people, zone)
    yield from _remarks(snapshot, people, zone, ours)


def origins(snapshot: Snapshot) -> frozenset[str]:
    """Return the origins of all that is said in the event, whoever said it.

    Of our objects, also of those that are not alive.
    """
    everybody = People(frozenset())
    said = [
        each
        for own in snapshot.own
        for element in (*own.elements, *own.deleted)
        for each in _said(own, element, everybody, UTC)
    ]
    said += _remarks(snapshot, everybody, UTC, ())
    return frozenset(each.origin for each in said)


def is_remark(origin: str) -> bool:
    """Tell whether an origin is that of a remark, which is about the techniques that it names."""
    return origin.startswith("remark ")


def is_judging(tag: str) -> bool:
    """Tell whether a tag on an object of ours judges it."""
    return tag in _JUDGING


def _said(
    own: Own, element: Mapping[str, Any], people: People, zone: tzinfo
) -> Iterator[Statement]:
    yield from _sightings(own, element)
    yield from _analyst_data(own, element, people, zone)
    yield from _tags(own, element)


def _sightings(own: Own, element: Mapping[str, Any]) -> Iterator[Statement]:
    for sighting in element.get("Sighting") or ():
        if str(sighting.get("type")) == FALSE_POSITIVE:
            organisation = str(sighting.get("org_id") or "0")
            yield Statement(
                technique=own.technique,
                judgement="rejected",
                known_by="sighting",
                confidence=1.0,
                origin=f"sighting {sighting.get('uuid') or sighting.get('id')}",
                # MISP does not name the user, and of others not even that where it anonymises.
                who=None if organisation == "0" else f"org:{organisation}",
                at=moment(sighting.get("date_sighting") or 0),
            )


def _analyst_data(
    own: Own, element: Mapping[str, Any], people: People, zone: tzinfo
) -> Iterator[Statement]:
    for opinion in _about(element, "Opinion"):
        value = NEUTRAL if opinion.get("opinion") is None else int(opinion["opinion"])
        if value == NEUTRAL or not people.is_person(str(opinion.get("authors") or "")):
            continue
        yield _written(
            opinion,
            own.technique,
            "rejected" if value < NEUTRAL else "confirmed",
            0.5 + abs(value - NEUTRAL) / (2 * NEUTRAL),
            f"opinion {opinion.get('uuid')} {value}",
            _quoted(read_remark(str(opinion.get("comment") or "")), own.technique),
            zone,
        )
    for note in _about(element, "Note"):
        remark = read_remark(str(note.get("note") or ""))
        quoted = _quoted(remark, own.technique)
        said = judgement_of(remark.words)
        if said is None and quoted and stance_on_loose(remark.words) == "right":
            said = "confirmed"
        if said is None or not people.is_person(str(note.get("authors") or "")):
            continue
        sure = QUOTED_CONFIDENCE if quoted else NOTE_CONFIDENCE
        origin = f"note {note.get('uuid')} {said}"
        yield _written(note, own.technique, said, sure, origin, quoted, zone)


def _remarks(
    snapshot: Snapshot, people: People, zone: tzinfo, ours: Container[str]
) -> Iterator[Statement]:
    """Yield what notes say of the techniques that they name, wherever but beside what is ours."""
    for element in snapshot.others:
        for note in _about(element, "Note"):
            if not people.is_person(str(note.get("authors") or "")):
                continue
            remark = read_remark(str(note.get("note") or ""))
            for named, stance in remark.said.items():
                technique = snapshot.knowledge.resolve(named).technique
                if technique is None:
                    continue
                quoted = "\n".join(remark.quoted.get(named, ())) or None
                said: Judgement = "rejected" if stance == "wrong" else "added"
                if stance == "right" and technique.id in ours:
                    said = "confirmed"
                sure = QUOTED_CONFIDENCE if quoted else NOTE_CONFIDENCE
                origin = f"remark {note.get('uuid')} {technique.id} {stance}"
                yield _written(note, technique.id, said, sure, origin, quoted, zone)


def _about(element: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the notes or opinions on an element, without those on other notes and opinions.

    MISP may give answers beside what they answer; they rate that, and not the element.
    """
    for row in element.get(kind) or ():
        if row.get("object_uuid") in (None, element.get("uuid")):
            yield row


def _quoted(remark: Remark, technique: str) -> str | None:
    return "\n".join((*remark.quoted.get(technique, ()), *remark.loose)) or None


def _written(
    row: Mapping[str, Any],
    technique: str,
    judgement: Judgement,
    confidence: float,
    origin: str,
    quoted: str | None,
    zone: tzinfo,
) -> Statement:
    """Make a statement of an opinion or a note, of which MISP tells author and time."""
    return Statement(
        technique=technique,
        judgement=judgement,
        known_by="opinion",
        confidence=confidence,
        # Who quotes something else says something else.
        origin=f"{origin} {text_digest(quoted)[:8]}" if quoted else origin,
        who=str(row.get("authors") or "") or None,
        at=moment(row.get("modified") or row.get("created") or 0, zone),
        quoted=quoted,
    )


def _tags(own: Own, element: Mapping[str, Any]) -> Iterator[Statement]:
    for name in tag_names(element):
        if (said := _JUDGING.get(name)) is not None:
            judgement, confidence, known_by = said
            yield Statement(
                technique=own.technique,
                judgement=judgement,
                known_by=known_by,
                confidence=confidence,
                origin=f"{element.get('uuid')} {name}",
            )


def judgement_of(note: str) -> Judgement | None:
    """Return what a note in English says of the technique it stands beside; None if unclear."""
    against = bool(_AGAINST.search(note))
    praise = False
    for found in _FOR.finditer(note):
        if _NOT.search(note[: found.start()]):
            against = True
        else:
            praise = True
    if against == praise:  # neither, or both
        return None
    return "rejected" if against else "confirmed"
