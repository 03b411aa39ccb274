"""TRAM's annotated reports: ``.mjson``, the document format of the MITRE Annotation Toolkit.

One report a file: ``signal`` is the text, ``asets`` has one entry a label, its ``annots`` being
``[start, end, comment]``. The label's name ends in the technique's id, ``Proxy (T1090)``; for a
technique outside their list TRAM's annotators wrote the id into the comment instead.
Format: https://mat-annotation.sourceforge.net/current_docs/html/mat_json_format.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.errors import TrainingDataError
from training.labels.alignment import Span, label_sentences
from training.labels.formats.base import Collector, LabelFile, Labelled
from training.labels.types import Example, LabelledDocument

NAME = "tram_mjson"

_IN_LABEL = re.compile(r"\((T\d{4}(?:\.\d{3})?)\)\s*$")
_IN_COMMENT = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")
_HEADER = re.compile(r"(?:(?:title|url):[^\n]*\n+)+")


def matches(file: LabelFile) -> bool:
    """Tell by the suffix, or by the two fields every such file has."""
    if file.suffix == ".mjson":
        return True
    return (
        file.suffix == ".json"
        and isinstance(file.json, dict)
        and {"signal", "asets"} <= set(file.json)
    )


def read(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    """Yield the document with its sentences, then its annotated spans."""
    try:
        text = str(file.json["signal"])
        marked = sorted(_annotations(file.json["asets"]))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise TrainingDataError(
            f"{file.path} is not a document of the MITRE Annotation Toolkit "
            f"(fields 'signal' and 'asets'): {error!r}."
        ) from error
    name = file.path.name.removesuffix(".gz").removesuffix(file.suffix)
    spans = []
    for start, end, given in marked:
        spans += [Span(start, end, technique) for technique in collector.techniques([given])]
    if collector.uses("tram2"):
        yield _document(name, text, spans, collector)
    if collector.uses("tram2-spans"):
        for number, span in enumerate(spans):
            yield Example(
                text=text[span.start : span.end],
                techniques=frozenset({span.technique}),
                id=f"{name}#a{number:04d}",
                document=name,
                source="tram2-spans",
                weight=collector.settings("tram2-spans").weight,
                known=collector.known("tram2-spans"),
                start=span.start,
                end=span.end,
                kind="span",
            )


def _annotations(asets: list[dict[str, Any]]) -> Iterator[tuple[int, int, str]]:
    for aset in asets:
        named = _IN_LABEL.search(str(aset["type"]))
        for annotation in aset["annots"] if aset.get("hasSpan", True) else ():
            start, end = int(annotation[0]), int(annotation[1])
            if named:
                yield start, end, named.group(1)
                continue
            for comment in annotation[2:]:
                for given in _IN_COMMENT.findall(comment) if isinstance(comment, str) else ():
                    yield start, end, given


def _document(name: str, text: str, spans: list[Span], collector: Collector) -> LabelledDocument:
    header = _HEADER.match(text)
    body_start = header.end() if header else 0
    settings = collector.settings("tram2")
    known = collector.known("tram2")
    return LabelledDocument(
        id=name,
        text=text,
        techniques=frozenset(span.technique for span in spans),
        sentences=label_sentences(
            text,
            spans,
            document=name,
            source="tram2",
            weight=settings.weight,
            known=known,
            body_start=body_start,
        ),
        source="tram2",
        weight=settings.weight,
        known=known,
        title=name,
        body_start=body_start,
    )
