"""Tags, exact for the instance: MISP drops a tag that differs in one letter, and says nothing.

Cluster names change between ATT&CK releases. So they come from the MISP instance where a key is
given, else from `pymispgalaxies`, else they are built as MISP's galaxy builds them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

ATTACK_PATTERN: Final = "mitre-attack-pattern"
ICS: Final = "mitre-ics-techniques"
GALAXIES: Final[Mapping[str, str]] = {
    ATTACK_PATTERN: "c4e851fa-775f-11e7-8163-b774922098cd",  # enterprise and mobile
    ICS: "99261a7e-2270-40eb-823f-834cc1ad3159",
}
# Deprecated galaxies: never written, but what is tagged with them is tagged.
_TECHNIQUE_TAG = re.compile(
    r"^misp-galaxy:mitre-(?:(?:enterprise-|mobile-|pre-)?attack-(?:attack-)?pattern|ics-techniques)"
    r'="(?P<value>.*)"$'
)
_ID = re.compile(r"\b(T\d{4}(?:\.\d{3})?)\b")
_ID_KEYS = ("external_id", "Technique ID")
_UNPADDED = re.compile(r"\bT(\d{3})\b")  # how the ICS galaxy writes T0800

# How MISP's editor writes a tag into the text of an event report. Names of galaxy tags may have
# brackets, between quotation marks.
INLINE_TAG: Final = re.compile(
    r"[ \t]?@\[tag\]\((?P<name>(?:[^()\"\n]|\"[^\"\n]{0,200}\"){0,200})\)"
)

AI_GENERATED: Final = 'ai-computer-assisted:assistance-level="ai-generated"'
UNREVIEWED: Final = 'ai-computer-assisted:review-level="unreviewed"'
PROVENANCE: Final = (AI_GENERATED, UNREVIEWED)
# Lowest probability of each, as the taxonomy's numerical values have it.
_LIKELIHOOD: Final = (
    (0.95, "almost-certain"),
    (0.80, "very-likely"),
    (0.55, "likely"),
    (0.45, "roughly-even-chance"),
    (0.20, "unlikely"),
    (0.0, "very-unlikely"),
)
Source = Literal["instance", "pymispgalaxies"]


@dataclass(frozen=True)
class Clusters:
    """The names of the galaxy clusters that stand for techniques.

    Attributes
    ----------
    names : mapping from galaxy to mapping from technique id to cluster value
    source : Source
        Whence they come; where it is not the instance, nobody knows whether it has them.
    absent : frozenset of str
        Tags and taxonomies of ours that the instance does not know.
    """

    names: Mapping[str, Mapping[str, str]]
    source: Source
    absent: frozenset[str] = frozenset()

    def tag(self, technique: str, knowledge: Knowledge) -> str:
        """Return the galaxy tag of a technique."""
        active = knowledge.technique(technique)
        galaxy = ICS if active.domains == ("ics",) else ATTACK_PATTERN
        built = active.name if galaxy == ICS else f"{active.name} - {technique}"
        value = self.names.get(galaxy, {}).get(technique, built)
        return f'misp-galaxy:{galaxy}="{value}"'

    def remarks(self, techniques: Iterable[str]) -> list[str]:
        """Say which tags MISP will drop, as far as that is known."""
        if self.source != "instance":
            return []
        unknown = sorted(
            technique
            for technique in techniques
            if not any(technique in names for names in self.names.values())
        )
        remarks = [
            f"this MISP has no galaxy cluster for {', '.join(unknown)}, so the tag is dropped: an "
            "admin should update the galaxies"
        ] * bool(unknown)
        remarks += [
            f"this MISP does not know the taxonomy {namespace}, so its tags are dropped: an admin "
            "should enable it"
            for namespace in sorted(self.absent)
        ]
        return remarks


def likelihood(probability: float) -> str:
    """Return the estimative-language tag of a calibrated probability."""
    word = next(word for least, word in _LIKELIHOOD if probability >= least or least == 0)
    return f'estimative-language:likelihood-probability="{word}"'


def technique_of(tag: str, knowledge: Knowledge) -> str | None:
    """Return the active technique that a galaxy tag stands for, of whichever galaxy.

    Clusters of the ICS galaxy may be named without an id; their names are looked up.
    """
    found = _TECHNIQUE_TAG.match(tag)
    if not found:
        return None
    value = found["value"]
    if number := _ID.search(value):
        resolved = knowledge.resolve(number[1]).technique
        return resolved.id if resolved else None
    if ICS not in tag:
        return None
    return _of_ics(value, knowledge) or _shipped_ids().get(value)


def without_inline_tags(content: str) -> str:
    """Return an event report's text without the tags that people put into its lines.

    They name techniques, which is not to be learned, and are no change of the text.
    """
    return INLINE_TAG.sub("", content)


@cache
def shipped() -> Clusters:
    """Return the clusters that `pymispgalaxies` brings."""
    from engine.knowledge import Knowledge

    knowledge = Knowledge.load()
    names = {galaxy: names_of(_values(galaxy), knowledge) for galaxy in GALAXIES}
    return Clusters(names, "pymispgalaxies")


def names_of(values: Iterable[Mapping[str, Any]], knowledge: Knowledge) -> dict[str, str]:
    """Map technique ids to cluster values, of clusters as MISP and its galaxy files write them.

    The ICS galaxy names clusters without ids, and some of the ids beside them are wrong: there a
    name that ATT&CK knows counts more.
    """
    names, claimed = {}, {}
    for cluster in values:
        value = str(cluster.get("value") or "")
        if found := _ID.search(value):
            names[found[1]] = value
        elif named := _of_ics(value, knowledge):
            names[named] = value
        elif external := _external_id(cluster):
            claimed[external] = value
    return {**claimed, **names}


def _of_ics(name: str, knowledge: Knowledge) -> str | None:
    named = [found.id for found in knowledge.by_name(name) if found.domains == ("ics",)]
    return named[0] if len(named) == 1 else None


def _external_id(cluster: Mapping[str, Any]) -> str | None:
    for text in _external_ids(cluster):
        if found := _ID.search(_UNPADDED.sub(r"T0\1", text)):
            return found[1]
    return None


def _external_ids(cluster: Mapping[str, Any]) -> list[str]:
    """Return what galaxy files call ``meta``, and what the API calls ``GalaxyElement``."""
    meta = cluster.get("meta")
    if isinstance(meta, Mapping):
        values = [meta.get(key) for key in _ID_KEYS]
    else:
        elements = cluster.get("GalaxyElement") or []
        values = [element.get("value") for element in elements if element.get("key") in _ID_KEYS]
    flat = [value[0] if isinstance(value, list) and value else value for value in values]
    return [value for value in flat if isinstance(value, str)]


def _values(galaxy: str) -> list[dict[str, Any]]:
    folder = files("pymispgalaxies") / "data" / "misp-galaxy" / "clusters"
    text = (folder / f"{galaxy}.json").read_text(encoding="utf-8")
    values: list[dict[str, Any]] = json.loads(text)["values"]
    return values


@cache
def _shipped_ids() -> Mapping[str, str]:
    return {name: technique for technique, name in shipped().names[ICS].items()}
