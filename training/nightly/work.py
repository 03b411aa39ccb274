"""What a training has done so far, on disk, so that one that was broken off goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

IDENTITY: Final = "identity.json"


class Work:
    """Finished pieces of one training in one directory.

    Parameters
    ----------
    directory : Path
        Emptied where it holds pieces of another training.
    identity : mapping
        All that decides what is made.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self.directory = directory
        text = json.dumps(identity, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if self.get(IDENTITY) != digest:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            self.put(IDENTITY, digest)

    def get(self, name: str) -> Any:
        """Return what `put` left; None where it did not come to that."""
        try:
            return json.loads((self.directory / name).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, name: str, value: Any) -> None:
        """Leave a piece that is finished: whole or not at all."""
        new = self.directory / f"{name}.new"
        new.write_text(json.dumps(value) + "\n", "utf-8")
        new.replace(self.directory / name)
