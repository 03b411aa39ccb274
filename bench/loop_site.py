"""A simulated site for bench/loop.py: documents whose labels are known, by what they are for."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.evaluation import LabelList
from training.labels import Example, LabelledDocument, LabelSet, group_documents


@dataclass(frozen=True)
class Split:
    """Documents by what they are for; those that repeat each other are for the same."""

    seed: tuple[LabelledDocument, ...]
    site: tuple[LabelledDocument, ...]
    test: tuple[LabelledDocument, ...]

    def nights(self, number: int) -> list[tuple[LabelledDocument, ...]]:
        """Return the site's documents by night, evenly."""
        return [self.site[night::number] for night in range(number)]


def split(
    documents: Sequence[LabelledDocument],
    seed: int,
    part: int = 0,
    parts_in_all: int = 1,
    *,
    seeds: int,
    tests: int,
) -> Split:
    """Split by random choice of groups of near-duplicates.

    Of several splits with the same seed each begins at another place of the same order, so that
    no two test on the same document while there are enough of them.
    """
    groups = group_documents(documents).tolist()
    order = sorted(set(groups))
    random.Random(seed).shuffle(order)  # noqa: S311 - a split, no secret
    begin = part * len(order) // parts_in_all
    order = order[begin:] + order[:begin]
    parts: dict[str, list[LabelledDocument]] = {"test": [], "seed": [], "site": []}
    for group in order:
        members = [d for d, number in zip(documents, groups, strict=True) if number == group]
        if len(parts["test"]) + len(members) <= tests:
            parts["test"] += members
        elif len(parts["seed"]) + len(members) <= seeds:
            parts["seed"] += members
        else:
            parts["site"] += members
    return Split(*(tuple(parts[name]) for name in ("seed", "site", "test")))


def labels_of(
    labels: LabelSet, documents: Iterable[LabelledDocument], sources: Iterable[str] = ()
) -> LabelSet:
    """Return the label set of some documents, and of whole sources beside them."""
    wanted, more = {document.id for document in documents}, frozenset(sources)

    def of_document(one: Example) -> bool:
        return one.document in wanted or (one.document is None and one.source in more)

    return labels.select(of_document, lambda one: one.id in wanted)


def with_incidents(labels: LabelSet) -> LabelSet:
    """Make a report of the texts that name one, as the actions of an attack flow do.

    Who drew the flow read all that was known of the incident, so what it does not have is absent.
    """
    known = {document.id for document in labels.documents}
    parts: defaultdict[str, list[Example]] = defaultdict(list)
    for one in labels.examples:
        if one.kind == "text" and one.document is not None and one.document not in known:
            parts[one.document].append(one)
    documents, changed = [], {}
    for name, lines in parts.items():
        sentences, start = [], 0
        for one in lines:
            end = start + len(one.text)
            sentences.append(
                replace(one, kind="sentence", known=None, weight=1.0, start=start, end=end)
            )
            start = end + 1
        text = "\n".join(one.text for one in lines)
        techniques = frozenset().union(*(one.techniques for one in lines))
        documents.append(LabelledDocument(name, text, techniques, tuple(sentences)))
        changed |= {one.id: one for one in sentences}
    examples = tuple(changed.get(one.id, one) for one in labels.examples)
    return replace(labels, examples=examples, documents=(*labels.documents, *documents))


def abridged(labels: LabelSet, sentences: int, express: LabelList, seed: int = 0) -> LabelSet:
    """Return documents cut to so many sentences, those with a technique before others.

    Labels are those of a label list, so that there are fewer techniques to learn, too.
    """
    documents, examples = [], []
    for document in labels.documents:
        order = [
            replace(one, techniques=express.express(one.techniques)) for one in document.sentences
        ]
        told = {one.id: one for one in order}
        random.Random(f"{seed}:{document.id}").shuffle(order)  # noqa: S311
        order.sort(key=lambda one: not one.techniques)
        chosen = {one.id for one in order[:sentences]}
        kept, start = [], 0
        for one in (told[sentence.id] for sentence in document.sentences):
            if one.id in chosen:
                end = start + len(one.text)
                kept.append(replace(one, start=start, end=end))
                start = end + 1
        techniques = frozenset().union(*(one.techniques for one in kept))
        text = "\n".join(one.text for one in kept)
        documents.append(
            replace(document, text=text, body_start=0, sentences=tuple(kept), techniques=techniques)
        )
        examples += kept
    return LabelSet(tuple(examples), tuple(documents))


def write_labels(documents: Iterable[LabelledDocument], directory: Path) -> None:
    """Write documents with their sentences as the JSON lines of docs/training-data.md."""
    directory.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, object]] = []
    for one in documents:
        shared = {"doc_id": one.id, "source": one.source, "cv_fold": one.fold}
        known = "all" if one.known is None else sorted(one.known)
        records.append(
            {
                **shared,
                "kind": "document",
                "title": one.title,
                "text": one.text,
                "body_start": one.body_start,
                "labels": sorted(one.techniques),
                "known": known,
            }
        )
        records += [
            {
                **shared,
                "id": sentence.id,
                "text": sentence.text,
                "start": sentence.start,
                "end": sentence.end,
                "labels": sorted(sentence.techniques),
                "known": known,
            }
            for sentence in one.sentences
        ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (directory / "seed.jsonl").write_text(text, encoding="utf-8")
