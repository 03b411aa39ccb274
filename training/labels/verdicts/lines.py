"""Judged documents as JSON lines, and back: what frozen label sets hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from engine.ledger import text_digest
from engine.types import Document, Sentence
from training.labels.verdicts.types import Judged, JudgedDocument, Label

SOURCE: Final = "verdicts"


def records_of(document: JudgedDocument) -> Iterator[dict[str, Any]]:
    """Yield a document, then its sentences."""
    judged, key = document.judged, document.key
    shown = {t: label for t, label in judged.labels.items() if label.shown}
    absent = sorted(t for t, label in judged.labels.items() if not label.shown)
    shared: dict[str, Any] = {"doc_id": key, "source": SOURCE}
    # What nobody judged is unknown, but in a curated report it is absent.
    known: Any = "all" if judged.complete else sorted([*shown, *absent])
    yield {
        "kind": "document",
        **shared,
        "text": document.document.text,
        "labels": sorted(shown),
        "known": known,
        "title": document.document.name,
        "platform": judged.platform,
        "report": judged.report,
        "at": judged.at.isoformat(),
        "tlp": judged.tlp,
        "digest": judged.digest,
        "whole": document.whole,
        "complete": judged.complete,
        "judged": [asdict(judged.labels[t]) for t in sorted(judged.labels)],
        "evidence": {t: [digest for _, digest in judged.evidence[t]] for t in judged.evidence},
        "pointed": {t: sorted(digests) for t, digests in sorted(judged.pointed.items())},
    }
    for sentence in document.document.sentences:
        own = document.sentences.get(sentence.index, ())
        said = {label.technique for label in own}
        yield {
            "id": f"{key}#s{sentence.index:05d}",
            **shared,
            "text": sentence.text,
            "labels": sorted({label.technique for label in own if label.shown}),
            "known": known if judged.complete else sorted({*absent, *said}),
            # Some sentence shows it. One that is not known to is no negative.
            "unsure": sorted(shown.keys() - said),
            "certainty": {
                label.technique: round(min(label.weight, 1.0), 6)
                for label in own
                if label.shown and label.weight < 1
            },
            "start": sentence.start,
            "end": sentence.end,
            "page": sentence.page,
            "judged": [asdict(label) for label in own],
        }


def documents_in(path: Path) -> Iterator[JudgedDocument]:
    """Read what `records_of` and `line_of` made."""
    record: dict[str, Any] | None = None
    parts: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            found = json.loads(line)
            if found.get("kind") == "document":
                if record is not None:
                    yield _document(record, parts)
                record, parts = found, []
            else:
                parts.append(found)
    if record is not None:
        yield _document(record, parts)


def _document(record: Mapping[str, Any], parts: list[dict[str, Any]]) -> JudgedDocument:
    by_technique = {fields["technique"]: Label(**fields) for fields in record["judged"]}
    # Before, what we wrote for an added technique was kept, though it is no evidence.
    is_new = "pointed" in record
    judged = Judged(
        platform=record["platform"],
        report=record["report"],
        labels=by_technique,
        evidence={
            t: tuple((None, d) for d in found)
            for t, found in record["evidence"].items()
            if is_new or (t in by_technique and by_technique[t].why != "added")
        },
        complete=record["complete"],
        digest=record["digest"],
        tlp=record["tlp"],
        at=datetime.fromisoformat(record["at"]),
        pointed={t: frozenset(found) for t, found in record.get("pointed", {}).items()},
    )
    sentences = tuple(
        Sentence(number, part["text"], part["start"], part["end"], part["page"])
        for number, part in enumerate(parts)
    )
    text = record["text"]
    document = Document(record["title"], text, sentences, text_digest(text))
    own = {
        number: tuple(Label(**fields) for fields in part["judged"])
        for number, part in enumerate(parts)
        if part["judged"]
    }
    return JudgedDocument(judged, document, record["whole"], own)


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line; the same one gives the same bytes."""
    return (json.dumps(record, ensure_ascii=True, sort_keys=True) + "\n").encode()
