"""Rows of a matrix from files: TIE's JSON, JSON lines, STIX bundles.

A JSON lines record has ``id`` and ``techniques`` (ids, or ids with how often). What more there
is tells what the row stands for: ``entity`` and ``entity_type`` (a group, a piece of software, a
campaign of ATT&CK), ``entities`` (a report that ATT&CK cites, and what for), ``url`` or
``references``, ``title`` or ``name``.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engine.errors import TrainingDataError
from engine.recommenders.base import RowKind
from engine.recommenders.observed import attack_id

ENTITY_KINDS: Final[Mapping[str, RowKind]] = {
    "intrusion-set": "group",
    "group": "group",
    "malware": "software",
    "tool": "software",
    "software": "software",
    "campaign": "campaign",
}
SUFFIXES: Final = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


_PATTERN: Final = "attack-pattern"


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as its file gives it, ids not yet resolved.

    Attributes
    ----------
    id, kind, title : str
        As in ``engine.recommenders.Row``.
    urls : tuple of str
        Where the report can be read; rows with one in common are one report.
    techniques : mapping from id to float
        How often each is there.
    entity : str or None
        ATT&CK id (or STIX id) of the entity that the row describes.
    cited_for : tuple of str
        Entities that this report is cited for.
    """

    id: str
    kind: RowKind
    title: str
    urls: tuple[str, ...]
    techniques: Mapping[str, float]
    entity: str | None = None
    cited_for: tuple[str, ...] = field(default=())


def read_rows(paths: Iterable[Path]) -> Iterator[tuple[Path, RawRow]]:
    """Read all rows of files, and of the files in directories.

    Raises
    ------
    TrainingDataError
        If a path is missing, of no known format, or damaged; it names the file and the line.
    """
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.name.lower().endswith(SUFFIXES))
            if not files:
                raise TrainingDataError(f"The folder {path} holds no {' or '.join(SUFFIXES)} file.")
        else:
            files = [path]
        for file in files:
            for row in _read(file):
                yield file, row


def _read(path: Path) -> Iterator[RawRow]:
    text = _text(path)
    if path.name.lower().removesuffix(".gz").endswith(".jsonl"):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield _record(_json(line, f"{path}, line {number}"), f"{path}, line {number}")
        return
    content = _json(text, str(path))
    if content.get("type") == "bundle":
        yield from _bundle(content)
    elif isinstance(content.get("reports"), list):
        yield from _tie(content["reports"], path)
    else:
        raise TrainingDataError(
            f"{path} is neither a STIX bundle nor TIE's JSON (which has 'reports' with "
            "'mitre_techniques'). One JSON object a line goes into a .jsonl file."
        )


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TrainingDataError(f"{path} cannot be read: {error}.") from error


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TrainingDataError(f"{where}: not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise TrainingDataError(f"{where}: a {type(content).__name__}, not a JSON object.")
    return content


def _counts(techniques: object, where: str) -> dict[str, float]:
    """Read a list of ids, or ids with how often each is there."""
    if isinstance(techniques, list) and all(isinstance(id_, str) for id_ in techniques):
        return dict(Counter(techniques))
    if isinstance(techniques, dict):
        counts = {}
        for id_, count in techniques.items():
            if not isinstance(count, int | float) or not math.isfinite(count) or count < 0:
                raise TrainingDataError(f"{where}: {id_} is there {count!r} times.")
            if count:
                counts[id_] = float(count)
        return counts
    raise TrainingDataError(
        f"{where}: no 'techniques', which is a list of ids or an object of ids with counts."
    )


def _urls(record: Mapping[str, Any]) -> tuple[str, ...]:
    references = record.get("references") or ()
    found = [record.get("url"), *(r.get("url") if isinstance(r, dict) else r for r in references)]
    return tuple(url for url in found if isinstance(url, str) and url)


def _record(record: Mapping[str, Any], where: str) -> RawRow:
    if not isinstance(record.get("id"), str | int):
        raise TrainingDataError(f"{where}: no 'id'.")
    entity = record.get("entity")
    cited_for = tuple(map(str, record.get("entities") or ()))
    kind = ENTITY_KINDS.get(str(record.get("entity_type")), "report")
    if kind == "report" and cited_for:
        kind = "cited report"
    elif "scope" in record:
        kind = "flow"
    return RawRow(
        id=str(record["id"]),
        kind=kind,
        title=_title(record),
        urls=_urls(record),
        techniques=_counts(record.get("techniques"), where),
        entity=None if entity is None else str(entity),
        cited_for=cited_for,
    )


def _title(record: Mapping[str, Any]) -> str:
    for key in ("title", "name"):
        if isinstance(record.get(key), str) and record[key]:
            return str(record[key])
    about = [
        name
        for key in ("associated_campaigns", "associated_groups", "associated_software")
        for name in record.get(key) or ()
    ]
    references = record.get("references") or ()
    named = [r["name"] for r in references if isinstance(r, dict) and r.get("name")]
    return ", ".join(list(dict.fromkeys(map(str, about or named)))[:3])


def _tie(reports: list[Any], path: Path) -> Iterator[RawRow]:
    for number, report in enumerate(reports):
        where = f"{path}, report {number}"
        if not isinstance(report, dict) or "mitre_techniques" not in report:
            raise TrainingDataError(f"{where}: no 'mitre_techniques'.")
        about = report.get("metadata")
        about = {**report, **about} if isinstance(about, dict) else report
        yield RawRow(
            id=f"{path.name.split('.')[0]}-{report.get('id', number)}",
            kind="report",
            title=_title(about),
            urls=_urls(about),
            techniques=_counts(report["mitre_techniques"], where),
        )


def _bundle(bundle: Mapping[str, Any]) -> Iterator[RawRow]:
    """Yield reports with the techniques they refer to, and threats with those they use."""
    objects = [o for o in bundle.get("objects") or () if isinstance(o, dict) and "id" in o]
    live = {o["id"]: o for o in objects if not (o.get("revoked") or o.get("x_mitre_deprecated"))}
    ids = {o["id"]: id_ for o in objects if (id_ := attack_id(o)) and o["type"] == _PATTERN}
    used: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in live.values():
        if item["type"] in ("report", "grouping"):
            yield RawRow(
                id=item["id"],
                kind="report",
                title=str(item.get("name", "")),
                urls=tuple(
                    reference["url"]
                    for reference in item.get("external_references") or ()
                    if isinstance(reference, dict) and isinstance(reference.get("url"), str)
                ),
                techniques=_counts([ids[r] for r in item.get("object_refs", []) if r in ids], ""),
            )
        elif item["type"] == "relationship" and item.get("relationship_type") == "uses":
            source, target = str(item.get("source_ref")), item.get("target_ref")
            if source in live and target in ids:
                used[source][ids[target]] += 1
    for source, techniques in used.items():
        if kind := ENTITY_KINDS.get(live[source]["type"]):
            name = str(live[source].get("name", ""))
            entity = attack_id(live[source]) or source
            yield RawRow(source, kind, name, (), dict.fromkeys(techniques, 1.0), entity)
