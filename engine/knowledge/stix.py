"""Official ATT&CK STIX bundles (2.0 and 2.1) to facts, one domain a bundle."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.errors import KnowledgeError
from engine.knowledge.facts import Facts, Source, parse_version
from engine.knowledge.types import Domain, Tactic, Technique, Withdrawn

MAX_BYTES = 512 * 2**20
_SOURCES = ("mitre-attack", "mitre-mobile-attack", "mitre-ics-attack")
_DOMAIN_OF: Mapping[str, Domain] = {
    "mitre-attack": "enterprise",
    "mitre-mobile-attack": "mobile",
    "mitre-ics-attack": "ics",
    "enterprise-attack": "enterprise",
    "mobile-attack": "mobile",
    "ics-attack": "ics",
}
# The namespace from which STIX 2.1 derives deterministic ids.
_STIX_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")


def derived_stix_id(kind: str, attack_id: str) -> str:
    """Return the STIX id that OpenCTI derives from an ATT&CK id, for want of the official one."""
    seed = json.dumps({"x_mitre_id": attack_id.lower()}, separators=(",", ":"))
    return f"{kind}--{uuid.uuid5(_STIX_NAMESPACE, seed)}"


def read_bundle(path: Path, version: str | None = None) -> Facts:
    """Read the facts of one official bundle.

    Parameters
    ----------
    path : Path
        ``enterprise-attack-18.1.json`` and the like, at most 512 MiB.
    version : str, optional
        Release of ATT&CK, for old bundles that do not say it.

    Returns
    -------
    Facts
        Of one domain.

    Raises
    ------
    KnowledgeError
        If it is missing, too large, no bundle, has no techniques or tactics, or no version.
    """
    objects = _objects(path)
    patterns = [o for o in objects if o.get("type") == "attack-pattern" and _external_id(o)]
    if not patterns:
        raise KnowledgeError(
            f"{path} holds no ATT&CK techniques. Give an official bundle such as "
            "enterprise-attack.json, from https://github.com/mitre-attack/attack-stix-data"
        )
    domain = _domain(path, patterns)
    tactics = _tactics(objects, domain)
    if not tactics:
        raise KnowledgeError(
            f"{path} holds techniques but no tactics (x-mitre-tactic), so it is not a whole "
            "official bundle. Give the complete file."
        )
    found = version or _version(objects)
    if found is None:
        raise KnowledgeError(
            f"{path} does not say which release of ATT&CK it is. Say it with --attack-version."
        )
    parse_version(found)
    techniques, withdrawn = _sort_out(path, patterns, objects, tactics, domain)
    return Facts(
        {domain: Source(found, f"STIX bundle {path.name}")}, tactics, techniques, withdrawn
    )


def _objects(path: Path) -> list[Mapping[str, Any]]:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise KnowledgeError(
                f"{path} has {size / 2**20:,.0f} MiB; an official bundle has less than "
                f"{MAX_BYTES // 2**20} MiB. Give the bundle itself, not an archive of many."
            )
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise KnowledgeError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise KnowledgeError(f"{path} is not JSON. Give an official STIX bundle.") from error
    objects = data.get("objects") if isinstance(data, dict) else None
    if not isinstance(objects, list) or data.get("type") != "bundle":
        raise KnowledgeError(f"{path} is not a STIX bundle (type 'bundle' with 'objects').")
    return [o for o in objects if isinstance(o, dict)]


def _external_id(stix_object: Mapping[str, Any]) -> str | None:
    for reference in stix_object.get("external_references") or ():
        if reference.get("source_name") in _SOURCES:
            found = reference.get("external_id")
            return found if isinstance(found, str) else None
    return None


def _domain(path: Path, patterns: Iterable[Mapping[str, Any]]) -> Domain:
    votes: Counter[Domain] = Counter()
    for pattern in patterns:
        chains = [phase.get("kill_chain_name") for phase in pattern.get("kill_chain_phases") or ()]
        for name in {*chains, *(pattern.get("x_mitre_domains") or ())}:
            if name in _DOMAIN_OF:
                votes[_DOMAIN_OF[name]] += 1
    if not votes:
        raise KnowledgeError(
            f"{path} does not say of which domain (enterprise, mobile, ICS) its techniques are. "
            "Give an official ATT&CK bundle."
        )
    return votes.most_common(1)[0][0]


def _version(objects: Iterable[Mapping[str, Any]]) -> str | None:
    for stix_object in objects:
        if stix_object.get("type") == "x-mitre-collection":
            found = stix_object.get("x_mitre_version")
            return found if isinstance(found, str) else None
    return None


def _tactics(objects: Iterable[Mapping[str, Any]], domain: Domain) -> tuple[Tactic, ...]:
    found = [
        Tactic(id_, o["name"], o["x_mitre_shortname"], domain, o["id"])
        for o in objects
        if o.get("type") == "x-mitre-tactic"
        and not _gone(o)
        and (id_ := _external_id(o))
        and isinstance(o.get("x_mitre_shortname"), str)
    ]
    return tuple(sorted(found, key=lambda t: t.id))


def _gone(stix_object: Mapping[str, Any]) -> bool:
    return bool(stix_object.get("revoked") or stix_object.get("x_mitre_deprecated"))


def _sort_out(
    path: Path,
    patterns: Iterable[Mapping[str, Any]],
    objects: Iterable[Mapping[str, Any]],
    tactics: Iterable[Tactic],
    domain: Domain,
) -> tuple[tuple[Technique, ...], tuple[Withdrawn, ...]]:
    by_stix = {p["id"]: p for p in patterns}
    successor = {
        o["source_ref"]: o["target_ref"]
        for o in objects
        if o.get("type") == "relationship" and o.get("relationship_type") == "revoked-by"
    }
    tactic_of = {t.shortname: t.id for t in tactics}
    active = {_external_id(p): p for p in by_stix.values() if not _gone(p)}
    techniques, withdrawn = [], []
    for stix_id, pattern in by_stix.items():
        id_, name = str(_external_id(pattern)), str(pattern.get("name", ""))
        if _gone(pattern):
            # An id may have been given anew to another object: the active one speaks for it.
            if id_ not in active:
                target = by_stix.get(successor.get(stix_id, ""))
                withdrawn.append(
                    Withdrawn(
                        id_,
                        name,
                        domain,
                        "revoked" if pattern.get("revoked") else "deprecated",
                        _external_id(target) if target else None,
                    )
                )
            continue
        parent = id_[:5] if len(id_) > 5 else None
        if parent and parent not in active:
            raise KnowledgeError(f"{path} holds {id_} without its parent; give the whole bundle.")
        phases = {phase.get("phase_name") for phase in pattern.get("kill_chain_phases") or ()}
        techniques.append(
            Technique(
                id_,
                name,
                (domain,),
                tuple(sorted(tactic_of[phase] for phase in phases if phase in tactic_of)),
                parent,
                str(active[parent]["name"]) if parent else None,
                tuple(sorted(set(pattern.get("x_mitre_platforms") or ()) - {"None"})),
                stix_id,
            )
        )
    unique = {w.id: w for w in withdrawn}
    return (
        tuple(sorted(techniques, key=lambda t: t.id)),
        tuple(sorted(unique.values(), key=lambda w: w.id)),
    )
