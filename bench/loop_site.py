"""A simulated site for bench/loop.py: documents whose labels are known, and an analyst who knows.

The analyst sees what the champion wrote on a report and corrects it by the labels: what is right
is left, what is wrong taken off, what is missing put on, and the report counts as curated. A share
of these verdicts may be wrong at random.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from engine.analysis import Engine
from engine.documents import from_text
from engine.harvest import Harvester
from engine.knowledge import Knowledge
from engine.ledger import Curation, Enrichment, Ledger, Verdict, Written
from engine.types import Document
from training.evaluation import LabelList
from training.labels import Example, LabelledDocument, LabelSet, group_documents

if TYPE_CHECKING:
    from engine.ledger.records import Judgement


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


@dataclass(frozen=True)
class Seen:
    """A report that ttpscribe has enriched, as the analyst finds it."""

    enrichment: str
    report: str
    digest: str
    techniques: frozenset[str]
    evidence: Mapping[str, str]


class Place(Protocol):
    """Where reports lie, are enriched and corrected."""

    platform: str
    harvester: Harvester | None

    def enrich(self, engine: Engine, document: LabelledDocument, at: datetime) -> Seen:
        """Take in a report and write on it what the engine finds, as the ledger knows."""
        ...

    def correct(self, seen: Seen, said: Mapping[str, str], at: datetime) -> None:
        """Do with a report what the analyst says."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


@dataclass
class Paper:
    """No platform: the analyst's verdicts are recorded as a harvester would record them."""

    platform: str
    ledger: Ledger
    harvester: Harvester | None = None

    def enrich(self, engine: Engine, document: LabelledDocument, at: datetime) -> Seen:
        """Record what a connector would have written."""
        read = from_text(document.body, document.title or document.id)
        return record(self.ledger, engine, self.platform, document.id, read, read.digest, at)

    def correct(self, seen: Seen, said: Mapping[str, str], at: datetime) -> None:
        """Record what a harvester would have found."""
        where: dict[str, Any] = {
            "platform": self.platform, "report": seen.report, "at": at, "who": "analyst",
        }  # fmt: skip
        verdicts = (
            Verdict(
                technique=technique,
                verdict=cast("Judgement", verdict),
                known_by="difference",
                evidence=seen.evidence.get(technique),
                enrichment=seen.enrichment,
                **where,
            )
            for technique, verdict in said.items()
        )
        self.ledger.record_verdicts(*verdicts)
        self.ledger.record_curations(Curation(known_by="status", digest=seen.digest, **where))

    def close(self) -> None:
        """Do nothing."""


def record(
    ledger: Ledger,
    engine: Engine,
    platform: str,
    report: str,
    read: Document,
    digest: str,
    at: datetime,
) -> Seen:
    """Analyse a report and enter into the ledger what is about to be written on it."""
    analysis = engine.analyse(read)
    evidence = {f.technique: f.evidence[0].text for f in analysis.findings if f.evidence}
    enrichment = Enrichment(
        platform=platform,
        report=report,
        digest=digest,
        digests={"description": read.digest},
        release=analysis.release,
        attack_version=analysis.attack_version,
        operating_point="balanced",
        at=at,
    )
    written = (
        Written(
            enrichment=enrichment.id,
            kind="ref",
            technique=finding.technique,
            probability=finding.probability,
            evidence=evidence.get(finding.technique),
            at=at,
        )
        for finding in analysis.findings
    )
    with ledger.transaction():
        ledger.begin_enrichment(enrichment, {read.digest: read.text})
        ledger.record_written(*written)
        ledger.finish_enrichment(enrichment.id, "done")
    found = frozenset(finding.technique for finding in analysis.findings)
    return Seen(enrichment.id, report, digest, found, evidence)


@dataclass(frozen=True)
class Analyst:
    """Corrects reports by their labels.

    Attributes
    ----------
    ledger : Ledger
    knowledge : Knowledge
    places : sequence of Place
        Reports are put on them in turn.
    wrong : float
        Share of verdicts that say the contrary.
    seed : int
    """

    ledger: Ledger
    knowledge: Knowledge
    places: Sequence[Place]
    wrong: float = 0.0
    seed: int = 0

    def work(
        self, engine: Engine, documents: Iterable[LabelledDocument], begin: datetime
    ) -> dict[str, int]:
        """Let documents be enriched and correct them; return what was said, by kind."""
        done = dict.fromkeys(("confirmed", "rejected", "added"), 0)
        for number, document in enumerate(documents):
            place = self.places[number % len(self.places)]
            at = begin + timedelta(minutes=number)
            seen = place.enrich(engine, document, at)
            said = self.says(document, seen.techniques)
            place.correct(seen, said, at)
            for verdict in said.values():
                done[verdict] += 1
        return done

    def says(self, document: LabelledDocument, found: frozenset[str]) -> dict[str, str]:
        """Return what the analyst says of each technique, given what was written."""
        right = self.knowledge.with_parents(document.techniques)
        said = {t: "confirmed" if t in right else "rejected" for t in found}
        said |= dict.fromkeys(document.techniques - found, "added")
        chance = random.Random(f"{self.seed}:{document.id}")  # noqa: S311
        result = {}
        for technique, verdict in sorted(said.items()):
            if chance.random() >= self.wrong:
                result[technique] = verdict
            elif verdict != "added":  # What one wrongly does not miss leaves no trace.
                result[technique] = "confirmed" if verdict == "rejected" else "rejected"
        return result
