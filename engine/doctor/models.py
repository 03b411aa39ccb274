"""What the engine answers with: ATT&CK, and the champion."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from engine.doctor.line import Line
from engine.errors import KnowledgeError, TtpscribeError

# ATT&CK changes twice a year, and reports with it.
OLD = timedelta(days=365)


def knowledge() -> Iterator[Line]:
    """Look at the knowledge of ATT&CK, and whether the champion speaks of the same."""
    from engine.knowledge import Knowledge
    from engine.releases import open_default

    try:
        known = Knowledge.load()
    except KnowledgeError as error:
        yield Line("knowledge", "failed", str(error))
        return
    yield Line("knowledge", "ok", f"ATT&CK {known.version}")
    try:
        spoken = open_default().manifest.attack_version
    except TtpscribeError:
        return  # told by the champion's own check
    if spoken != known.version:
        yield Line(
            "knowledge", "warning",
            f"the champion was trained on ATT&CK {spoken}: of newer techniques it knows only the "
            "names",
            "Train or import a release for this ATT&CK: ttpscribe releases import DIR --use",
        )  # fmt: skip


def champion() -> Iterator[Line]:
    """Look at the release in use, the hash of each of its files, its age, and the others."""
    from engine.releases import ReleaseStore
    from engine.releases.store import PINNED

    store = ReleaseStore()
    release = store.champion()
    manifest = release.manifest
    age = datetime.now(UTC) - manifest.created
    yield Line(
        "champion", "ok",
        f"{release.name}, made {manifest.created:%Y-%m-%d}, {len(manifest.files)} files with the "
        f"hashes of its manifest ({release.digest[:12]})",
    )  # fmt: skip
    if pinned := os.environ.get(PINNED):
        yield Line(
            "champion", "warning", f"{PINNED} pins {pinned}: no other release comes into use",
            f"Unset {PINNED} to follow the champion.",
        )  # fmt: skip
    if age > OLD:
        yield Line(
            "champion", "warning", f"it is {age.days} days old",
            "Train on newer verdicts, or import a newer release: ttpscribe releases import DIR",
        )  # fmt: skip
    for entry in store.list():
        if entry.problem:
            yield Line(
                "champion", "warning", f"another release cannot be used: {entry.problem}",
                f"Import it again, or delete {entry.path}.",
            )  # fmt: skip
