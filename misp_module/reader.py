"""From attributes, objects and events of MISP to documents."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import PurePath
from typing import Any

from engine.documents import from_text, read_bytes
from engine.errors import DocumentError, TtpscribeError, UsageError
from engine.types import Document
from misp_module.report import imported_text
from misp_module.request import decode
from misp_module.settings import Options, Settings
from misp_module.tags import without_inline_tags

TEXTS = frozenset({"text", "comment", "other"})
LINKS = frozenset({"link", "url"})
FILES = frozenset({"attachment", "malware-sample"})
# Objects whose texts are prose. In others only long texts count: a file name is no report.
TEXT_OBJECTS = frozenset({
    "annotation", "blog", "facebook-post", "intelligence-report", "microblog", "news-agency",
    "news-media", "paste", "ransomware-group-post", "reddit-comment", "reddit-post", "report",
    "summariser-output", "taranis-news-item", "twitter-post", "youtube-comment",
})  # fmt: skip
LONG_TEXT = 200  # characters
# Of text objects: what describes the object rather than tells something.
_NO_PROSE = frozenset({
    "address", "alias", "author", "case-number", "display-name", "format", "id", "language",
    "origin", "source", "state", "story_id", "sub-type", "type", "username", "username-quoted",
    "verified-username",
})  # fmt: skip
_REPORTS = frozenset({".pdf", ".docx", ".htm", ".html", ".xhtml", ".md", ".markdown", ".txt"})
OURS = "ttpscribe"
TEXT_COLUMN = 65_535  # bytes that MISP keeps of a text attribute
_PASSWORD = b"infected"
_MAX_UNPACKED = 100_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """A document with the element of MISP that it was read from.

    Attributes
    ----------
    document : Document
    label : str
        What to call it to a person.
    uuid : str
        The element's, or "" where it has none yet.
    key : str
        What stays the same when it is read again: the scope of our own uuids.
    """

    document: Document
    label: str
    uuid: str
    key: str


class Reader:
    """Reads what one request may read.

    Parameters
    ----------
    options : Options
        Whether links may be fetched.
    settings : Settings
        Which private networks they may lead to.
    imported : bool
        Whether to read the texts that ttpscribe imported into event reports of its own. They are
        enriched already, and stand nowhere else in the event.
    """

    def __init__(self, options: Options, settings: Settings, *, imported: bool = False) -> None:
        self.options = options
        self.settings = settings
        self.with_imported = imported

    def attribute(self, attribute: Mapping[str, Any]) -> Source:
        """Read an attribute.

        Raises
        ------
        UsageError
            If its type holds no text, or its file is not sent along.
        DocumentError
            If it cannot be read.
        """
        kind = str(attribute.get("type") or "")
        value = str(attribute.get("value") or "")
        label = (
            f"{kind} attribute {attribute['id']}" if attribute.get("id") else f"{kind} attribute"
        )
        if kind in TEXTS:
            document = _from_text(value, label)
        elif kind in LINKS:
            document = self._fetched(value)
            label = value
        elif kind in FILES:
            document = _from_file(attribute, value.split("|")[0])
            label = document.name
        else:
            raise UsageError(
                f"ttpscribe does not read attributes of type '{kind}': use it on "
                f"{', '.join(sorted(TEXTS | LINKS | FILES))}."
            )
        uuid = str(attribute.get("uuid") or "")
        return Source(document, label, uuid, uuid or f"{kind} {_digest(value)}")

    def object(self, element: Mapping[str, Any]) -> list[Source]:
        """Read an object: its texts as one document, each file and link as another.

        Raises
        ------
        UsageError
            If it holds nothing to read.
        DocumentError
            If nothing of it can be read.
        """
        name = str(element.get("name") or "object")
        uuid = str(element.get("uuid") or "")
        texts = []
        sources: list[Source] = []
        problems: list[TtpscribeError] = []
        for attribute in _alive(element.get("Attribute")):
            kind = attribute.get("type")
            if kind in TEXTS and _is_prose(name, attribute):
                texts.append(str(attribute.get("value") or ""))
            elif (kind in FILES and attribute.get("data")) or (
                kind in LINKS and self.options.fetch_links
            ):
                try:
                    sources.append(self.attribute(attribute))
                except TtpscribeError as error:
                    problems.append(error)
        text = "\n\n".join(filter(str.strip, texts))
        if text:
            label = f"{name} object"
            source = Source(_from_text(text, label), label, uuid, uuid or _digest(text))
            sources.insert(0, source)
        if not sources:
            raise (
                problems[0]
                if problems
                else UsageError(
                    f"The {name} object holds no text, and no file that was sent along."
                )
            )
        return sources

    def imported(self, data: bytes, name: str, event: str) -> Source:
        """Read an imported file.

        Raises
        ------
        DocumentError
            If it cannot be read.
        """
        unpacked, inner = unpack(data, name)
        key = f"event {event} file {hashlib.sha256(data).hexdigest()}"
        return Source(read_bytes(unpacked, inner), inner, "", key)

    def event(self, event: Mapping[str, Any]) -> tuple[list[Source], list[str]]:
        """Read all of an event, but for what ttpscribe wrote about it.

        Returns
        -------
        sources : list of Source
        problems : list of str
            What could not be read.
        """
        sources: list[Source] = []
        problems: list[str] = []
        for label, read in self._parts(event):
            try:
                found = read()
                sources += found if isinstance(found, list) else [found]
            except TtpscribeError as error:
                problems.append(f"{label}: {error}")
        return sources, problems

    def _parts(
        self, event: Mapping[str, Any]
    ) -> Iterator[tuple[str, Callable[[], Source | list[Source]]]]:
        for report in event.get("EventReport") or ():
            content = str(report.get("content") or "")
            if is_ours(report):
                content = imported_text(content) if self.with_imported else ""
            if content.strip() and not report.get("deleted"):
                name, uuid = (
                    str(report.get("name") or "event report"),
                    str(report.get("uuid") or ""),
                )
                yield name, partial(_event_report, name, uuid, content)
        for attribute in _alive(event.get("Attribute")):
            kind = attribute.get("type")
            wanted = kind in TEXTS or (kind in FILES and attribute.get("data"))
            if wanted or (kind in LINKS and self.options.fetch_links):
                yield f"{kind} attribute", lambda attribute=attribute: self.attribute(attribute)  # type: ignore[misc]
        for element in _alive(event.get("Object")):
            name = str(element.get("name"))
            if name in TEXT_OBJECTS or any(
                attribute.get("type") in TEXTS and _is_prose(name, attribute)
                for attribute in _alive(element.get("Attribute"))
            ):
                yield f"{name} object", lambda element=element: self.object(element)  # type: ignore[misc]

    def _fetched(self, url: str) -> Document:
        from misp_module.fetch import fetch

        if not self.options.fetch_links:
            raise UsageError(
                "Links are not fetched here: an admin may allow it by the module's setting "
                "fetch_links. Or attach the page as a file."
            )
        data, media_type, final = fetch(url, self.settings.fetch_networks)
        return read_bytes(data, final.rsplit("/", 1)[-1] or final, media_type)


def is_report(attribute: Mapping[str, Any]) -> bool:
    """Tell by its name whether a file may be a report."""
    name = str(attribute.get("value") or "").split("|")[0]
    return attribute.get("type") in FILES and PurePath(name).suffix.lower() in _REPORTS


def attributes(event: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Yield each attribute with the object it is part of; an empty one where there is none."""
    for attribute in event.get("Attribute") or ():
        yield {}, attribute
    for element in event.get("Object") or ():
        for attribute in element.get("Attribute") or ():
            yield element, attribute


def is_ours(element: Mapping[str, Any]) -> bool:
    """Tell whether ttpscribe wrote an attribute, an object or an event report."""
    return any(str(element.get(key) or "").startswith(OURS) for key in ("comment", "name"))


def unpack(data: bytes, name: str) -> tuple[bytes, str]:
    """Take the file out of a zip as MISP makes them of malware samples; others stay as they are.

    Raises
    ------
    DocumentError
        If it has another password, is damaged, or unpacks to too much.
    """
    if not data.startswith(b"PK\x03\x04"):
        return data, name
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            names = {entry.filename for entry in entries}
            if "[Content_Types].xml" in names:
                return data, name  # an Office document
            notes = [entry for entry in entries if entry.filename.endswith(".filename.txt")]
            files = [entry for entry in entries if entry not in notes]
            if len(files) != 1:
                raise DocumentError(f"{name} holds {len(files)} files: attach the report itself.")
            if files[0].file_size > _MAX_UNPACKED:
                raise DocumentError(
                    f"{name} unpacks to {files[0].file_size / 1e6:,.0f} MB: too much."
                )
            inner = files[0].filename
            if notes:  # MISP stores a sample under its hash, and its name in a file beside it
                inner = (
                    archive.read(notes[0], _PASSWORD).decode("utf-8", "replace").strip() or inner
                )
            return archive.read(files[0], _PASSWORD), inner.rsplit("/", 1)[-1]
    except RuntimeError as error:  # how zipfile tells of a wrong password
        raise DocumentError(
            f"{name} is encrypted with a password other than 'infected': attach it unpacked."
        ) from error
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ) as error:
        raise DocumentError(f"{name} cannot be unpacked ({error}): attach it unpacked.") from error


def _from_text(value: str, label: str) -> Document:
    document = from_text(value, label)
    if len(value.encode("utf-8", "replace")) < TEXT_COLUMN - 3:  # a character may be cut too
        return document
    warning = (
        "MISP keeps 65,535 bytes of a text, and this one is that long: its end is probably "
        "missing. Attach the report as a file."
    )
    return replace(document, warnings=(*document.warnings, warning))


def _from_file(attribute: Mapping[str, Any], name: str) -> Document:
    if not attribute.get("data"):
        raise UsageError(
            f"MISP did not send the content of {name}: it does so for the enrichment of an "
            "attribute, not for a hover."
        )
    data, inner = unpack(decode(attribute["data"], name), name)
    return read_bytes(data, inner)


def _event_report(name: str, uuid: str, content: str) -> Source:
    plain = without_inline_tags(content)
    document = read_bytes(plain.encode("utf-8", "replace"), name, "text/markdown")
    return Source(document, name, uuid, uuid or _digest(content))


def _is_prose(name: str, attribute: Mapping[str, Any]) -> bool:
    value = str(attribute.get("value") or "")
    if name in TEXT_OBJECTS:
        return attribute.get("object_relation") not in _NO_PROSE
    return len(value) >= LONG_TEXT


def _alive(elements: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what is neither deleted nor ours."""
    for element in elements if isinstance(elements, list) else ():
        if isinstance(element, Mapping) and not element.get("deleted") and not is_ours(element):
            yield element


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
