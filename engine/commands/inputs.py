"""What a command is to read: files and folders, standard input, JSON lines."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from engine.documents import content_of, from_sentences, from_text, read_bytes
from engine.errors import DocumentError
from engine.outputs.base import UNKNOWN_DATE
from engine.outputs.text import encodable
from engine.types import Document

SUFFIXES = frozenset({".docx", ".htm", ".html", ".markdown", ".md", ".pdf", ".txt", ".xhtml"})
STDIN = "-"

_UNSAFE = re.compile(r"[^\w.\-]+")


@dataclass(frozen=True, slots=True)
class Content:
    """A document's content: can be read on another machine too.

    Attributes
    ----------
    read : callable
        Parses it; raises DocumentError.
    digest : str
        SHA-256 of what it is read from.
    """

    read: Callable[[], Document]
    digest: str


@dataclass(frozen=True, slots=True)
class Item:
    """One document still to be read.

    Attributes
    ----------
    label : str
        What error messages call it.
    identifier : any JSON value
        The ``id`` that the answer carries.
    fetch : callable
        Gets its content; raises DocumentError.
    place : PurePosixPath
        Where its outputs go below ``--output``; no suffix of theirs yet.
    published : datetime
        The best guess at its date: when the file was last changed.
    """

    label: str
    identifier: Any
    fetch: Callable[[], Content]
    place: PurePosixPath
    published: datetime = UNKNOWN_DATE

    @property
    def name(self) -> str:
        """What to call it to a person."""
        return self.identifier if isinstance(self.identifier, str) else str(self.place)

    def read(self) -> Document:
        """Read it, here and now; raises DocumentError."""
        return replace(self.fetch().read(), name=self.name)


def from_paths(paths: Iterable[str], stdin: BinaryIO) -> list[Item]:
    """List the documents in files and folders, in the order given, folders sorted within.

    In a folder only files of a known format are read; a file named outright always is. What
    cannot be read says so when it is read, so that the others are still done.
    """
    items: list[Item] = []
    for name in paths:
        path = Path(name)
        if name == STDIN:
            fetch = partial(_fetch_stream, stdin)
            items.append(Item("standard input", "stdin", fetch, PurePosixPath("stdin")))
        elif path.is_dir():
            found = sorted(_walk(path))
            items += [_file(file, file.relative_to(path).as_posix()) for file in found]
            if not found:
                known = ", ".join(sorted(SUFFIXES))
                items.append(
                    _unreadable(name, f"{name} holds no file of a known format ({known}).")
                )
        else:
            items.append(_file(path, path.name or name))
    return _told_apart(items)


def from_jsonl(names: Iterable[str], stdin: BinaryIO) -> Iterator[Item]:
    """Yield one item a line, as the lines come; a bad line is an item that cannot be read."""
    for name in names:
        if name == STDIN:
            yield from _lines(stdin, "")
            continue
        try:
            with Path(name).open("rb") as stream:
                yield from _lines(stream, f"{name}, ")
        except OSError as error:
            yield _unreadable(name, f"{name} cannot be read: {error.strerror}.")


def _lines(stream: BinaryIO, source: str) -> Iterator[Item]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        label = f"{source}line {number}"
        try:
            yield _from_line(line, label)
        except DocumentError as error:
            yield _unreadable(label, str(error))


def _from_line(line: bytes, label: str) -> Item:
    try:
        values = json.loads(line.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise DocumentError(f"{label} is not JSON in UTF-8: {reason}.") from error
    if not isinstance(values, dict):
        raise DocumentError(f'{label} is not an object: write {{"id": ..., "text": ...}}.')
    if "id" not in values:
        raise DocumentError(f'{label} has no "id": the answer could not be told from others.')
    identifier = values["id"]
    name = identifier if isinstance(identifier, str) else json.dumps(identifier)
    text, sentences = values.get("text"), values.get("sentences")
    read: Callable[[], Document]
    if isinstance(text, str) and sentences is None:
        read = partial(from_text, encodable(text), name)
    elif text is None and isinstance(sentences, list) and _all_strings(sentences):
        read = partial(from_sentences, [encodable(sentence) for sentence in sentences], name)
    else:
        raise DocumentError(
            f'{label} needs either "text", a string, or "sentences", a list of strings.'
        )
    place = _UNSAFE.sub("_", name).strip("._")[:100] or "document"
    content = Content(read, hashlib.sha256(line).hexdigest())
    return Item(f"{label} (id {name[:80]})", identifier, lambda: content, PurePosixPath(place))


def _all_strings(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _walk(folder: Path) -> Iterator[Path]:
    for root, directories, files in os.walk(folder):
        directories[:] = [name for name in directories if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(root, name)


def _file(path: Path, name: str) -> Item:
    try:
        published = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except (OSError, ValueError, OverflowError):
        published = UNKNOWN_DATE  # reading it will say what is wrong
    return Item(str(path), name, partial(_fetch_file, path), PurePosixPath(name), published)


def _unreadable(label: str, reason: str) -> Item:
    def fail() -> Content:
        raise DocumentError(reason)

    return Item(label, label, fail, PurePosixPath("unreadable"))


def _told_apart(items: list[Item]) -> list[Item]:
    """Give items that share a name their whole path as id."""
    seen: dict[str, int] = {}
    for item in items:
        seen[item.identifier] = seen.get(item.identifier, 0) + 1
    return [
        replace(item, identifier=item.label) if seen[item.identifier] > 1 else item
        for item in items
    ]


def _fetch_file(path: Path) -> Content:
    return _content(content_of(path), path.name)


def _fetch_stream(stream: BinaryIO) -> Content:
    return _content(stream.read(), "stdin")


def _content(data: bytes, name: str) -> Content:
    return Content(partial(read_bytes, data, name), hashlib.sha256(data).hexdigest())
