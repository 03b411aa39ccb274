"""An event's texts as one document, and what tells whether they changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from engine.types import Document, Sentence
from misp_module.reader import TEXTS, Source, attributes, is_ours, is_report
from misp_module.report import imported_text
from misp_module.tags import without_inline_tags

_GAP: Final = "\n\n"


def joined(sources: Sequence[Source], name: str) -> Document:
    """Join documents to one, its sentences and offsets renumbered.

    Parameters
    ----------
    sources : sequence of Source
        At least one.
    """
    texts: list[str] = []
    sentences: list[Sentence] = []
    warnings: dict[str, None] = {}
    start = 0
    for source in sources:
        document, first = source.document, len(sentences)
        sentences += [
            replace(s, index=first + s.index, start=start + s.start, end=start + s.end)
            for s in document.sentences
        ]
        texts.append(document.text)
        warnings |= dict.fromkeys(document.warnings)
        start += len(document.text) + len(_GAP)
    text = _GAP.join(texts)
    only = sources[0].document if len(sources) == 1 else None
    return Document(
        name=name,
        text=text,
        sentences=tuple(sentences),
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        media_type=only.media_type if only else "text/plain",
        pages=only.pages if only else None,
        warnings=tuple(warnings),
    )


def texts_digest(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 over all texts of an event that are not ours, in no order.

    Files count by their uuid and time: MISP gives an event quickly only without their content.
    """
    parts = sorted(hashlib.sha256(part.encode("utf-8", "replace")).digest() for part in _of(event))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def words(text: str) -> str:
    """Return a text without what makes no difference to a reader of its words."""
    return " ".join(text.split()).casefold()


def _of(event: Mapping[str, Any]) -> Iterator[str]:
    for element, attribute in attributes(event):
        if any(each.get("deleted") or is_ours(each) for each in (element, attribute)):
            continue
        if attribute.get("type") in TEXTS:
            yield f"text {attribute.get('value')}"
        elif is_report(attribute):
            yield f"file {attribute.get('uuid')} {attribute.get('timestamp')}"
    for report in event.get("EventReport") or ():
        if report.get("deleted"):
            continue
        content = str(report.get("content") or "")
        if is_ours(report):
            content = imported_text(content)
        if content:
            yield f"report {without_inline_tags(content)}"
