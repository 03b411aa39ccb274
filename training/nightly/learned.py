"""The encoder that a night trained last, in the data directory, with what it learned from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from engine.paths import data_directory

FACTS: Final = "learned.json"


def directory() -> Path:
    """Where the encoder that was trained last is stored."""
    return data_directory() / "encoder"


@dataclass(frozen=True)
class Learned:
    """An encoder that a night trained.

    Attributes
    ----------
    directory : Path
        As ``train encoder`` makes it.
    trained : datetime
        When the night began.
    checkpoint : str
        Digest of the given checkpoint, whether it went on from that or from the encoder before.
    labels : str
        Name of the label set.
    documents : mapping from id to digest
        All documents that were learned from, with a digest of their sentences.
    verdicts : frozenset of str
        Digests of what analysts had said.
    """

    directory: Path
    trained: datetime
    checkpoint: str
    labels: str
    documents: Mapping[str, str]
    verdicts: frozenset[str]

    @classmethod
    def last(cls) -> Self | None:
        """Return the one that was trained last; None where there is none, or it is damaged."""
        root = directory()
        for folder in sorted(root.iterdir(), reverse=True) if root.is_dir() else ():
            try:
                facts = json.loads((folder / FACTS).read_text("utf-8"))
                return cls(
                    folder,
                    datetime.fromisoformat(facts["trained"]),
                    str(facts["checkpoint"]),
                    str(facts["labels"]),
                    dict(facts["documents"]),
                    frozenset(facts["verdicts"]),
                )
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return None

    def store(self) -> Self:
        """Move it into the data directory, whole or not at all; what was stored before goes."""
        facts = {**asdict(self), "trained": self.trained.isoformat()}
        facts |= {"verdicts": sorted(self.verdicts)}
        del facts["directory"]
        text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
        (self.directory / FACTS).write_text(text, "utf-8")
        root = directory()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = root / f"{self.trained:%Y%m%dT%H%M%S}"
        shutil.rmtree(target, ignore_errors=True)
        self.directory.rename(target)
        for old in root.iterdir():
            if old != target:
                shutil.rmtree(old)
        return type(self)(**{**self.__dict__, "directory": target})
