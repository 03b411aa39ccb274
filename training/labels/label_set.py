"""A label set: everything that was read, with a digest that names it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from training.labels.types import Example, LabelledDocument


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was read from one file."""

    path: str
    format: str
    examples: int
    documents: int


@dataclass(frozen=True)
class ReadReport:
    """What was read, what was mapped, and what was left out and why.

    Attributes
    ----------
    files : tuple of FileReport
        In the order of reading.
    examples, documents : Counter of str
        Number kept by source.
    mapped : Counter of (id given, id kept)
        Label assignments whose revoked id was replaced.
    dropped : Counter of (id, reason)
        Label assignments left out; reason is ``deprecated`` or ``unknown``.
    skipped : Counter of (source, reason)
        Records left out.
    """

    files: tuple[FileReport, ...] = ()
    examples: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    mapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def dropped_by_reason(self) -> Counter[str]:
        """Count the label assignments left out by reason."""
        counts: Counter[str] = Counter()
        for (_, reason), count in self.dropped.items():
            counts[reason] += count
        return counts


@dataclass(frozen=True)
class LabelSet:
    """Examples and documents to learn from.

    Attributes
    ----------
    examples : tuple of Example
        All pieces of text: sentences, spans and texts that stand alone.
    documents : tuple of LabelledDocument
        The reports; their ``sentences`` are among ``examples`` too.
    report : ReadReport
        What was read and left out.
    """

    examples: tuple[Example, ...] = ()
    documents: tuple[LabelledDocument, ...] = ()
    report: ReadReport = field(default_factory=ReadReport)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources of examples and documents, sorted."""
        names = {example.source for example in self.examples}
        return tuple(sorted(names | {document.source for document in self.documents}))

    def select(
        self,
        examples: Callable[[Example], bool] = lambda _: True,
        documents: Callable[[LabelledDocument], bool] = lambda _: True,
    ) -> LabelSet:
        """Return the label set of the examples and documents that the functions accept."""
        return replace(
            self,
            examples=tuple(example for example in self.examples if examples(example)),
            documents=tuple(document for document in self.documents if documents(document)),
        )

    def digest(self) -> str:
        """Return a SHA-256 in hexadecimal that names the content, whatever its order."""
        lines = [_canonical("example", item) for item in self.examples]
        lines += [_canonical("document", item) for item in self.documents]
        total = hashlib.sha256()
        for digest in sorted(hashlib.sha256(line).digest() for line in lines):
            total.update(digest)
        return total.hexdigest()


def _canonical(kind: str, item: Example | LabelledDocument) -> bytes:
    record: dict[str, object] = {
        "is": kind,
        "id": item.id,
        "text": item.text,
        "techniques": sorted(item.techniques),
        "source": item.source,
        "weight": item.weight,
        "fold": item.fold,
        "known": _sorted_or_none(item.known),
    }
    if isinstance(item, Example):
        record |= {"document": item.document, "span": [item.start, item.end], "kind": item.kind}
        if item.unsure:
            record["unsure"] = sorted(item.unsure)
        if item.certainty:
            record["certainty"] = sorted(item.certainty)
    else:
        record |= {"body_start": item.body_start, "tactics": sorted(item.tactics)}
    return json.dumps(record, ensure_ascii=True, sort_keys=True).encode()


def _sorted_or_none(ids: Iterable[str] | None) -> list[str] | None:
    return None if ids is None else sorted(ids)
