"""From a report to one document: description, rich text and attached files, in this order.

They are read as one document, since the release's probabilities are those of a whole report;
what several of them say is then not counted several times. Each sentence keeps its source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from connector.files import is_ours
from connector.platform import allowed
from connector.report import AttachedFile, Report
from engine.documents import from_text, read_bytes
from engine.documents.limits import Limits
from engine.errors import DocumentError
from engine.types import Document, Sentence

if TYPE_CHECKING:
    from connector.settings import TtpscribeSettings

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "markdown": "text/markdown",
    "text": "text/plain",
}
SUFFIXES = {
    ".pdf": "pdf", ".docx": "docx", ".html": "html", ".htm": "html", ".xhtml": "html",
    ".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text",
}  # fmt: skip
DESCRIPTION = "description"
CONTENT = "content"
_GAP = "\n\n"


class Downloads(Protocol):
    """Where files come from."""

    def download(self, file: AttachedFile, max_bytes: int) -> bytes | None:
        """Fetch a file; None where it cannot be had."""


@dataclass(frozen=True, slots=True)
class Source:
    """A part of the report: the sentences from ``first`` up to ``end`` are its own.

    ``digest`` is the SHA-256 of its text.
    """

    name: str
    first: int
    end: int
    digest: str
    text: str


@dataclass(frozen=True)
class Reading:
    """What was read of a report.

    Attributes
    ----------
    document : Document or None
        All of it; None where there is no text.
    sources : tuple of Source
        In the document's order.
    problems : tuple of str
        What could not be read, and why, for the note.
    digest : str
        SHA-256 over names and texts of the sources.
    """

    document: Document | None
    sources: tuple[Source, ...]
    problems: tuple[str, ...]
    digest: str

    def source_of(self, sentence: int) -> Source:
        """Return the source that a sentence stands in."""
        return next(each for each in self.sources if each.first <= sentence < each.end)


def read(report: Report, settings: TtpscribeSettings, downloads: Downloads) -> Reading:
    """Read what the settings ask for; a part that cannot be read is named, the others count.

    Raises
    ------
    Unavailable
        If OpenCTI cannot be reached for a file.
    """
    documents: list[Document] = []
    problems: list[str] = []
    seen: set[str] = set()
    for make, name in _parts(report, settings, downloads, problems):
        try:
            document = make()
        except DocumentError as error:
            problems.append(f"{name}: {_without_name(str(error), name)}")
            continue
        if document is None or not document.sentences:
            continue
        same = _words(document.text)
        if same not in seen:  # the description often repeats the content, a file both
            seen.add(same)
            documents.append(document)
    return combine(documents, report.name, problems)


def combine(documents: Sequence[Document], name: str, problems: Sequence[str] = ()) -> Reading:
    """Join documents to one, its sentences and offsets renumbered."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(f"{len(document.name)}:{document.name}{document.digest}".encode())
    if not documents:
        return Reading(None, (), tuple(problems), digest.hexdigest())
    texts: list[str] = []
    sentences: list[Sentence] = []
    sources: list[Source] = []
    warnings: dict[str, None] = {}
    start = 0
    for document in documents:
        first = len(sentences)
        sentences += [
            replace(s, index=first + s.index, start=start + s.start, end=start + s.end)
            for s in document.sentences
        ]
        sources.append(Source(document.name, first, len(sentences), document.digest, document.text))
        warnings |= dict.fromkeys(
            f"{document.name}: {_without_name(each, document.name)}" for each in document.warnings
        )
        texts.append(document.text)
        start += len(document.text) + len(_GAP)
    text = _GAP.join(texts)
    joined = Document(
        name=name,
        text=text,
        sentences=tuple(sentences),
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        media_type=documents[0].media_type if len(documents) == 1 else "text/plain",
        pages=documents[0].pages if len(documents) == 1 else None,
        warnings=tuple(warnings),
    )
    return Reading(joined, tuple(sources), tuple(problems), digest.hexdigest())


class _Make(Protocol):
    def __call__(self) -> Document | None: ...


def _parts(
    report: Report, settings: TtpscribeSettings, downloads: Downloads, problems: list[str]
) -> Iterator[tuple[_Make, str]]:
    """Yield how to read each part, one after the other, so that one file is held at a time."""
    if "description" in settings.read and report.description.strip():
        # OpenCTI keeps descriptions as Markdown.
        yield lambda: _text(report.description, DESCRIPTION, "text/markdown"), DESCRIPTION
    if "content" in settings.read and report.content.strip():
        yield lambda: _text(report.content, CONTENT, "text/html"), CONTENT
    if "files" not in settings.read:
        return
    for file in report.files:
        if is_ours(file.name):
            continue
        above = [m.definition for m in file.markings if not allowed(m.definition, settings.max_tlp)]
        limit = settings.max_file_mb * 1_000_000
        if above:
            problems.append(f"{file.name}: not read, it is marked {', '.join(above)}.")
        elif file.size is not None and file.size > limit:
            problems.append(
                f"{file.name}: not read, it has {file.size / 1e6:,.0f} MB, over the limit of "
                f"{settings.max_file_mb} MB."
            )
        elif not _wanted(file, settings):
            continue
        else:
            yield _file_reader(file, limit, settings, downloads), file.name


def _file_reader(
    file: AttachedFile, limit: int, settings: TtpscribeSettings, downloads: Downloads
) -> _Make:
    def read_file() -> Document | None:
        data = downloads.download(file, limit)
        if data is None:
            raise DocumentError("it could not be fetched from OpenCTI's storage.")
        document = read_bytes(data, file.name, file.media_type, Limits(max_bytes=limit))
        wanted = {MEDIA_TYPES[each] for each in settings.file_types}
        return document if document.media_type in wanted else None

    return read_file


def _text(text: str, name: str, media_type: str) -> Document:
    # A text that is no markup for the parser to read is still a text.
    try:
        return read_bytes(text.encode("utf-8", "replace"), name, media_type)
    except DocumentError:
        return from_text(text, name)


def _wanted(file: AttachedFile, settings: TtpscribeSettings) -> bool:
    """Tell by name and media type whether a file is worth fetching; its content decides later."""
    declared = (file.media_type or "").split(";")[0].strip().lower()
    kinds = {SUFFIXES.get(PurePath(file.name).suffix.lower())}
    kinds |= {kind for kind, media_type in MEDIA_TYPES.items() if media_type == declared}
    return bool(kinds & set(settings.file_types))


def _without_name(message: str, name: str) -> str:
    return message.removeprefix(f"{name} ").removeprefix(f"{name}: ")


def _words(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).casefold().encode("utf-8", "replace")).hexdigest()
