"""What a night has done so far, on disk, so that one that was broken off goes on."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from engine.errors import TrainingDataError
from engine.paths import data_directory
from training.nightly.errors import AnotherRunError

FILE: Final = "journal.json"
LAST: Final = "tell"


def directory() -> Path:
    """Where nights keep what they make."""
    return data_directory() / "nightly"


class Journal:
    """The steps of one night with their results.

    Parameters
    ----------
    folder : Path
        Of the night.
    content : dict
    """

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.folder = folder
        self._content = content

    @property
    def run(self) -> str:
        """Name of the night."""
        return self.folder.name

    @property
    def began(self) -> datetime:
        """When it began; every release of it bears this time, so that a resumed one is the same."""
        return datetime.fromisoformat(self._content["began"])

    @property
    def finished(self) -> bool:
        """Whether the last step is done."""
        return LAST in self._content["steps"]

    def done(self, step: str) -> bool:
        """Tell whether a step is done."""
        return step in self._content["steps"]

    def result(self, step: str) -> Any:
        """Return what a step that is done left."""
        return self._content["steps"][step]["result"]

    def record(self, step: str, result: Any) -> None:
        """Record that a step is done: whole or not at all."""
        steps = self._content["steps"]
        steps[step] = {"at": datetime.now(UTC).isoformat(), "result": result}
        self.save()

    def save(self) -> None:
        """Write the journal.

        Raises
        ------
        TrainingDataError
            If it cannot be written.
        """
        new = self.folder / f"{FILE}.new"
        try:
            with new.open("w", encoding="utf-8") as stream:
                json.dump(self._content, stream, indent=1, sort_keys=True)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self.folder / FILE)
        except OSError as error:
            raise unwritable(self.folder, error) from error


def unwritable(folder: Path, error: OSError) -> TrainingDataError:
    """Return the error of a directory that cannot be written."""
    return TrainingDataError(
        f"{folder} cannot be written ({error.strerror}). Nothing was published. Free some space "
        "or set TTPSCRIBE_DATA_DIR, and start the night again: it goes on where it was."
    )


def begin(
    fingerprint: str, resume: timedelta, *, dry_run: bool, began: datetime | None = None
) -> Journal:
    """Go on with the last night if it was broken off with the same settings, else begin one."""
    root = directory()
    now = began or datetime.now(UTC)
    for folder in sorted(_runs(root), reverse=True)[:1]:
        journal = _read(folder)
        if journal is None or journal.finished:
            continue
        same = journal._content.get("fingerprint") == fingerprint
        if same and now - journal.began < resume:
            return journal
    name = f"{now:%Y%m%dT%H%M%S}{'-dry' if dry_run else ''}"
    folder = root / name
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    # Whole seconds: it goes into manifests.
    moment = now.replace(microsecond=0).isoformat()
    journal = Journal(folder, {"began": moment, "fingerprint": fingerprint, "steps": {}})
    journal.save()
    return journal


def last() -> Journal | None:
    """Return the newest night, finished or not."""
    for folder in sorted(_runs(directory()), reverse=True):
        if (journal := _read(folder)) is not None:
            return journal
    return None


def keep_newest(number: int) -> None:
    """Delete all but the newest nights, and of those all but the newest two what they trained."""
    folders = sorted(_runs(directory()), reverse=True)
    for folder in folders[number:]:
        shutil.rmtree(folder)
    for folder in folders[2:number]:
        for made in folder.iterdir():
            if made.is_dir():
                shutil.rmtree(made)


@contextmanager
def alone() -> Iterator[None]:
    """Hold the nightly of this data directory against another one.

    Raises
    ------
    AnotherRunError
        If one is running. The lock goes with its process, however that ends.
    """
    root = directory()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unwritable(root, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherRunError(
                f"A nightly is running on {root.parent} already. Wait until it is done; its steps: "
                "ttpscribe train nightly --status"
            ) from None
        yield
    finally:
        os.close(handle)


def _runs(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if path.is_dir() and (path / FILE).is_file()]


def _read(folder: Path) -> Journal | None:
    try:
        content = json.loads((folder / FILE).read_text("utf-8"))
        journal = Journal(folder, content)
        _ = (journal.began, journal.finished)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Damaged: it is not gone on with, and another one is begun.
    return journal
