"""What the connector knows of one object of the platform: the report.

All types of object that can be enriched are called reports here; ``kind`` says which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.kinds import KINDS, Kind

THREATS = (
    "Intrusion-Set",
    "Threat-Actor-Group",
    "Threat-Actor-Individual",
    "Campaign",
    "Malware",
    "Tool",
)

_ATTACK_ID = re.compile(r"T\d{4}(?:\.\d{3})?")


@dataclass(frozen=True, slots=True)
class Marking:
    """A marking; ``definition`` is such as ``TLP:AMBER``."""

    standard_id: str
    definition: str


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file as the platform lists it, not yet fetched."""

    id: str
    name: str
    size: int | None
    media_type: str | None
    version: str | None
    markings: tuple[Marking, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredTechnique:
    """An attack-pattern that the platform holds."""

    id: str
    standard_id: str
    technique: str
    name: str


@dataclass(frozen=True, slots=True)
class Threat:
    """Whom a report may speak of: an intrusion set, threat actor, campaign, malware or tool."""

    id: str
    standard_id: str
    entity_type: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """One object of the platform, read just before it is written to.

    Attributes
    ----------
    id : str
        The internal id. It stays when an analyst renames the report; the standard id does not.
    identity : mapping from STIX property to value
        What the platform finds it by; see `connector.kinds`.
    object_ids : frozenset of str
        Standard ids of all objects it refers to.
    """

    kind: Kind
    id: str
    standard_id: str
    name: str
    identity: Mapping[str, Any]
    created: str
    confidence: int | None
    description: str
    content: str
    markings: tuple[Marking, ...] = ()
    labels: frozenset[str] = frozenset()
    files: tuple[AttachedFile, ...] = ()
    techniques: tuple[StoredTechnique, ...] = ()
    threats: tuple[Threat, ...] = ()
    object_ids: frozenset[str] = field(default=frozenset())

    @property
    def marking_refs(self) -> list[str]:
        """Standard ids of its markings, for what is written about it."""
        return [marking.standard_id for marking in self.markings]

    @property
    def technique_ids(self) -> frozenset[str]:
        """ATT&CK ids of the techniques it refers to."""
        return frozenset(each.technique for each in self.techniques)


def parse(node: Mapping[str, Any]) -> Report:
    """Make a report of the platform's answer to a query for `fields`."""
    kind = KINDS[node["entity_type"]]
    members = nodes(node.get("objects"))
    identity = {stix: node.get(field) for field, stix in kind.identity.items()}
    return Report(
        kind=kind,
        id=node["id"],
        standard_id=node["standard_id"],
        name=str(
            node.get("name")
            or node.get("attribute_abstract")
            or node.get("result_name")
            or kind.entity_type
        ),
        identity={key: value for key, value in identity.items() if value is not None},
        created=str(node.get("created") or ""),
        confidence=node.get("confidence"),
        description=str(node.get(kind.description) or "") if kind.description else "",
        content=str(node.get(kind.content) or "") if kind.content else "",
        markings=markings(node.get("objectMarking")),
        labels=frozenset(str(label["value"]) for label in nodes(node.get("objectLabel"))),
        files=tuple(_file(each) for each in nodes(node.get("importFiles"))),
        techniques=tuple(
            StoredTechnique(each["id"], each["standard_id"], each["x_mitre_id"], each["name"])
            for each in members
            if each["entity_type"] == "Attack-Pattern" and attack_id(each)
        ),
        threats=tuple(_threat(each) for each in members if each["entity_type"] in THREATS),
        object_ids=frozenset(each["standard_id"] for each in members),
    )


def fields(kind: Kind) -> str:
    """Return the GraphQL selection that `parse` needs."""
    plain = {"name"} if "name" in kind.identity else set()
    plain |= {*kind.identity, *filter(None, (kind.description, kind.content))}
    members = MEMBERS if kind.container else ""
    return f"{HEAD} created confidence {' '.join(sorted(plain - {'created'}))} {REST} {members}"


HEAD = """
    id standard_id entity_type
    objectMarking { standard_id definition_type definition }
"""
REST = """
    objectLabel { id value }
    importFiles { edges { node {
        id name size metaData { mimetype version }
        objectMarking { standard_id definition_type definition }
    } } }
"""
_NAMED = " ".join(f"... on {each.replace('-', '')} {{ name aliases }}" for each in THREATS)
MEMBERS = f"""
    objects(all: true) {{ edges {{ node {{
        ... on BasicObject {{ id standard_id entity_type }}
        ... on BasicRelationship {{ id standard_id entity_type }}
        ... on AttackPattern {{ x_mitre_id name }}
        {_NAMED}
    }} }} }}
"""


def attack_id(node: Mapping[str, Any]) -> bool:
    """Tell whether an attack-pattern is one of ATT&CK's; one's own may have any id, or none."""
    return _ATTACK_ID.fullmatch(node.get("x_mitre_id") or "") is not None


def nodes(connection: Any) -> list[dict[str, Any]]:
    """Return the nodes of a connection, whether pycti has flattened it or not."""
    if isinstance(connection, dict):
        connection = [edge["node"] for edge in connection.get("edges") or []]
    return [node for node in connection or [] if node]


def markings(connection: Any) -> tuple[Marking, ...]:
    """Return the markings of an answer."""
    return tuple(
        Marking(each["standard_id"], str(each.get("definition") or ""))
        for each in nodes(connection)
    )


def _file(node: Mapping[str, Any]) -> AttachedFile:
    about = node.get("metaData") or {}
    return AttachedFile(
        id=node["id"],
        name=node["name"],
        size=node.get("size"),
        media_type=about.get("mimetype"),
        version=about.get("version"),
        markings=markings(node.get("objectMarking")),
    )


def _threat(node: Mapping[str, Any]) -> Threat:
    names = dict.fromkeys(
        name.strip() for name in (node.get("name"), *(node.get("aliases") or ())) if name
    )
    return Threat(node["id"], node["standard_id"], node["entity_type"], tuple(filter(None, names)))
