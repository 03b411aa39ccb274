"""The champion pointer: which release is in use, and which ones were before it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from engine.errors import ReleaseError


class Turn(BaseModel):
    """One turn of the pointer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["use", "rollback"]
    name: str
    at: AwareDatetime


_HISTORY = TypeAdapter(tuple[Turn, ...])


class ChampionPointer:
    """A file that holds every turn of the pointer; the last one says what is in use.

    Pointer and history are one file, replaced as a whole, so that no crash leaves them telling
    different stories. A rollback is a turn of its own: the history only ever grows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, int, int], tuple[Turn, ...]] | None = None

    def history(self) -> tuple[Turn, ...]:
        """Return all turns, oldest first. As cheap as a ``stat`` while nothing changed.

        Raises
        ------
        ReleaseError
            If the file is damaged or cannot be read.
        """
        try:
            status = self.path.stat()
            # Each replacement is a new file, so that its inode changes even within a clock tick.
            state = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._seen is None or self._seen[0] != state:
                self._seen = (state, _HISTORY.validate_json(self.path.read_bytes()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ReleaseError(
                f"The champion pointer {self.path} cannot be read ({error.strerror}). "
                "Check that it is readable for this user."
            ) from error
        except ValidationError as error:
            raise ReleaseError(
                f"The champion pointer {self.path} is damaged. Delete it and name the release "
                "to use again: ttpscribe releases use NAME"
            ) from error
        return self._seen[1]

    def current(self) -> str | None:
        """Name of the release in use, or None where none was ever chosen."""
        turns = self.history()
        return turns[-1].name if turns else None

    def before(self, first: str) -> str | None:
        """Name of the release in use before the current one, or None if there was none.

        Rolling back twice goes back two releases: what was rolled back from is no way back.

        Parameters
        ----------
        first : str
            The release in use before any turn: the shipped one.
        """
        chosen = [first]
        for turn in self.history():
            if turn.action == "rollback" and len(chosen) > 1:
                chosen.pop()
            elif turn.action == "use" and turn.name != chosen[-1]:
                chosen.append(turn.name)
        return chosen[-2] if len(chosen) > 1 else None

    def turn(self, action: Literal["use", "rollback"], name: str) -> None:
        """Point to another release. The caller holds the store's lock.

        Raises
        ------
        ReleaseError
            If the pointer cannot be written, as when the disk is full.
        """
        added = Turn(action=action, name=name, at=datetime.now(UTC))
        try:
            self._write((*self.history(), added))
        except OSError as error:
            raise ReleaseError(
                f"The champion pointer {self.path} cannot be written ({error.strerror}). The "
                "champion is the one before. Mend that, and then: ttpscribe releases "
                f"{'rollback' if action == 'rollback' else f'use {name}'}"
            ) from error

    def _write(self, turns: Sequence[Turn]) -> None:
        text = json.dumps([turn.model_dump(mode="json") for turn in turns], indent=1) + "\n"
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
