"""Where a command's outputs go: standard output, or files in a directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from engine.commands.inputs import Item
from engine.errors import TtpscribeError, UsageError
from engine.outputs import Context, Output
from engine.types import Analysis


class Sink(Protocol):
    """Takes analyses as they come; keeps none of them."""

    def write(self, item: Item, analysis: Analysis, context: Context, /) -> None:
        """Write one analysis."""

    def close(self) -> None:
        """Write what must follow the last one."""


class Stream:
    """Standard output, in one format, flushed after every document."""

    def __init__(self, output: Output, stream: BinaryIO, *, several: bool) -> None:
        if several and not output.joins:
            raise UsageError(
                f"Several documents do not fit one {output.name} stream: add --output DIR to "
                "get a file for each."
            )
        self._output = output
        self._stream = stream
        self._several = several
        self._begun = False

    def write(self, _item: Item, analysis: Analysis, context: Context, /) -> None:
        """Write one analysis, and what goes before it."""
        if self._begun:
            self._put(self._output.between)
        else:
            self._begin()
        self._put(self._output.write(analysis, context))
        self._stream.flush()

    def close(self) -> None:
        """End the list, even one of nothing."""
        if self._several:
            if not self._begun:
                self._begin()
            self._put(self._output.closing)
        self._stream.flush()

    def _begin(self) -> None:
        self._begun = True
        self._put(self._output.header + (self._output.opening if self._several else ""))

    def _put(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "replace"))


class Directory:
    """A directory: every document gets a file in every format, named after it."""

    def __init__(self, outputs: Sequence[Output], directory: Path) -> None:
        self.outputs = outputs
        self.directory = directory
        self.files = 0
        self._taken: set[str] = set()

    def write(self, item: Item, analysis: Analysis, context: Context, /) -> None:
        """Write the files of one analysis."""
        base = self._free(item)
        for output in self.outputs:
            path = base.with_name(base.name + output.suffix)
            text = output.header + output.write(analysis, context)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode("utf-8", "replace"))
            except OSError as error:
                raise TtpscribeError(
                    f"{path} cannot be written: {error.strerror}. Name another --output."
                ) from error
            self.files += 1

    def close(self) -> None:
        """Nothing follows the last file."""

    def _free(self, item: Item) -> Path:
        # The input's whole name, suffix and all: a.pdf and a.docx never meet, and a name does
        # not depend on what else was read. Equal names from two folders are numbered.
        place, number = item.place, 1
        while str(place).casefold() in self._taken:  # some file systems ignore case
            number += 1
            place = item.place.with_name(f"{item.place.name}-{number}")
        self._taken.add(str(place).casefold())
        return self.directory / place
