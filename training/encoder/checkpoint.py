"""Checkpoints: a training that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import TrainingDataError

State = Mapping[str, Tensor]


class Checkpoints:
    """Checkpoints of one training in one directory.

    Files hold tensors, numbers and text; they are read with ``weights_only`` and so never
    unpickled into anything else.

    Parameters
    ----------
    directory : Path
        Made when needed.
    identity : mapping
        All that decides what is learned (settings, digest of the label set). A checkpoint of
        another identity is refused rather than continued with other data.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self.directory = directory
        text = json.dumps(identity, sort_keys=True, default=str)
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def finished(self, stage: str) -> dict[str, Any] | None:
        """Return what `finish` kept of a stage, None if it has not ended."""
        return self._read(f"{stage}.done.pt")

    def finish(self, stage: str, content: Mapping[str, Any]) -> None:
        """Keep the outcome of a stage; its partial checkpoint goes."""
        self._write(f"{stage}.done.pt", content)
        (self.directory / f"{stage}.part.pt").unlink(missing_ok=True)

    def partial(self, stage: str) -> dict[str, Any] | None:
        """Return the last `keep` of a stage."""
        return self._read(f"{stage}.part.pt")

    def keep(self, stage: str, content: Mapping[str, Any]) -> None:
        """Keep where a stage is."""
        self._write(f"{stage}.part.pt", content)

    def clear(self) -> None:
        """Remove all checkpoints; called when the training has ended well."""
        for path in (*self.directory.glob("*.pt"), *self.directory.glob("*.new")):
            path.unlink()
        # What of a finished training was not put into its place yet.
        for folder in [path for path in self.directory.glob("*") if path.is_dir()]:
            shutil.rmtree(folder)
        if self.directory.is_dir() and not any(self.directory.iterdir()):
            self.directory.rmdir()

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        target = self.directory / name
        # Renamed when complete: an interruption while writing leaves the checkpoint before.
        scratch = target.with_suffix(".new")
        try:
            with scratch.open("wb") as stream:
                torch.save({"identity": self.identity, **content}, stream)
        except RuntimeError as error:
            # What torch says of a full disk is about the places of its own bytes.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
        scratch.replace(target)

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.directory / name
        if not path.exists():
            return None
        try:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises half a dozen types for a damaged file
            raise TrainingDataError(
                f"The checkpoint {path} cannot be read ({str(error).splitlines()[0][:200]}). "
                "Remove it, or start anew with --restart."
            ) from error
        if content.pop("identity", None) != self.identity:
            raise TrainingDataError(
                f"{self.directory} holds checkpoints of a training with other data or settings. "
                "Give the same ones to go on, another --output, or --restart to begin anew."
            )
        return content
