"""The machine: room on its disks, the data directory, the clock, files with secrets."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.doctor.line import Line
from engine.errors import TtpscribeError
from engine.ledger.database import FILE_NAME
from engine.paths import data_directory

FULL = 200e6
NEARLY_FULL = 2e9
_OURS = ("TTPSCRIBE_", "OPENCTI_", "CONNECTOR_")
_MOUNTED = Path("/run/secrets")


def machine() -> Iterator[Line]:
    """Look at the data directory, the disks and the clock."""
    data = data_directory()
    yield from _data(data)
    for name, folder in (("data", _existing(data)), ("temporary", Path(tempfile.gettempdir()))):
        yield _room(name, folder)
    yield _clock()


def _data(data: Path) -> Iterator[Line]:
    if not data.exists():
        yield Line("data", "ok", f"{data} is not there yet, and is made at first need")
        return
    if not os.access(data, os.R_OK | os.X_OK):
        yield Line(
            "data", "failed", f"{data} cannot be read by user {os.geteuid()}",
            f"chown -R {os.geteuid()} {data}, or name another: TTPSCRIBE_DATA_DIR",
        )  # fmt: skip
        return
    releases = data / "releases"
    writable = os.access(releases if releases.exists() else data, os.W_OK)
    yield Line(
        "data", "ok",
        f"{data}, {'writable' if writable else 'read-only here: releases are used, not changed'}",
    )  # fmt: skip
    for path in (data, data / FILE_NAME):
        if path.exists() and path.stat().st_mode & stat.S_IWOTH:
            yield Line(
                "data", "failed", f"every user of this machine may write {path}",
                f"chmod o-w {path}",
            )  # fmt: skip
    ledger = data / FILE_NAME
    if ledger.exists() and _seen_by_others(ledger):
        yield Line(
            "data", "warning", f"other users may read {ledger}, which quotes reports",
            f"chmod 600 {ledger}",
        )  # fmt: skip


def _room(name: str, folder: Path) -> Line:
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.1f} GB free for {name} files in {folder}"
    if free < FULL:
        return Line("disk", "failed", says, "Make room: work that must be written will fail.")
    if free < NEARLY_FULL and name == "data":
        return Line(
            "disk", "warning", says,
            "Make room, or: ttpscribe ledger prune --older-than 365d",
        )  # fmt: skip
    return Line("disk", "ok", says)


def _clock() -> Line:
    """Compare with the release in use: no model was made in the future."""
    from engine.releases import open_default

    now = datetime.now(UTC)
    says = f"{now:%Y-%m-%d %H:%M} UTC"
    try:
        made = open_default().manifest.created
    except TtpscribeError:
        return Line("clock", "ok", says)  # the champion's own check tells what is wrong with it
    if now + timedelta(minutes=5) < made:
        return Line(
            "clock", "failed", f"{says}, which is before the champion was made ({made:%Y-%m-%d})",
            "Set this machine's clock (timedatectl set-ntp true).",
        )  # fmt: skip
    return Line("clock", "ok", says)


def secrets() -> Iterator[Line]:
    """Look at the files that the environment names for secrets, and at config.yml."""
    named = {
        name: Path(value)
        for name, value in sorted(os.environ.items())
        if name.startswith(_OURS) and name.endswith("_FILE") and value
    }
    config = Path(os.environ.get("TTPSCRIBE_CONFIG") or "config.yml")
    if config.is_file():
        named["config.yml"] = config
    if not named:
        yield Line("secrets", "unused", "no file is named for a secret")
    for name, path in named.items():
        yield _secret(name, path)


def _secret(name: str, path: Path) -> Line:
    if not path.is_file():
        return Line("secrets", "failed", f"{name} names {path}, which is no file", "Write it.")
    if not os.access(path, os.R_OK):
        return Line(
            "secrets", "failed", f"{name}: user {os.geteuid()} may not read {path}",
            f"chown {os.geteuid()} {path}",
        )  # fmt: skip
    # A container's mount shows the mode it has outside, where its directory keeps others out.
    if _MOUNTED not in path.parents and _seen_by_others(path):
        return Line(
            "secrets", "warning", f"{name}: every user of this machine may read {path}",
            f"chmod 600 {path}",
        )  # fmt: skip
    return Line("secrets", "ok", f"{name}: {path}")


def _seen_by_others(path: Path) -> bool:
    """Tell whether others may read a file: by its own mode, and that of each directory above."""
    reach = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.absolute().parents)
    return bool(reach and path.stat().st_mode & stat.S_IROTH)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())
