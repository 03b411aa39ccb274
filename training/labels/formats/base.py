"""What every format of label files shares: the file, what is collected on the way, the Protocol."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.errors import TrainingDataError
from engine.knowledge import normalise_id
from training.labels.sources import Source, Sources
from training.labels.types import Example, LabelledDocument

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

Labelled = Example | LabelledDocument


@dataclass(frozen=True)
class LabelFile:
    """One file on disk; ``.gz`` is unpacked on the way."""

    path: Path

    @property
    def suffix(self) -> str:
        """The suffix in lower case, without ``.gz``."""
        name = self.path.name.lower().removesuffix(".gz")
        return Path(name).suffix

    @cached_property
    def text(self) -> str:
        """The whole file as text.

        Raises
        ------
        TrainingDataError
            If it is missing, not UTF-8, or a damaged gzip file.
        """
        try:
            raw = self.path.read_bytes()
            if self.path.suffix.lower() == ".gz":
                raw = gzip.decompress(raw)
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TrainingDataError(
                f"{self.path} is not UTF-8 text (byte {error.start}). Convert it to UTF-8 first."
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            raise TrainingDataError(f"{self.path} cannot be read: {error}.") from error

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield line number and object of every line that is not empty (JSON lines)."""
        for number, line in enumerate(self.text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise TrainingDataError(
                    f"{self.path}, line {number}: not JSON ({error}). "
                    "A .jsonl file has one JSON object a line."
                ) from error
            if not isinstance(record, dict):
                raise TrainingDataError(
                    f"{self.path}, line {number}: a {type(record).__name__}, not a JSON object."
                )
            yield number, record

    @cached_property
    def json(self) -> Any:
        """The whole file as one JSON value."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise TrainingDataError(f"{self.path} is not valid JSON: {error}.") from error


@dataclass
class Collector:
    """Resolves ids on the way and counts what is mapped, dropped and skipped."""

    knowledge: Knowledge
    sources: Sources
    mapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    _known: dict[str, frozenset[str] | None] = field(default_factory=dict)
    _resolved: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def techniques(self, ids: Iterable[str]) -> frozenset[str]:
        """Return the active techniques of the given ids; count the rest by reason."""
        kept = set()
        for raw in ids:
            given = normalise_id(raw)
            status, current = self._resolve(given)
            if current is None:
                self.dropped[given, status] += 1
                continue
            if current != given:
                self.mapped[given, current] += 1
            kept.add(current)
        return frozenset(kept)

    def current(self, ids: Iterable[str]) -> frozenset[str]:
        """Return the active techniques of the given ids without counting the rest."""
        found = (self._resolve(normalise_id(given))[1] for given in ids)
        return frozenset(current for current in found if current is not None)

    def _resolve(self, given: str) -> tuple[str, str | None]:
        if given not in self._resolved:
            resolution = self.knowledge.resolve(given)
            technique = resolution.technique
            status = "unknown" if resolution.status == "active" else resolution.status
            self._resolved[given] = (status, technique.id if technique is not None else None)
        return self._resolved[given]

    def known(self, source: str) -> frozenset[str] | None:
        """Return what ``Example.known`` is for records of a source."""
        if source not in self._known:
            self._known[source] = self.sources.get(source).known(self.knowledge)
        return self._known[source]

    def settings(self, source: str) -> Source:
        """Return the settings of a source."""
        return self.sources.get(source)

    def skip(self, source: str, reason: str) -> None:
        """Count a record that is left out."""
        self.skipped[source, reason] += 1

    def uses(self, source: str) -> bool:
        """Tell whether the source is switched on; count the record if it is not."""
        if not self.sources.get(source).use:
            self.skip(source, "source switched off")
            return False
        return True


class Format(Protocol):
    """A module of ``training.labels.formats``."""

    NAME: str

    def matches(self, file: LabelFile) -> bool:
        """Tell whether the file is of this format, by its suffix and its content."""
        ...

    def read(self, file: LabelFile, collector: Collector) -> Iterator[Labelled]:
        """Yield what is labelled in the file."""
        ...
