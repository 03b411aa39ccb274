"""JSON lines, the project's own format: one sentence, span, text or document a line.

``docs/training-data.md`` describes the fields. What a record is follows from its fields:

- ``text`` with ``label``: an annotated span of the document ``doc_id``
- ``text`` with ``labels`` and both ``id`` and ``doc_id``: one sentence of that document
- ``text`` with ``labels`` and ``doc_id`` alone, or ``"kind": "document"``: a whole document
- ``text`` with ``labels``: a text that stands alone
- ``file`` with ``labels``: a report file beside the label file
- ``description`` with ``name`` and an ATT&CK id as ``id``: the description of a technique
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import DocumentError, TrainingDataError
from training.labels.formats.base import Collector, LabelFile, Labelled
from training.labels.types import Example, ExampleKind, LabelledDocument

NAME = "jsonlines"


def matches(file: LabelFile) -> bool:
    """Tell by the suffix."""
    return file.suffix in {".jsonl", ".ndjson"}


def read(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    """Yield the examples and documents of a file."""
    for number, record in file.records():
        try:
            labelled = _record(record, f"{file.path.name}:{number}", file.path.parent, collector)
        except (TypeError, ValueError, AttributeError) as error:
            raise TrainingDataError(
                f"{file.path}, line {number}: {error}. See docs/training-data.md for the fields."
            ) from error
        if labelled is not None:
            yield labelled


def _record(
    record: dict[str, Any], place: str, folder: Path, collector: Collector
) -> Labelled | None:
    if "description" in record and "name" in record and "text" not in record:
        return _technique(record, collector)
    source = _source(record, collector)
    if not collector.uses(source):
        return None
    text = record.get("text") if "file" not in record else _file(record, folder, source, collector)
    if not isinstance(text, str) or not text.strip():
        collector.skip(source, "no text")
        return None
    given = record["labels"] if "labels" in record else record.get("label")
    if given is None:
        collector.skip(source, "no labels")
        return None
    techniques = collector.techniques([given] if isinstance(given, str) else _strings(given))
    if given and not techniques:
        # Its labels are gone, but not what it shows: it must not be read as a negative.
        collector.skip(source, "no label of it is active")
        return None
    document = _text_or_none(record, "doc_id") or _text_or_none(record, "flow_id")
    known = _known(record, source, collector)
    weight = float(record.get("weight", collector.settings(source).weight))
    fold = record.get("cv_fold", record.get("fold"))
    fold = None if fold is None else int(fold)
    if (
        record.get("kind") == "document"
        or "file" in record
        or ("doc_id" in record and "id" not in record)
    ):
        return LabelledDocument(
            id=document or str(record.get("id") or record.get("file") or place),
            text=text,
            techniques=techniques,
            source=source,
            weight=weight,
            fold=fold,
            known=known,
            title=str(record.get("title") or record.get("file") or ""),
            body_start=int(record.get("body_start", 0)),
        )
    kind: ExampleKind = "text"
    if "doc_id" in record:
        kind = "span" if "label" in record else "sentence"
    return Example(
        text=text,
        techniques=techniques,
        id=str(record.get("id", place)),
        document=document,
        source=source,
        weight=weight,
        fold=fold,
        known=known,
        start=_int_or_none(record, "start"),
        end=_int_or_none(record, "end"),
        kind=kind,
        unsure=collector.current(_strings(record.get("unsure", []))) - techniques,
        certainty=_certainty(record, collector),
    )


def _file(record: dict[str, Any], folder: Path, source: str, collector: Collector) -> str | None:
    """Return the text of a report file that stands beside the label file."""
    path = (folder / str(record["file"])).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"'file' leads out of the folder of the label file: {record['file']}")
    # Imported here, since most label files have no report files beside them.
    from engine.documents import read_path

    try:
        return read_path(path).text
    except DocumentError as error:
        collector.skip(source, f"file cannot be read: {error}")
        return None


def _technique(record: dict[str, Any], collector: Collector) -> Example | None:
    source = "attack-techniques"
    if not collector.uses(source):
        return None
    given = str(record.get("id", ""))
    techniques = collector.techniques([given])
    if not techniques:
        collector.skip(source, "no label of it is active")
        return None
    return Example(
        text=f"{record['name']}. {record['description']}",
        techniques=techniques,
        id=given,
        source=source,
        weight=collector.settings(source).weight,
        known=collector.known(source),
    )


def _source(record: dict[str, Any], collector: Collector) -> str:
    name = collector.sources.name_of(str(record.get("source") or "own"))
    if name == "tram2" and "label" in record:
        return "tram2-spans"
    if name == "tram1" and record.get("also_tram2_span"):
        return "tram1-repeats"
    return name


def _known(record: dict[str, Any], source: str, collector: Collector) -> frozenset[str] | None:
    given = record.get("known")
    if given is None:
        return collector.known(source)
    if given == "all":
        return None
    if given == "marked":
        return frozenset()
    return collector.current(_strings(given))


def _certainty(record: dict[str, Any], collector: Collector) -> tuple[tuple[str, float], ...]:
    given = record.get("certainty", {})
    if not isinstance(given, dict) or not all(
        isinstance(value, int | float) and 0 < value <= 1 for value in given.values()
    ):
        raise ValueError("'certainty' is an object of technique ids and numbers in (0, 1]")
    return tuple(
        (technique, float(value))
        for name, value in sorted(given.items())
        for technique in sorted(collector.current([name]))
    )


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("'labels', 'known' and 'unsure' are lists of technique ids")
    return value


def _text_or_none(record: dict[str, Any], key: str) -> str | None:
    value = record.get(key)
    return None if value is None else str(value)


def _int_or_none(record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    return None if value is None else int(value)
