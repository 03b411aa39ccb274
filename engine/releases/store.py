"""All releases of this machine, and the champion among them.

A store is a directory: one folder a release, ``champion.json``, and a lock that writers hold.
The release that ships inside the package is always there too, and is the champion until
another one is chosen.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from engine.errors import ReleaseError, TtpscribeError
from engine.paths import data_directory
from engine.releases.champion import ChampionPointer, Turn
from engine.releases.manifest import MANIFEST, Manifest, read_manifest
from engine.releases.release import Release

PINNED: Final = "TTPSCRIBE_RELEASE"
SHIPPED: Final = Path(__file__).parent / "shipped"
_INCOMING = ".incoming-"


@dataclass(frozen=True, slots=True)
class Entry:
    """A release as ``ReleaseStore.list`` finds it: its manifest read, its files not verified.

    Where the manifest cannot be used it is None, and ``problem`` says why.
    """

    name: str
    path: Path
    origin: Literal["shipped", "store"]
    champion: bool
    manifest: Manifest | None
    problem: str | None = None


class ReleaseStore:
    """The releases in a directory, by default the one of the user.

    Parameters
    ----------
    root : Path, optional
        Its directory; without one ``releases`` in the data directory (``TTPSCRIBE_DATA_DIR``).
    shipped : Path, optional
        The folder of releases that came with the package.
    """

    def __init__(self, root: Path | None = None, *, shipped: Path = SHIPPED) -> None:
        self.root = root if root is not None else data_directory() / "releases"
        self._shipped = shipped
        self._pointer = ChampionPointer(self.root / "champion.json")

    def list(self) -> tuple[Entry, ...]:
        """Return all releases, shipped ones first, each group sorted by name.

        A shipped one that was taken into the store is listed as the store's.
        """
        champion = self._champion_or_none()
        stored = [_entry(path, "store", champion) for path in _releases_in(self.root)]
        taken = {entry.name for entry in stored}
        shipped = [path for path in _releases_in(self._shipped) if path.name not in taken]
        return (*(_entry(path, "shipped", champion) for path in shipped), *stored)

    def open(self, reference: str | Path) -> Release:
        """Open a release, with its hashes checked.

        Parameters
        ----------
        reference : str or Path
            A name in the store, or a directory: a ``Path``, or a string with a slash in it.

        Raises
        ------
        ReleaseError
            If there is none, or it is damaged.
        """
        if isinstance(reference, Path) or "/" in reference:
            return Release.open(Path(reference).expanduser())
        return self._open_named(reference)

    def verify(self, reference: str | Path) -> Release:
        """Check every file of a release against its hash; the same as opening it."""
        return self.open(reference)

    def champion_name(self) -> str:
        """Name (or directory) of the release in use; cheap enough to ask before every job."""
        return os.environ.get(PINNED) or self._pointer.current() or self._shipped_name()

    def champion(self) -> Release:
        """Open the release in use.

        Raises
        ------
        ReleaseError
            If it is missing or damaged. Another one is never used in its stead unasked.
        """
        return self.open(self.champion_name())

    def history(self) -> tuple[Turn, ...]:
        """Return every turn of the champion pointer, oldest first."""
        return self._pointer.history()

    def use(self, name: str) -> Release:
        """Make a release the champion, if it can be opened.

        One that ships is copied into the store: who chose it has it still when another ships.
        """
        release = self._open_named(name)
        with self._lock():
            if release.path.parent == self._shipped:
                release = self._take_in(release)
            if self._pointer.current() != name:
                self._pointer.turn("use", name)
        return release

    def rollback(self) -> Release:
        """Make the release that was in use before the champion again.

        Raises
        ------
        ReleaseError
            If there was none before, or it cannot be opened any more.
        """
        with self._lock():
            name = self._pointer.before(self._shipped_name())
            if name is None:
                raise ReleaseError(
                    "There is nothing to roll back to: no other release was in use before. "
                    "Choose one: ttpscribe releases use NAME"
                )
            release = self._open_named(name)
            self._pointer.turn("rollback", name)
        return release

    def publish(self, source: Path) -> Release:
        """Copy a release into the store, whole or not at all; the champion stays as it is.

        Publishing what is there already changes nothing.

        Raises
        ------
        ReleaseError
            If it is damaged, its name is taken by another release, or the disk is full.
        """
        release = Release.open(source)
        with self._lock():
            if (known := self._find(release.name)) is not None:
                return _same(Release.open(known), release)
            return self._take_in(release)

    def _take_in(self, release: Release) -> Release:
        """Copy a release in; the caller holds the lock."""
        try:
            for abandoned in self.root.glob(f"{_INCOMING}*"):
                # Nobody else holds the lock, so whoever wrote this was interrupted.
                shutil.rmtree(abandoned)
            return self._copy_in(release)
        except OSError as error:
            raise ReleaseError(
                f"Release {release.name} could not be written to {self.root} "
                f"({error.strerror}). The store is as it was before."
            ) from error

    def _copy_in(self, release: Release) -> Release:
        incoming = Path(tempfile.mkdtemp(dir=self.root, prefix=_INCOMING))
        try:
            for name in (*release.manifest.files, MANIFEST):
                target = incoming / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(release.path / name, target, follow_symlinks=False)
                target.chmod(0o444)
                _sync(target)
            incoming.chmod(0o755)
            for folder in (incoming, *(path for path in incoming.rglob("*") if path.is_dir())):
                _sync(folder)
            _same(Release.open(incoming), release)
            target = self.root / release.name
            incoming.rename(target)
            _sync(self.root)
        except BaseException:
            shutil.rmtree(incoming, ignore_errors=True)
            raise
        return Release.open(target)

    def _open_named(self, name: str) -> Release:
        if (path := self._find(name)) is not None:
            release = Release.open(path)
            if release.name != name:
                raise ReleaseError(
                    f"The directory {path} holds the release {release.name}: its name must be "
                    "the release's. Take it in anew: ttpscribe releases import DIR"
                )
            return release
        known = sorted({entry.name for entry in self.list()})
        raise ReleaseError(
            f"There is no release '{name}'. Known: {', '.join(known) or 'none'}. "
            "Use one of these (ttpscribe releases use NAME), or take one in "
            "(ttpscribe releases import DIR). A directory is given with a slash: ./my-release"
        )

    def _find(self, name: str) -> Path | None:
        for folder in (self.root, self._shipped):
            for path in _releases_in(folder):
                if path.name == name:
                    return path
        return None

    def _shipped_name(self) -> str:
        shipped = _releases_in(self._shipped)
        if not shipped:
            raise ReleaseError(
                "No release is in use, and none ships with this installation. Take one in and "
                "use it: ttpscribe releases import DIR --use"
            )
        return shipped[-1].name

    def _champion_or_none(self) -> str | None:
        try:
            return self.champion_name()
        except TtpscribeError:
            return None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the store against other writers, of this process and of others."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ReleaseError(
                f"The store of releases {self.root} cannot be written ({error.strerror}). "
                "Name a directory that can: export TTPSCRIBE_DATA_DIR=DIR"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def open_default() -> Release:
    """Open the release in use on this machine (the one that ships, until another is chosen)."""
    return ReleaseStore().champion()


def _releases_in(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(("_", "."))
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReleaseError(
            f"The releases in {folder} cannot be listed ({error.strerror}). Check that it is a "
            "directory that this user can read, or name another: export TTPSCRIBE_DATA_DIR=DIR"
        ) from error


def _entry(path: Path, origin: Literal["shipped", "store"], champion: str | None) -> Entry:
    in_use = path.name == champion
    try:
        manifest, _ = read_manifest(path)
    except ReleaseError as error:
        return Entry(path.name, path, origin, in_use, None, str(error))
    return Entry(path.name, path, origin, in_use, manifest)


def _same(there: Release, given: Release) -> Release:
    if there.digest != given.digest:
        raise ReleaseError(
            f"The name {given.name} is taken by another release ({there.path}). "
            "Releases never change: give the new one a name of its own."
        )
    return there


def _sync(path: Path) -> None:
    """Bring a file or a directory to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
