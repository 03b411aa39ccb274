"""What changed on the platform, as the harvester asks for it: reports, opinions, notes.

Times are the platform's own. A list is asked for in the order of its changes, so that where it
breaks off is a place to go on from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connector.kinds import KINDS
from connector.platform import Platform, allowed
from connector.report import attack_id, markings, nodes

PAGE = 100
_PEOPLE = "creators { id name }"
_LOOK = f"""
    id entity_type created_at updated_at
    objectMarking {{ standard_id definition_type definition }}
    objectLabel {{ id value }}
    status {{ id template {{ id name }} }}
    {_PEOPLE}
    objects(all: true, types: ["Attack-Pattern"]) {{ edges {{ node {{
        ... on BasicObject {{ id entity_type }}
        ... on AttackPattern {{ x_mitre_id }}
    }} }} }}
"""
_ABOUT = """
    objects(all: true) { edges { node {
        ... on BasicObject { id entity_type }
        ... on BasicRelationship { id entity_type }
        ... on AttackPattern { x_mitre_id }
        ... on StixCoreRelationship { to { ... on AttackPattern { x_mitre_id } } }
    } } }
"""
OPINION = f"id entity_type updated_at opinion explanation {_PEOPLE} {_ABOUT}"
NOTE = f"id standard_id entity_type updated_at attribute_abstract content {_PEOPLE} {_ABOUT}"


@dataclass(frozen=True, slots=True)
class Hand:
    """A user of the platform, as an edit names them."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Look:
    """A report as the harvester sees it: its techniques and its state, none of its text.

    Attributes
    ----------
    updated : datetime
        When anything on it changed last.
    tlp : str or None
        Its highest TLP.
    status : str or None
        The name of its workflow status.
    creators : tuple of Hand
        All who ever wrote to it, the one who made it first.
    techniques : frozenset of str
        ATT&CK ids of the techniques it refers to.
    """

    id: str
    entity_type: str
    created: datetime
    updated: datetime
    markings: tuple[str, ...]
    labels: frozenset[str]
    status: str | None
    creators: tuple[Hand, ...]
    techniques: frozenset[str]

    @property
    def tlp(self) -> str | None:
        """Its highest TLP."""
        return highest_tlp(self.markings)


class Changes:
    """What changed, kind by kind.

    Parameters
    ----------
    platform : Platform
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def now(self) -> datetime:
        """Return the platform's time; up to a second early, never late."""
        api = self._platform.api

        def ask() -> str | None:
            answer = api.session.post(
                api.api_url,
                json={"query": "query Time { about { version } }"},
                headers=api.request_headers,
                verify=api.ssl_verify,
                cert=api.cert,
                proxies=api.proxies,
                timeout=api.session_requests_timeout,
            )
            answer.raise_for_status()
            given: str | None = answer.headers.get("Date")
            return given

        date = self._platform.ask("asking for the time", ask)
        return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)

    def reports(
        self, entity_type: str, after: datetime | None, until: datetime | None
    ) -> Iterator[list[Look]]:
        """Yield pages of the reports that changed after a time and until another one."""
        for page in self._pages(_lists(self._platform, entity_type), _LOOK, after, until):
            yield [parse_look(node) for node in page]

    def opinions(
        self, after: datetime | None, until: datetime | None
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield pages of opinions."""
        yield from self._pages(self._platform.api.opinion, OPINION, after, until)

    def notes(
        self, after: datetime | None, until: datetime | None
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield pages of notes."""
        yield from self._pages(self._platform.api.note, NOTE, after, until)

    def existing(self, kind: str, ids: Iterable[str]) -> frozenset[str]:
        """Return which opinions or notes there are, of not too many."""
        group = {
            "mode": "and",
            "filters": [{"key": "ids", "values": list(ids)}],
            "filterGroups": [],
        }
        lists = getattr(self._platform.api, kind)
        found = self._platform.ask(
            "asking what is still there",
            lambda: lists.list(filters=group, getAll=True, customAttributes="id"),
        )
        return frozenset(str(each["id"]) for each in nodes(found))

    def said_of(self, any_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the opinions and notes that name an object."""
        group = _group([("objects", "eq", any_id)])
        for kind, selection in (("opinion", OPINION), ("note", NOTE)):
            lists = getattr(self._platform.api, kind)
            found = self._platform.ask(
                "asking what is said of a report",
                lambda lists=lists, selection=selection: lists.list(  # type: ignore[misc]
                    filters=group, getAll=True, customAttributes=selection
                ),
            )
            for each in nodes(found):
                yield kind, each

    def find(self, any_id: str) -> Look | None:
        """Look at a report of whatever type; None where it is gone."""
        node = self._platform.ask(
            "looking for the report",
            lambda: self._platform.api.stix_domain_object.read(
                id=any_id, customAttributes="id entity_type"
            ),
        )
        return None if node is None else self.look(node["entity_type"], node["id"])

    def look(self, entity_type: str, any_id: str) -> Look | None:
        """Look at one report; None where it is gone, or of no type that can be enriched."""
        if entity_type not in KINDS:
            return None
        read = self._platform.api.stix2.get_reader(entity_type)
        node = self._platform.ask(
            "looking at a report", lambda: read(id=any_id, customAttributes=_LOOK)
        )
        return None if node is None else parse_look(node)

    def holding(self, entity_type: str, any_id: str) -> list[Look]:
        """Return the reports that refer to an object."""
        group = _group([("objects", "eq", any_id)])
        found = self._platform.ask(
            "looking for reports",
            lambda: _lists(self._platform, entity_type).list(
                filters=group, getAll=True, customAttributes=_LOOK
            ),
        )
        return [parse_look(node) for node in nodes(found)]

    def _pages(
        self, lists: Any, selection: str, after: datetime | None, until: datetime | None
    ) -> Iterator[list[dict[str, Any]]]:
        limits = [("updated_at", "gt", after), ("updated_at", "lte", until)]
        group = _group([(key, how, iso(limit)) for key, how, limit in limits if limit is not None])
        cursor = None
        while True:
            page = self._platform.ask(
                "asking what changed",
                lambda cursor=cursor: lists.list(  # type: ignore[misc]
                    filters=group,
                    first=PAGE,
                    after=cursor,
                    orderBy="updated_at",
                    orderMode="asc",
                    withPagination=True,
                    customAttributes=selection,
                ),
            )
            if page["entities"]:
                yield page["entities"]
            if not page["pagination"]["hasNextPage"]:
                return
            cursor = page["pagination"]["endCursor"]


def parse_look(node: Mapping[str, Any]) -> Look:
    """Make a `Look` of the platform's answer."""
    template = (node.get("status") or {}).get("template") or {}
    return Look(
        id=node["id"],
        entity_type=node["entity_type"],
        created=moment(node["created_at"]),
        updated=moment(node["updated_at"]),
        markings=tuple(each.definition for each in markings(node.get("objectMarking"))),
        labels=frozenset(str(label["value"]) for label in nodes(node.get("objectLabel"))),
        status=template.get("name"),
        creators=hands(node),
        techniques=frozenset(
            each["x_mitre_id"] for each in nodes(node.get("objects")) if attack_id(each)
        ),
    )


def hands(node: Mapping[str, Any]) -> tuple[Hand, ...]:
    """Return who wrote an object."""
    return tuple(
        Hand(each["id"], str(each.get("name") or "")) for each in node.get("creators") or ()
    )


def highest_tlp(definitions: Iterable[str]) -> str | None:
    """Return the highest TLP among markings; None where there is none."""
    levels = [each.strip().upper() for each in definitions]
    levels = [each for each in levels if each.startswith("TLP:")]
    # One is the highest where all others are allowed under it.
    return next((one for one in levels if all(allowed(each, one) for each in levels)), None)


def moment(text: str) -> datetime:
    """Read a time of the platform."""
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def iso(time: datetime) -> str:
    """Write a time as the platform does."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lists(platform: Platform, entity_type: str) -> Any:
    return getattr(platform.api, entity_type.lower().replace("-", "_"))


def _group(filters: list[tuple[str, str, str]]) -> dict[str, Any]:
    return {
        "mode": "and",
        "filters": [
            {"key": key, "operator": operator, "values": [value]}
            for key, operator, value in filters
        ],
        "filterGroups": [],
    }
