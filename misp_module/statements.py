"""What analysts say of a technique of ours: sightings, opinions, notes, and tags that judge it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

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


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said of one technique.

    Attributes
    ----------
    at : datetime or None
        When, where it says so itself.
    origin : str
        What stays the same when it is read again.
    """

    technique: str
    judgement: Judgement
    known_by: str
    confidence: float
    origin: str
    who: str | None = None
    at: datetime | None = None


def statements(snapshot: Snapshot, people: People, zone: tzinfo) -> Iterator[Statement]:
    """Yield what was said of our objects that are alive, in no order."""
    for own in snapshot.own:
        if own.alive:
            for element in own.elements:
                yield from _said(own, element, people, zone)


def origins(snapshot: Snapshot) -> frozenset[str]:
    """Return the origins of all that stands beside our objects, whoever said it, alive or not."""
    return frozenset(
        said.origin
        for own in snapshot.own
        for element in (*own.elements, *own.deleted)
        for said in _said(own, element, People(frozenset()), UTC)
    )


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
    for opinion in element.get("Opinion") or ():
        value = NEUTRAL if opinion.get("opinion") is None else int(opinion["opinion"])
        author = str(opinion.get("authors") or "")
        if value == NEUTRAL or not people.is_person(author):
            continue
        yield Statement(
            technique=own.technique,
            judgement="rejected" if value < NEUTRAL else "confirmed",
            known_by="opinion",
            confidence=0.5 + abs(value - NEUTRAL) / (2 * NEUTRAL),
            origin=f"opinion {opinion.get('uuid')} {value}",
            who=author or None,
            at=moment(opinion.get("modified") or opinion.get("created") or 0, zone),
        )
    for note in element.get("Note") or ():
        author = str(note.get("authors") or "")
        said = judgement_of(str(note.get("note") or ""))
        if said is None or not people.is_person(author):
            continue
        yield Statement(
            technique=own.technique,
            judgement=said,
            known_by="opinion",
            confidence=NOTE_CONFIDENCE,
            origin=f"note {note.get('uuid')} {said}",
            who=author or None,
            at=moment(note.get("modified") or note.get("created") or 0, zone),
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
