"""Observed techniques: given as ids, in a Navigator layer, in a STIX file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

LARGEST_FILE: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Observed:
    """Observed techniques as the recommenders take them.

    Attributes
    ----------
    techniques : mapping from technique to weight
        Active techniques; where several given ids stand for one, the largest weight.
    remarks : tuple of str
        What became of ids that are not used as they were given, for people.
    """

    techniques: Mapping[str, float]
    remarks: tuple[str, ...] = ()


def resolve(given: Iterable[tuple[str, float]], knowledge: Knowledge) -> Observed:
    """Map ids to active techniques; revoked ones are followed, unknown ones passed over.

    Parameters
    ----------
    given : iterable of (id, weight)
    knowledge : Knowledge
    """
    techniques: dict[str, float] = {}
    remarks: dict[str, None] = {}
    for id_, weight in given:
        found = knowledge.resolve(id_)
        if found.technique is None:
            what = "is not a technique" if found.status == "unknown" else f"is {found.status}"
            remarks[f"{found.id} {what} of ATT&CK {knowledge.version}; passed over."] = None
            continue
        if found.status != "active":
            now = f"{found.technique.id} ({found.technique.full_name})"
            remarks[f"{found.id} is {found.status}; taken as {now}."] = None
        techniques[found.technique.id] = max(weight, techniques.get(found.technique.id, 0.0))
    return Observed(techniques, tuple(remarks))


def parse(argument: str) -> tuple[str, float]:
    """Read ``T1105``, or ``T1105=0.7`` for one that is not certain.

    Raises
    ------
    UsageError
        If the weight is no number over 0 and at most 1.
    """
    id_, equals, weight = argument.partition("=")
    return id_, _weight(id_, weight) if equals else 1.0


def parse_record(techniques: object) -> list[tuple[str, float]]:
    """Read ``techniques`` of a JSON record: ids, or an object of ids with weights.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if isinstance(techniques, list) and all(isinstance(id_, str) for id_ in techniques):
        return [(id_, 1.0) for id_ in techniques]
    if isinstance(techniques, dict):
        return [(id_, _weight(id_, weight)) for id_, weight in techniques.items()]
    raise UsageError("'techniques' must be a list of ids, or an object of ids with weights.")


def _weight(id_: str, weight: Any) -> float:
    try:
        value = float(weight)
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(weight, bool) or not 0 < value <= 1:
        raise UsageError(f"The weight of {id_} is {weight!r}; give a number over 0, at most 1.")
    return value


def read_file(path: Path) -> list[tuple[str, float]]:
    """Read the techniques of a Navigator layer or a STIX file.

    Of a layer, the enabled techniques that are annotated (scored over zero, coloured or
    commented); inferences that ttpscribe itself wrote are left out. Of a STIX bundle, the
    attack-patterns that a report in it refers to, or all where there is no report.

    Raises
    ------
    DocumentError
        If it cannot be read, or is neither.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DocumentError(f"{path} is larger than any layer or bundle; it is not read.")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not JSON: {error}.") from error
    layers = content if isinstance(content, list) else [content]
    if layers and all(isinstance(layer, dict) and "techniques" in layer for layer in layers):
        ids = [id_ for layer in layers for id_ in _layer(layer)]
    elif isinstance(content, dict) and content.get("type") == "bundle":
        ids = list(_bundle(content))
    else:
        raise DocumentError(
            f"{path} is neither an ATT&CK Navigator layer (it has no 'techniques') nor a STIX "
            "bundle. For a report, use: ttpscribe analyse FILE"
        )
    return [(id_, 1.0) for id_ in dict.fromkeys(ids)]


def _layer(layer: Mapping[str, Any]) -> Iterator[str]:
    entries = layer["techniques"] if isinstance(layer["techniques"], list) else []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("enabled") is False:
            continue
        metadata = entry.get("metadata") or ()
        ours = any(m.get("value") == "inference" for m in metadata if isinstance(m, dict))
        score = entry.get("score")
        scored = isinstance(score, int | float) and score > 0
        annotated = scored or (score is None and (entry.get("color") or entry.get("comment")))
        if annotated and not ours and isinstance(entry.get("techniqueID"), str):
            yield entry["techniqueID"]


def _bundle(bundle: Mapping[str, Any]) -> Iterator[str]:
    found = bundle.get("objects")
    objects = (
        [o for o in found if isinstance(o, dict) and "id" in o] if isinstance(found, list) else []
    )
    reports = [item for item in objects if item.get("type") in ("report", "grouping")]
    referred = {ref for report in reports for ref in report.get("object_refs") or ()}
    for item in objects:
        wanted = item.get("type") == "attack-pattern" and (not reports or item["id"] in referred)
        if wanted and (id_ := attack_id(item)):
            yield id_


def attack_id(item: Mapping[str, Any]) -> str | None:
    """Return the ATT&CK id that a STIX object carries, as MITRE or as OpenCTI writes it."""
    for reference in item.get("external_references") or ():
        if isinstance(reference, dict) and str(reference.get("source_name")).startswith("mitre"):
            id_ = reference.get("external_id")
            return id_ if isinstance(id_, str) else None
    given = item.get("x_mitre_id")
    return given if isinstance(given, str) else None
