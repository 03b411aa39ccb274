"""TRAM's JSON: exported reports and training files, and its single and multi label tables.

- a report: ``{"name", "text", "sentences": [{"text", "disposition", "mappings":
  [{"attack_id", "confidence"}]}]}``; the bootstrap training data has the same shape
- a table: ``[{"text", "label", "doc_title"}]`` or ``[{"sentence", "labels", "doc_title"}]``
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.errors import TrainingDataError
from training.labels.formats.base import Collector, LabelFile, Labelled
from training.labels.types import Example, ExampleKind, LabelledDocument

NAME = "tram_export"


def matches(file: LabelFile) -> bool:
    """Tell by the fields of the report, or of the first row of the table."""
    if file.suffix != ".json":
        return False
    if isinstance(file.json, dict):
        return isinstance(file.json.get("sentences"), list)
    first = file.json[0] if isinstance(file.json, list) and file.json else None
    return (
        isinstance(first, dict)
        and bool({"text", "sentence"} & set(first))
        and bool({"label", "labels"} & set(first))
    )


def read(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    """Yield the examples, and the document where the file holds the report's text."""
    try:
        if isinstance(file.json, dict):
            yield from _report(file, collector)
        else:
            yield from _table(file, collector)
    except (KeyError, TypeError, AttributeError) as error:
        raise TrainingDataError(
            f"{file.path} has not the fields of a TRAM export: {error!r}."
        ) from error


def _report(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    name = str(file.json.get("name") or file.path.name)
    text = str(file.json.get("text") or "")
    rows = file.json["sentences"]
    # The bootstrap file has the shape of a report, but its sentences come from everywhere.
    whole = bool(rows) and str(rows[0]["text"]) in text
    source = "tram2" if whole else "tram1"
    if not collector.uses(source):
        return
    known = None if whole else collector.known(source)
    examples = []
    unread = 0
    for number, row in enumerate(rows):
        if row.get("disposition", "accept") != "accept":
            # What the model said and nobody looked at is no label.
            collector.skip(source, "not accepted by an analyst")
            unread += 1
            continue
        given = [str(mapping["attack_id"]) for mapping in row.get("mappings", ())]
        example = _example(
            collector, str(row["text"]), given, source, f"{name}#{number}",
            name if whole else None, "sentence" if whole else "text", known,
        )  # fmt: skip
        if example is not None:
            examples.append(example)
    if not whole:
        yield from examples
        return
    if unread:
        # What is left are pieces of the report, not all its sentences.
        yield from (replace(example, kind="text") for example in examples)
    if examples:
        yield LabelledDocument(
            id=name,
            text=text,
            techniques=frozenset().union(*(example.techniques for example in examples)),
            sentences=() if unread else tuple(examples),
            source=source,
            weight=collector.settings(source).weight,
            known=frozenset() if unread else None,
            title=name,
        )


def _table(file: LabelFile, collector: Collector) -> Iterator[Labelled]:
    for number, row in enumerate(file.json):
        single = "label" in row
        source = "tram2-spans" if single else "tram2"
        if not collector.uses(source):
            continue
        given = [str(row["label"])] if single else [str(label) for label in row["labels"]]
        title = str(row["doc_title"]) if row.get("doc_title") else None
        kind: ExampleKind = "text" if title is None else "span" if single else "sentence"
        example = _example(
            collector, str(row["text"] if "text" in row else row["sentence"]), given, source,
            f"{title or file.path.name}#{number}", title, kind, collector.known(source),
        )  # fmt: skip
        if example is not None:
            yield example


def _example(
    collector: Collector,
    text: str,
    given: list[Any],
    source: str,
    identity: str,
    document: str | None,
    kind: ExampleKind,
    known: frozenset[str] | None,
) -> Example | None:
    techniques = collector.techniques(given)
    if not text.strip():
        collector.skip(source, "no text")
        return None
    if given and not techniques:
        collector.skip(source, "no label of it is active")
        return None
    return Example(
        text=text,
        techniques=techniques,
        id=identity,
        document=document,
        source=source,
        weight=collector.settings(source).weight,
        known=known,
        kind=kind,
    )
