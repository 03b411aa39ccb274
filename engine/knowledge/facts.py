"""The knowledge file: reading, checking, writing.

JSON, one record a line so that a change of release can be reviewed as a difference. Facts only:
no descriptions. Sub-techniques need no field for their parent, the id names it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import KnowledgeError
from engine.knowledge.types import Tactic, Technique, Withdrawn

FORMAT = 1
LICENCE = (
    "© 2025 The MITRE Corporation. This work is reproduced and distributed with the permission "
    "of The MITRE Corporation."
)
_ID = re.compile(r"T\d{4}(?:\.\d{3})?")


@dataclass(frozen=True, slots=True)
class Source:
    """Release of ATT&CK that a domain's facts are of, and what they were read from."""

    version: str
    origin: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a knowledge file holds."""

    sources: Mapping[str, Source]
    tactics: tuple[Tactic, ...]
    techniques: tuple[Technique, ...]
    withdrawn: tuple[Withdrawn, ...]


def parse_version(text: str) -> tuple[int, ...]:
    """``"18.1"`` as ``(18, 1)``, to compare releases.

    Raises
    ------
    KnowledgeError
        If it is not numbers with dots between them.
    """
    if not re.fullmatch(r"\d+(?:\.\d+)*", text):
        raise KnowledgeError(f"'{text}' is not a version of ATT&CK; they look like 18.1.")
    return tuple(int(part) for part in text.split("."))


def read(path: Path) -> Facts:
    """Read a knowledge file.

    Raises
    ------
    KnowledgeError
        If it is missing, is not a knowledge file, or has a newer format.
    """
    remedy = "Go back to the shipped knowledge with: ttpscribe knowledge reset"
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise KnowledgeError(
            f"Cannot read the knowledge file {path}: {error.strerror}. {remedy}"
        ) from error
    except ValueError as error:
        raise KnowledgeError(
            f"The knowledge file {path} is damaged (not JSON). {remedy}"
        ) from error
    found = data.get("format") if isinstance(data, dict) else None
    if not isinstance(found, int):
        raise KnowledgeError(
            f"{path} is not a knowledge file. For an official STIX bundle use: "
            "ttpscribe knowledge update --stix FILE"
        )
    if found > FORMAT:
        raise KnowledgeError(
            f"The knowledge file {path} has format {found}; this version reads up to {FORMAT}. "
            f"Update ttpscribe, or: {remedy[0].lower()}{remedy[1:]}"
        )
    try:
        return _facts(data)
    except (KeyError, TypeError, ValueError) as error:
        raise KnowledgeError(f"The knowledge file {path} is damaged ({error}). {remedy}") from error


def _facts(data: Mapping[str, Any]) -> Facts:
    names = {record[0]: record[1] for record in data["techniques"]}
    techniques = []
    for id_, name, domains, tactics, platforms, stix_id in data["techniques"]:
        if not _ID.fullmatch(id_):
            raise ValueError(f"'{id_}' is no technique id")
        parent = id_[:5] if len(id_) > 5 else None
        techniques.append(
            Technique(
                id_,
                name,
                tuple(domains),
                tuple(tactics),
                parent,
                names[parent] if parent else None,
                tuple(platforms),
                stix_id,
            )
        )
    return Facts(
        sources={domain: Source(**source) for domain, source in data["sources"].items()},
        tactics=tuple(Tactic(*record) for record in data["tactics"]),
        techniques=tuple(techniques),
        withdrawn=tuple(Withdrawn(*record) for record in data["withdrawn"]),
    )


def write(facts: Facts, path: Path) -> None:
    """Write a knowledge file whole or not at all; the same facts give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(_dump(facts))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _dump(facts: Facts) -> str:
    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def block(records: list[list[object]]) -> str:
        return "[\n" + ",\n".join(line(record) for record in records) + "\n]"

    sources = {
        domain: {"version": source.version, "origin": source.origin}
        for domain, source in sorted(facts.sources.items())
    }
    tactics: list[list[object]] = [
        [t.id, t.name, t.shortname, t.domain, t.stix_id]
        for t in sorted(facts.tactics, key=lambda t: t.id)
    ]
    techniques: list[list[object]] = [
        [t.id, t.name, t.domains, t.tactics, t.platforms, t.stix_id]
        for t in sorted(facts.techniques, key=lambda t: t.id)
    ]
    withdrawn: list[list[object]] = [
        [w.id, w.name, w.domain, w.status, w.replaced_by]
        for w in sorted(facts.withdrawn, key=lambda w: w.id)
    ]
    return (
        f'{{"format":{FORMAT},\n"licence":{line(LICENCE)},\n"sources":{line(sources)},\n'
        f'"tactics":{block(tactics)},\n"techniques":{block(techniques)},\n'
        f'"withdrawn":{block(withdrawn)}}}\n'
    )
