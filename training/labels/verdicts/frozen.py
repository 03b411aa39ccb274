"""Frozen label sets on disk: JSON lines as docs/training-data.md describes them, and a manifest.

``labels/<name>/train.jsonl`` and ``held.jsonl`` can be given to any ``--data``; fields that the
format does not know (weights of single techniques) are read back here alone. Texts of reports may
be confidential: nobody but the owner reads the directory, and words are taken out of it when
``ttpscribe ledger erase`` or ``prune`` take them out of the ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from engine.errors import TrainingDataError
from engine.paths import data_directory
from training.labels.verdicts.lines import documents_in, line_of, records_of
from training.labels.verdicts.types import Counts, Doubt, FrozenLabels, JudgedDocument, Part

PROTOCOL: Final = 4
# Sets of the first kind do not say what is unsure, those of the second not how certain a label is,
# those of the third not what analysts pointed at; their digests are of lines without it.
READABLE: Final = (1, 2, 3, PROTOCOL)
MANIFEST: Final = "manifest.json"
PARTS: Final[tuple[Part, ...]] = ("train", "held")
_UNFINISHED: Final = ".unfinished-"


def directory() -> Path:
    """Where label sets are kept."""
    return data_directory() / "labels"


def names(root: Path | None = None) -> list[str]:
    """Names of all label sets, oldest first."""
    root = root or directory()
    if not root.is_dir():
        return []
    found = [p for p in root.iterdir() if not p.name.startswith(".") and (p / MANIFEST).is_file()]
    return [p.name for p in sorted(found, key=lambda p: (_manifest(p)["created"], p.name))]


def digest_of(train: Iterable[JudgedDocument], held: Iterable[JudgedDocument]) -> str:
    """Return the SHA-256 that names the content of a label set."""
    total = hashlib.sha256()
    for part, documents in zip(PARTS, (train, held), strict=True):
        total.update(f"{part}\n".encode())
        for document in documents:
            for record in records_of(document):
                total.update(line_of(record))
    return total.hexdigest()


def write(labels: FrozenLabels, root: Path | None = None) -> Path:
    """Write a label set, whole or not at all; the same one again changes nothing.

    Raises
    ------
    TrainingDataError
        If it cannot be written, as when the disk is full.
    """
    root = root or directory()
    target = root / labels.name
    if (target / MANIFEST).is_file():
        return target
    unfinished = root / f"{_UNFINISHED}{labels.name}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        for part, documents in zip(PARTS, (labels.train, labels.held), strict=True):
            with _private(unfinished / f"{part}.jsonl") as stream:
                for document in documents:
                    for record in records_of(document):
                        stream.write(line_of(record))
        _write_manifest(unfinished, _facts(labels))
        unfinished.rename(target)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise TrainingDataError(
            f"The label set {labels.name} cannot be written to {root} ({error.strerror}). Free "
            "some space, or name another directory: export TTPSCRIBE_DATA_DIR=DIR"
        ) from error
    return target


def load(name: str, root: Path | None = None) -> FrozenLabels:
    """Read a label set.

    Raises
    ------
    TrainingDataError
        If there is none of that name, or its files were changed by hand.
    """
    root = root or directory()
    folder = root / name
    if not (folder / MANIFEST).is_file():
        known = ", ".join(names(root)[-5:]) or "none"
        raise TrainingDataError(
            f"There is no label set '{name}' in {root}. The newest: {known}. Make one: ttpscribe "
            "labels freeze"
        )
    facts = _manifest(folder)
    try:
        train, held = (tuple(documents_in(folder / f"{part}.jsonl")) for part in PARTS)
        labels = FrozenLabels(
            name=facts["name"],
            digest=facts["digest"],
            created=datetime.fromisoformat(facts["created"]),
            champion=facts["champion"],
            attack_version=facts["attack_version"],
            train=train,
            held=held,
            counts=Counts(**facts["counts"]),
            unmapped=tuple(facts["unmapped"]),
            disagreements=tuple(Doubt(**doubt) for doubt in facts["disagreements"]),
            suspicious=tuple(Doubt(**doubt) for doubt in facts["suspicious"]),
            erased=tuple(facts["erased"]),
            about=facts["about"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, error) from error
    if (
        facts["protocol"] == PROTOCOL
        and not labels.erased
        and digest_of(train, held) != labels.digest
    ):
        raise _damaged(folder, "its files do not match its digest")
    return labels


def trained_on(name: str, root: Path | None = None) -> frozenset[str] | None:
    """Return the keys of the reports of the training part; None where the set is gone."""
    folder = (root or directory()) / name
    if not (folder / MANIFEST).is_file():
        return None
    return frozenset(map(str, _manifest(folder)["keys"]["train"]))


def keep_suspicious(name: str, doubts: Iterable[Doubt], root: Path | None = None) -> None:
    """Note the labels that the models doubt beside the set.

    Raises
    ------
    TrainingDataError
        If it cannot be written; the set is as it was before.
    """
    folder = (root or directory()) / name
    facts = {**_manifest(folder), "suspicious": [asdict(d) for d in doubts]}
    try:
        _write_manifest(folder, facts)
    except OSError as error:
        raise TrainingDataError(
            f"What is doubtful in the label set {folder} cannot be written beside it "
            f"({error.strerror}). Free some space and call again."
        ) from error


def erase(platform: str, report: str, root: Path | None = None) -> int:
    """Take every word of a report out of all label sets; return from how many."""
    root = root or directory()
    key = f"{platform}:{report}"
    changed = 0
    for name in names(root):
        folder = root / name
        facts = _manifest(folder)
        touched = False
        for part in PARTS:
            path = folder / f"{part}.jsonl"
            kept = [line for line in path.read_bytes().splitlines(True) if not _is_of(line, key)]
            if len(kept) < len(path.read_bytes().splitlines()):
                touched = True
                with _private(path.with_suffix(".new")) as stream:
                    stream.writelines(kept)
                path.with_suffix(".new").replace(path)
        if touched:
            changed += 1
            _write_manifest(folder, {**facts, "erased": sorted({*facts["erased"], key})})
    return changed


def prune(limit: datetime, root: Path | None = None) -> int:
    """Delete the label sets that were frozen before a moment; return how many."""
    root = root or directory()
    old = [n for n in names(root) if datetime.fromisoformat(_manifest(root / n)["created"]) < limit]
    for name in old:
        shutil.rmtree(root / name)
    return len(old)


def keep_newest(number: int, root: Path | None = None, needed: Iterable[str] = ()) -> int:
    """Delete all but the newest label sets and those that are needed; return how many."""
    root = root or directory()
    old = [name for name in names(root)[:-number] if name not in set(needed)]
    for name in old:
        shutil.rmtree(root / name)
    return len(old)


def _facts(labels: FrozenLabels) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "name": labels.name,
        "digest": labels.digest,
        "created": labels.created.isoformat(),
        "champion": labels.champion,
        "attack_version": labels.attack_version,
        "counts": asdict(labels.counts),
        "keys": {
            "train": [document.key for document in labels.train],
            "held": [document.key for document in labels.held],
        },
        "unmapped": list(labels.unmapped),
        "disagreements": [asdict(doubt) for doubt in labels.disagreements],
        "suspicious": [asdict(doubt) for doubt in labels.suspicious],
        "erased": list(labels.erased),
        "about": dict(labels.about),
    }


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / MANIFEST).read_text("utf-8"))
        if not isinstance(facts, dict) or facts.get("protocol") not in READABLE:
            raise ValueError("it is of another protocol")
        return facts
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, why: object) -> TrainingDataError:
    return TrainingDataError(
        f"The label set {folder} is damaged ({why}). Delete it; the next one is made of the "
        "ledger: ttpscribe labels freeze"
    )


def _write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    new = folder / f"{MANIFEST}.new"
    try:
        with _private(new) as stream:
            stream.write(text.encode())
        new.replace(folder / MANIFEST)
    finally:
        new.unlink(missing_ok=True)


def _private(path: Path) -> Any:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(handle, "wb")


def _is_of(line: bytes, key: str) -> bool:
    return bool(line.strip()) and json.loads(line).get("doc_id") == key


def with_name(labels: FrozenLabels) -> FrozenLabels:
    """Return a label set under the name that its date and content give it."""
    digest = digest_of(labels.train, labels.held)
    name = f"{labels.created:%Y%m%d}-{digest[:8]}"
    return replace(labels, name=name, digest=digest)
