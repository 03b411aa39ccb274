"""One release on disk: opened, verified, written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.errors import ReleaseError
from engine.releases.manifest import (
    MANIFEST,
    File,
    Manifest,
    ManifestDraft,
    RelativeFile,
    protocol_of,
    read_manifest,
)

__all__ = ["Release", "write_release"]


@dataclass(frozen=True, slots=True)
class Release:
    """An immutable set of trained models, with every file's hash checked.

    Attributes
    ----------
    path : Path
        The directory it lies in.
    manifest : Manifest
    digest : str
        SHA-256 of ``manifest.json`` and so, through the hashes in it, of the whole release.
    """

    path: Path
    manifest: Manifest
    digest: str

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a release, checking each file against the manifest.

        Raises
        ------
        ReleaseError
            If the manifest cannot be used, or a file is missing, changed, extra or a link.
        """
        path = path.resolve()
        manifest, content = read_manifest(path)
        _verify(path, manifest)
        return cls(path, manifest, hashlib.sha256(content).hexdigest())

    @property
    def name(self) -> str:
        """Name of the release."""
        return self.manifest.name

    def directory(self, part: str) -> Path | None:
        """Return the folder of a part such as ``recognizers/svc``, or None if it has no files."""
        has_files = any(file.startswith(f"{part}/") for file in self.manifest.files)
        return self.path / part if has_files else None


def write_release(directory: Path, draft: ManifestDraft) -> Release:
    """Make a release of a directory: hash its files, write the manifest, open it.

    The same files and the same draft give the same bytes.

    Parameters
    ----------
    directory : Path
        Holds the files of the release, each in its place (``recognizers/svc/model.safetensors``).
    draft : ManifestDraft

    Raises
    ------
    ReleaseError
        If there is a manifest already, or a file that may not be in a release.
    """
    target = directory / MANIFEST
    if target.exists():
        raise ReleaseError(
            f"{directory} is a release already, and releases never change. "
            "Write into a new directory."
        )
    files = {
        name: File(sha256=_sha256(directory / name), bytes=(directory / name).stat().st_size)
        for name in sorted(_files(directory))
    }
    try:
        manifest = Manifest(**dict(draft), protocol=protocol_of(files), files=files)
    except ValueError as error:
        raise ReleaseError(f"{directory} cannot become a release: {error}") from error
    target.write_text(manifest.to_json(), encoding="utf-8")
    return Release.open(directory)


def _verify(directory: Path, manifest: Manifest) -> None:
    try:
        there = set(_files(directory)) - {MANIFEST}
    except OSError as error:
        raise _unreadable(Path(error.filename or directory), error) from error
    listed = set(manifest.files)
    if missing := sorted(listed - there):
        raise _mismatch(directory, f"{_some(missing)} missing")
    if extra := sorted(there - listed):
        raise _mismatch(directory, f"{_some(extra)} not in its manifest")
    for name, file in manifest.files.items():
        path = directory / name
        try:
            intact = path.stat().st_size == file.bytes and _sha256(path) == file.sha256
        except OSError as error:
            raise _unreadable(path, error) from error
        if not intact:
            raise _mismatch(directory, f"the content of {name} does not match its hash")


def _mismatch(directory: Path, why: str) -> ReleaseError:
    return ReleaseError(
        f"The release {directory} is damaged or was tampered with: {why}. It is not used. "
        "Fetch it again, or use another: ttpscribe releases list"
    )


def _unreadable(path: Path, error: OSError) -> ReleaseError:
    return ReleaseError(
        f"{path} of the release cannot be read ({error.strerror}). "
        "Check that it is readable for this user."
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def _files(directory: Path) -> Iterator[RelativeFile]:
    """Yield the relative paths of all files, refusing links and special files."""
    pending = [directory]
    while pending:
        folder = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(directory).as_posix()
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield name
                else:
                    # A link could lead out of the release after its hash was checked.
                    raise _mismatch(directory, f"{name} is a link or a special file")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
