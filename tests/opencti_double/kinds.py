"""The types of object that the double knows, and what follows from each type.

OpenCTI derives an object's standard id from a few of its attributes, so that the same thing
imported twice is one object; pycti's ``generate_id`` computes the same ids and is used here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pycti
from stix2.canonicalization.Canonicalize import canonicalize

Attributes = Mapping[str, Any]

OPENCTI_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")

DOMAIN_OBJECT = ("Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Domain-Object")
META_OBJECT = ("Basic-Object", "Stix-Object", "Stix-Meta-Object")
RELATIONSHIP = ("basic-relationship", "stix-relationship", "stix-core-relationship")

CONTAINERS = frozenset(
    {"Report", "Grouping", "Case-Incident", "Case-Rfi", "Case-Rft", "Note", "Opinion"}
)

# Input fields that point to other objects, by whether they hold one or several.
SINGLE_REFS = frozenset({"createdBy"})
MULTIPLE_REFS = frozenset(
    {
        "externalReferences",
        "killChainPhases",
        "objectAssignee",
        "objectLabel",
        "objectMarking",
        "objectOrganization",
        "objectParticipant",
        "objects",
        "samples",
    }
)


@dataclass(frozen=True)
class Kind:
    """One type of object: its names in OpenCTI, GraphQL and STIX, and how its id is made."""

    entity_type: str
    graphql: str
    stix: str
    parents: tuple[str, ...]
    standard_id: Callable[[Attributes], str]
    alias_field: str | None = None


def note_standard_id(attributes: Attributes) -> str:
    """Return the platform's id of a note: unlike pycti's, the abstract is part of it."""
    parts = {
        key: attributes[key]
        for key in ("attribute_abstract", "content", "created")
        if attributes.get(key) is not None
    }
    return f"note--{uuid.uuid5(OPENCTI_NAMESPACE, canonicalize(parts, utf8=False))}"


def attack_pattern_standard_id(attributes: Attributes) -> str:
    """Return the id from ``x_mitre_id`` where there is one, else from the name."""
    return str(
        pycti.AttackPattern.generate_id(attributes["name"], attributes.get("x_mitre_id") or None)
    )


def _by_name(kind: Any) -> Callable[[Attributes], str]:
    return lambda attributes: str(kind.generate_id(attributes["name"]))


def _by_name_and(kind: Any, field: str) -> Callable[[Attributes], str]:
    return lambda attributes: str(kind.generate_id(attributes["name"], attributes[field]))


def _identity(identity_class: str) -> Callable[[Attributes], str]:
    return lambda attributes: str(pycti.Identity.generate_id(attributes["name"], identity_class))


def _identity_kind(entity_type: str, identity_class: str) -> Kind:
    parents = (*DOMAIN_OBJECT, "Identity")
    return Kind(entity_type, entity_type, "identity", parents, _identity(identity_class),
                "x_opencti_aliases")  # fmt: skip


def _threat(entity_type: str, stix: str, kind: Any, *extra: str) -> Kind:
    parents = (*DOMAIN_OBJECT, *extra)
    graphql = entity_type.replace("-", "")
    return Kind(entity_type, graphql, stix, parents, _by_name(kind), "aliases")


_CONTAINER = (*DOMAIN_OBJECT, "Container")
_CASE = (*_CONTAINER, "Case")

_ALL = (
    Kind("Report", "Report", "report", _CONTAINER, _by_name_and(pycti.Report, "published")),
    Kind(
        "Grouping", "Grouping", "grouping", _CONTAINER,
        lambda a: str(pycti.Grouping.generate_id(a["name"], a["context"], a["created"])),
        "x_opencti_aliases",
    ),
    Kind("Case-Incident", "CaseIncident", "case-incident", _CASE,
         _by_name_and(pycti.CaseIncident, "created")),
    Kind("Case-Rfi", "CaseRfi", "case-rfi", _CASE, _by_name_and(pycti.CaseRfi, "created")),
    Kind("Case-Rft", "CaseRft", "case-rft", _CASE, _by_name_and(pycti.CaseRft, "created")),
    Kind("Note", "Note", "note", _CONTAINER, note_standard_id),
    Kind("Opinion", "Opinion", "opinion", _CONTAINER,
         lambda a: str(pycti.Opinion.generate_id(a["created"], a["opinion"]))),
    Kind("Malware-Analysis", "MalwareAnalysis", "malware-analysis", DOMAIN_OBJECT,
         lambda a: str(pycti.MalwareAnalysis.generate_id(
             a["result_name"], a["product"], a.get("submitted")))),
    # Aliases do not identify an attack-pattern (experiment e7): a technique that is sent
    # without its x_mitre_id becomes a second object.
    Kind("Attack-Pattern", "AttackPattern", "attack-pattern", DOMAIN_OBJECT,
         attack_pattern_standard_id),
    _threat("Intrusion-Set", "intrusion-set", pycti.IntrusionSet),
    _threat("Threat-Actor-Group", "threat-actor", pycti.ThreatActorGroup, "Threat-Actor"),
    _threat("Threat-Actor-Individual", "threat-actor", pycti.ThreatActorIndividual,
            "Threat-Actor"),
    _threat("Campaign", "campaign", pycti.Campaign),
    _threat("Malware", "malware", pycti.Malware),
    _threat("Tool", "tool", pycti.Tool),
    _identity_kind("Organization", "organization"),
    _identity_kind("Individual", "individual"),
    _identity_kind("Sector", "class"),
    _identity_kind("System", "system"),
    Kind("Label", "Label", "label", META_OBJECT,
         lambda a: str(pycti.Label.generate_id(a["value"]))),
    Kind("Marking-Definition", "MarkingDefinition", "marking-definition", META_OBJECT,
         lambda a: str(
             pycti.MarkingDefinition.generate_id(a["definition_type"], a["definition"]))),
    Kind("Kill-Chain-Phase", "KillChainPhase", "kill-chain-phase", META_OBJECT,
         lambda a: str(pycti.KillChainPhase.generate_id(a["phase_name"], a["kill_chain_name"]))),
    Kind("External-Reference", "ExternalReference", "external-reference", META_OBJECT,
         lambda a: str(pycti.ExternalReference.generate_id(
             a.get("url"), a.get("source_name"), a.get("external_id")))),
    Kind("Vocabulary", "Vocabulary", "vocabulary", META_OBJECT,
         lambda a: str(pycti.Vocabulary.generate_id(a["name"], a["category"]))),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.entity_type: kind for kind in _ALL}
BY_GRAPHQL: dict[str, Kind] = {kind.graphql: kind for kind in _ALL}

# Which types may stand at the two ends of a relationship. Types that are not listed are
# refused, as the platform refuses them.
_THREATS = {
    "Intrusion-Set", "Threat-Actor-Group", "Threat-Actor-Individual", "Campaign", "Malware",
    "Incident",
}  # fmt: skip
_RELATIONS: dict[str, tuple[set[str], set[str]]] = {
    "uses": (_THREATS | {"Tool"}, {"Attack-Pattern", "Malware", "Tool"}),
    "attributed-to": (_THREATS, _THREATS | {"Organization", "Individual"}),
    "targets": (_THREATS | {"Tool", "Attack-Pattern"},
                {"Organization", "Individual", "Sector", "System"}),
    "subtechnique-of": ({"Attack-Pattern"}, {"Attack-Pattern"}),
}  # fmt: skip


def relationship_allowed(relationship_type: str, source: str, target: str) -> bool:
    """Tell whether the platform accepts this relationship between these two types."""
    if relationship_type == "related-to":
        return True
    sources, targets = _RELATIONS.get(relationship_type, (set(), set()))
    if relationship_type == "uses" and source == "Attack-Pattern":
        return target in {"Malware", "Tool"}
    return source in sources and target in targets


def relationship_standard_id(attributes: Attributes, source: str, target: str) -> str:
    """Return the id of a relationship from its type, its two ends and its start and stop."""
    return str(
        pycti.StixCoreRelationship.generate_id(
            attributes["relationship_type"],
            source,
            target,
            attributes.get("start_time"),
            attributes.get("stop_time"),
        )
    )
