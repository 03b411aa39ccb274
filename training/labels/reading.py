"""Read label files of any known format into one label set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import TrainingDataError
from training.labels.formats import FORMATS, Collector, Format, LabelFile
from training.labels.label_set import FileReport, LabelSet, ReadReport
from training.labels.sources import Sources
from training.labels.types import Example, LabelledDocument

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".mjson", ".csv"})


def read(
    paths: Iterable[Path | str], knowledge: Knowledge, sources: Sources | None = None
) -> LabelSet:
    """Read label files.

    Parameters
    ----------
    paths : iterable of path
        Files, or folders of which all files with a known suffix are read.
    knowledge : Knowledge
        Resolves technique ids: revoked ones are mapped, deprecated and unknown ones dropped
        and counted in the report.
    sources : Sources, optional
        Weights and completeness of the sources.

    Returns
    -------
    LabelSet
        Examples and documents in the order of reading; records with an id that was read
        before from the same source are left out.

    Raises
    ------
    TrainingDataError
        If a path is missing, a file is of no known format or damaged, or nothing was found.
    """
    collector = Collector(knowledge, sources or Sources())
    examples: dict[tuple[str, str], Example] = {}
    documents: dict[tuple[str, str], LabelledDocument] = {}
    files = []
    for path, named in _files(paths):
        file = LabelFile(path)
        found = _format_of(file)
        if found is None:
            if named:
                raise TrainingDataError(
                    f"{path} is of no known format of label files. "
                    "docs/training-data.md lists them."
                )
            collector.skip(path.name, "file of no known format")
            continue
        before = (len(examples), len(documents))
        for item in found.read(file, collector):
            key = (item.source, item.id)
            if key in (examples if isinstance(item, Example) else documents):
                collector.skip(item.source, "id read before")
            elif isinstance(item, Example):
                examples[key] = item
            else:
                documents[key] = item
                examples |= {(part.source, part.id): part for part in item.sentences}
        files.append(
            FileReport(str(path), found.NAME, len(examples) - before[0], len(documents) - before[1])
        )
    if not examples and not documents:
        raise TrainingDataError(
            "No labelled text was found. Give files as docs/training-data.md describes them."
        )
    joined = _join(documents.values(), examples.values())
    return LabelSet(
        examples=tuple(examples.values()),
        documents=joined,
        report=ReadReport(
            files=tuple(files),
            examples=Counter(example.source for example in examples.values()),
            documents=Counter(document.source for document in joined),
            mapped=collector.mapped,
            dropped=collector.dropped,
            skipped=collector.skipped,
        ),
    )


def _files(paths: Iterable[Path | str]) -> Iterator[tuple[Path, bool]]:
    """Yield the files, and whether each was named itself rather than found in a folder."""
    for given in paths:
        path = Path(given)
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and LabelFile(inner).suffix in SUFFIXES:
                    yield inner, False
        elif path.is_file():
            yield path, True
        else:
            raise TrainingDataError(f"{path} does not exist. Give a file or a folder.")


def _format_of(file: LabelFile) -> Format | None:
    return next((known for known in FORMATS if known.matches(file)), None)


def _join(
    documents: Iterable[LabelledDocument], examples: Iterable[Example]
) -> tuple[LabelledDocument, ...]:
    """Give documents their sentences, and make documents of sentences that have none."""
    by_document: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.kind == "sentence" and example.document is not None:
            by_document[example.document].append(example)
    joined = []
    for document in documents:
        sentences = by_document.pop(document.id, [])
        if sentences and not document.sentences:
            document = replace(document, sentences=_ordered(sentences))
        joined.append(document)
    joined += [_from_sentences(name, _ordered(parts)) for name, parts in by_document.items()]
    return tuple(joined)


def _ordered(sentences: Sequence[Example]) -> tuple[Example, ...]:
    """Sort by offset where every sentence has one, else keep the order of the file."""
    if any(sentence.start is None for sentence in sentences):
        return tuple(sentences)
    return tuple(sorted(sentences, key=lambda sentence: sentence.start or 0))


def _from_sentences(name: str, sentences: tuple[Example, ...]) -> LabelledDocument:
    first = sentences[0]
    return LabelledDocument(
        id=name,
        text="\n".join(sentence.text for sentence in sentences),
        techniques=frozenset().union(*(sentence.techniques for sentence in sentences)),
        sentences=sentences,
        source=first.source,
        weight=first.weight,
        fold=first.fold,
        known=_known_in_all(sentences),
    )


def _known_in_all(sentences: Iterable[Example]) -> frozenset[str] | None:
    """Return what was looked for in every sentence, so in the document."""
    limited = [sentence.known for sentence in sentences if sentence.known is not None]
    return frozenset.intersection(*limited) if limited else None
