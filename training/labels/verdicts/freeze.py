"""Make a frozen label set of what the ledger holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from engine.errors import TrainingDataError
from training.labels import LabelledDocument, group_documents, near_duplicates
from training.labels.types import Example
from training.labels.verdicts import frozen
from training.labels.verdicts.collect import collect
from training.labels.verdicts.sentences import label_sentences
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.texts import Texts
from training.labels.verdicts.types import Counts, FrozenLabels, JudgedDocument
from training.progress import NO_STEPS, Steps
from training.readings import Reader

if TYPE_CHECKING:
    from engine.harvest import Harvester
    from engine.ledger import Ledger
    from training.labels.verdicts.types import Judged

# A report with fewer labels says little of a release's F1.
LEAST_JUDGED = 3


@dataclass(frozen=True)
class Freezing:
    """What a label set is made with.

    Attributes
    ----------
    ledger : Ledger
    harvesters : mapping from platform to Harvester
    reader : Reader
        The champion's.
    settings : VerdictSettings
    test : sequence of Example or LabelledDocument
        Nothing that repeats one of these is learned from.
    """

    ledger: Ledger
    harvesters: Mapping[str, Harvester]
    reader: Reader
    settings: VerdictSettings
    test: Sequence[Example | LabelledDocument] = ()


def freeze(given: Freezing, created: datetime, *, steps: Steps = NO_STEPS) -> FrozenLabels:
    """Make a label set; `frozen.write` keeps it.

    Raises
    ------
    TrainingDataError
        If no analyst has judged anything yet.
    """
    knowledge, settings = given.reader.engine.knowledge, given.settings
    with steps.step("Collect verdicts", 1):
        collected = collect(given.ledger, knowledge, settings)
    if not collected.reports:
        raise TrainingDataError(
            "The ledger holds no verdict and no curated report yet, so there is nothing to learn "
            "from. Harvest first, or wait for analysts: docs/learning.md says what counts."
        )
    with steps.step("Read reports", len(collected.reports)) as advance:
        texts = Texts(given.ledger, given.harvesters, given.settings)
        documents, without = _texts(collected.reports, texts, advance)
    champion = given.reader.engine.release
    unseen = _unseen_by(champion.manifest.figures, documents, champion.manifest.created)
    train, held = _split(documents, unseen, settings)
    train, repeats = _without_repeats(train, held, given.test, settings.near_duplicate)
    with steps.step("Find the sentences", len(train) + len(held)) as advance:
        everything = [*train, *held]
        readings = list(given.reader.read((d.document for d in everything), advance))
        labelled = [
            _without_words(document)
            for document in label_sentences(everything, readings, given.reader, settings)
        ]
    counts = Counts(
        confirmed=collected.verdicts["confirmed"],
        rejected=collected.verdicts["rejected"],
        added=collected.verdicts["added"],
        curated=sum(judged.complete for judged in collected.reports),
        over_tlp=without["over TLP"],
        without_text=without["no text"],
        changed=without["changed"],
        near_duplicates=repeats,
    )
    return frozen.with_name(
        FrozenLabels(
            name="",
            digest="",
            created=created,
            champion=champion.name,
            attack_version=knowledge.version,
            train=tuple(labelled[: len(train)]),
            held=tuple(labelled[len(train) :]),
            counts=counts,
            unmapped=tuple(
                f"{technique} ({status}): {count}"
                for (technique, status), count in sorted(collected.unmapped.items())
            ),
            disagreements=collected.disagreements,
            about={"judged": _fingerprint(collected.reports), "unread": dict(texts.down)},
        )
    )


def _texts(
    reports: Iterable[Judged], texts: Texts, advance: Callable[[int], None]
) -> tuple[list[JudgedDocument], dict[str, int]]:
    without = dict.fromkeys(("over TLP", "no text", "changed"), 0)
    documents = []
    for judged in reports:
        found = texts.of(judged)
        if isinstance(found, str):
            without[found] += 1
        else:
            if found.whole and judged.complete and not found.judged.complete:
                without["changed"] += 1
            if found.judged.labels or found.judged.complete:
                documents.append(found)
        advance(1)
    return documents, without


def _unseen_by(
    figures: Mapping[str, object], documents: Sequence[JudgedDocument], created: datetime
) -> frozenset[str]:
    """Return the keys of the documents that the champion did not learn from."""
    about = figures.get("verdicts")
    if not isinstance(about, Mapping):
        return frozenset(document.key for document in documents)
    trained = frozen.trained_on(str(about.get("labels")))
    if trained is None:
        # The set is gone: only what was judged after the champion was made is surely new to it.
        return frozenset(d.key for d in documents if d.judged.at > created)
    return frozenset(document.key for document in documents) - trained


def _split(
    documents: Sequence[JudgedDocument], unseen: frozenset[str], settings: VerdictSettings
) -> tuple[list[JudgedDocument], list[JudgedDocument]]:
    """Keep back the newest of the reports that the champion did not see."""
    fit = [
        document
        for document in documents
        if document.key in unseen
        and document.whole
        and (document.judged.complete or len(document.judged.labels) >= LEAST_JUDGED)
    ]
    fit.sort(key=lambda document: (document.judged.at, document.key), reverse=True)
    wanted = max(settings.least_held, round(settings.held_share * len(fit)))
    # Never more than half: a night that learns from nothing new could not improve.
    number = min(wanted, settings.most_held, len(fit) // 2)
    kept = {document.key for document in fit[:number]}
    ordered = sorted(documents, key=lambda document: document.key)
    return (
        [document for document in ordered if document.key not in kept],
        [document for document in ordered if document.key in kept],
    )


def _without_repeats(
    train: Sequence[JudgedDocument],
    held: Sequence[JudgedDocument],
    test: Sequence[Example | LabelledDocument],
    threshold: float,
) -> tuple[list[JudgedDocument], int]:
    """Leave out reports that repeat a kept one, as when both platforms hold the same report."""
    own = [_as_labelled(document) for document in train]
    others = [_as_labelled(document) for document in held]
    tested = [one for one in test if isinstance(one, LabelledDocument)]
    kept = [*others, *tested]
    if not own or not kept:
        return list(train), 0
    groups = group_documents([*own, *kept], threshold)
    forbidden = set(groups[len(own) :].tolist())
    repeats = near_duplicates(own, kept, threshold)
    chosen = [
        document
        for document, group, repeat in zip(train, groups, repeats, strict=False)
        if group not in forbidden and not repeat
    ]
    return chosen, len(train) - len(chosen)


def _fingerprint(reports: Iterable[Judged]) -> str:
    """Name all that analysts said, whoever reads it: the same tomorrow if nothing is new."""
    total = hashlib.sha256()
    for judged in reports:
        labels = [(t, label.shown, round(label.weight, 6)) for t, label in judged.labels.items()]
        pointed = [(t, sorted(digests)) for t, digests in judged.pointed.items()]
        total.update(repr((judged.key, judged.complete, sorted(labels), sorted(pointed))).encode())
    return total.hexdigest()


def _without_words(document: JudgedDocument) -> JudgedDocument:
    """Leave of the evidence what a frozen set keeps of it: the digests."""
    evidence = {
        technique: tuple((None, digest) for _, digest in shown)
        for technique, shown in document.judged.evidence.items()
    }
    return replace(document, judged=replace(document.judged, evidence=evidence))


def _as_labelled(document: JudgedDocument) -> LabelledDocument:
    return LabelledDocument(document.key, document.document.text, document.techniques)
