"""The instance's tag names, kept on disk: asking for them takes seconds that an answer has not."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.paths import data_directory
from misp_module.asking import InstanceError
from misp_module.instance import connect
from misp_module.settings import Settings
from misp_module.tags import Clusters, shipped

RETRY_S = 300.0
_ask_again: dict[Path, float] = {}
log = logging.getLogger("ttpscribe.instance")


def known_clusters(settings: Settings) -> Clusters:
    """Return the instance's tag names, from the copy on disk while it is new enough.

    Where the instance does not answer, an older copy serves, or else the shipped names; it is asked
    again after ``RETRY_S``.
    """
    address = hashlib.sha256(str(settings.url).encode()).hexdigest()[:16]
    path = data_directory() / "misp" / f"clusters-{address}.json"
    kept, age = _kept(path)
    if kept is not None and age < settings.tags_hours * 3600:
        return kept
    if time.monotonic() < _ask_again.get(path, 0.0):
        return kept or shipped()
    try:
        clusters = connect(settings).clusters()
    except InstanceError as error:
        # Every try costs seconds that an answer does not have.
        _ask_again[path] = time.monotonic() + RETRY_S
        log.warning(
            "the names of tags are those of %s: %s",
            "an old copy" if kept else "pymispgalaxies",
            error,
        )
        return kept or shipped()
    _keep(path, {"names": clusters.names, "absent": sorted(clusters.absent)})
    return clusters


def _kept(path: Path) -> tuple[Clusters | None, float]:
    """Return the copy on disk and its age in seconds; None where there is none to read."""
    try:
        age = time.time() - path.stat().st_mtime
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Clusters(kept["names"], "instance", frozenset(kept["absent"])), age
    except (OSError, ValueError, KeyError):
        return None, 0.0


def _keep(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(values), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        log.warning("the names of tags cannot be kept: %s", error)
        partial.unlink(missing_ok=True)
