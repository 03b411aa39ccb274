"""From a path, bytes, a text or sentences to a ``Document``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from engine.documents.blocks import Parsed
from engine.documents.language import language_warnings
from engine.documents.limits import Limits
from engine.documents.sniff import MEDIA_TYPES, TEXT, media_type_of
from engine.errors import DocumentError
from engine.types import Document, Sentence

_DEFAULT = Limits()


def read_path(path: Path | str, *, limits: Limits = _DEFAULT) -> Document:
    """Read a file.

    Parameters
    ----------
    path : Path or str
        PDF, DOCX, HTML, Markdown or plain text, told by its content.
    limits : Limits
        What reading it may cost.

    Returns
    -------
    Document
        Named after the file.

    Raises
    ------
    DocumentError
        If it is missing, not a file, too large, or cannot be read.
    """
    return read_bytes(content_of(path, limits=limits), Path(path).name, limits=limits)


def content_of(path: Path | str, *, limits: Limits = _DEFAULT) -> bytes:
    """Return a file's content, not parsed yet.

    Raises
    ------
    DocumentError
        If it is missing, not a file, too large, or may not be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise DocumentError(f"{path} is a folder: give the files in it.")
        if not path.exists():
            raise DocumentError(f"{path} does not exist: check the spelling.")
        if not path.is_file():
            raise DocumentError(f"{path} is not a regular file: copy its content to one.")
        _check_size(path.stat().st_size, str(path), limits)
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except PermissionError as error:
        raise DocumentError(f"{path} may not be read: ask for the right to read it.") from error
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path} cannot be read: {error}.") from error


def read_bytes(
    data: bytes, name: str, media_type: str | None = None, limits: Limits = _DEFAULT
) -> Document:
    """Read a file's content.

    Parsing runs in a child process, so a hostile file costs no more than ``limits`` allows.

    Parameters
    ----------
    data : bytes
        The content.
    name : str
        What to call it; its extension helps to tell the format.
    media_type : str or None
        What a platform says it is. Believed only among kinds of text, where content cannot
        tell them apart.
    limits : Limits
        What reading it may cost.

    Raises
    ------
    DocumentError
        If it is too large, empty, of another format, damaged, encrypted, or holds no text.
    """
    from engine.documents.pool import shared_pool

    _check_size(len(data), name, limits)
    found = media_type_of(data, name)
    declared = (media_type or "").split(";")[0].strip().lower()
    if found == TEXT and declared in MEDIA_TYPES and declared.startswith("text/"):
        found = declared
    return _document(shared_pool().parse(data, name, found, limits), name, found)


def from_text(text: str, name: str = "text", *, limits: Limits = _DEFAULT) -> Document:
    """Make a document of plain text, in this process.

    The text keeps its length, so offsets into the document are offsets into ``text``; only
    control characters are replaced, by spaces.

    Raises
    ------
    DocumentError
        If it is empty or too large.
    """
    from engine.documents.plain import parse_text

    _check_size(len(text), name, limits)
    if not text.strip(" \t\r\n\f\v\0"):
        raise DocumentError(f"{name} is empty: there is nothing to read.")
    return _document(parse_text(text, limits), name, TEXT)


def from_sentences(sentences: Sequence[str], name: str = "sentences") -> Document:
    """Make a document of sentences that are already split; its text joins them by line breaks.

    Raises
    ------
    DocumentError
        If there is none.
    """
    if not sentences:
        raise DocumentError(f"{name} has no sentences: there is nothing to read.")
    _check_size(sum(map(len, sentences)) + len(sentences), name, _DEFAULT)
    # One for one: UTF-8, and so the digest, has no lone surrogates.
    clean = [
        s.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") for s in sentences
    ]
    found = []
    start = 0
    for index, sentence in enumerate(clean):
        found.append(Sentence(index, sentence, start, start + len(sentence)))
        start += len(sentence) + 1
    text = "\n".join(clean)
    return Document(name, text, tuple(found), _digest(text), TEXT, None, language_warnings(text))


def _document(parsed: Parsed, name: str, media_type: str) -> Document:
    text = parsed.text
    return Document(
        name=name,
        text=text,
        sentences=tuple(
            Sentence(index, text[s.start : s.end], s.start, s.end, s.page, s.kind, s.heading)
            for index, s in enumerate(parsed.spans)
        ),
        digest=_digest(text),
        media_type=media_type,
        pages=parsed.pages,
        warnings=parsed.warnings + language_warnings(text),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _check_size(size: int, name: str, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise DocumentError(
            f"{name} has {size / 1e6:,.0f} MB, over the limit of {limits.max_bytes / 1e6:,.0f} MB: "
            "split it, or raise max_bytes."
        )
