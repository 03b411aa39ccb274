"""Train the svc in rounds, which work out what each sentence of a judged report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from training.labels import LabelSet, document_folds
from training.labels.verdicts import FrozenLabels
from training.labels.verdicts.again import choose_again
from training.labels.verdicts.likeness import Likeness
from training.nightly.settings import NightlySettings
from training.nightly.work import Work
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS, Steps
from training.svc import Counted, cross_validated, train_svc

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

# With more sentences of judged reports the champion's choice is gone by: rounds would take hours.
ROUNDS_UP_TO = 50_000
SVC = "svc"


def svc_in_rounds(
    seed: LabelSet,
    own: LabelSet,
    folds: Mapping[str, int],
    labels: FrozenLabels,
    work: Work,
    settings: NightlySettings,
    knowledge: Knowledge,
    steps: Steps = NO_STEPS,
) -> tuple[OutOfFold, LabelSet]:
    """Train the svc in rounds; return its scores, and the site's labels as the last one took them.

    Each round is kept when it is done, so that an interruption costs one.
    """
    rounds = settings.rounds if len(own.examples) <= ROUNDS_UP_TO else 1
    if rounds > 1:
        likeness = Likeness(own.documents, seed.examples, knowledge)
        own = choose_again(own, labels.train, {}, likeness)
    counted = Counted()
    for number in range(1, rounds):
        name = f"round-{number}.json"
        if (chosen := work.get(name)) is None:
            together = joined(seed, own, settings, folds)
            seen = cross_validated(
                together, knowledge, settings.svc, wholes=False, counted=counted, steps=steps
            )
            found = {one.id: seen.score(one) for one in own.documents if one.id in seen.folds}
            again = choose_again(own, labels.train, found, likeness)
            work.put(name, chosen := sentence_labels(again))
        own = with_sentence_labels(own, chosen)
    if work.get(f"{SVC}.json") is None:
        together = joined(seed, own, settings, folds)
        trained = train_svc(together, knowledge, settings.svc, counted=counted, steps=steps)
        trained.recognizer.save(work.directory / "recognizers" / SVC)
        recognitions = {document.id: trained.score(document) for document in trained.documents}
        OutOfFold(SVC, recognitions, trained.folds).save(work.directory)
        work.put(f"{SVC}.json", len(recognitions))
    return OutOfFold.load(work.directory, SVC), own


def joined(
    seed: LabelSet,
    own: LabelSet,
    settings: NightlySettings,
    known: Mapping[str, int],
) -> LabelSet:
    """Join seed data and verdicts, each document with a fold that stays the same."""
    documents = [*seed.documents, *own.documents]
    usable = [document for document in documents if document.sentences]
    folds = document_folds(
        [replace(document, fold=known.get(document.id, document.fold)) for document in usable],
        k=settings.svc.folds,
        seed=settings.svc.seed,
    )
    placed = tuple(replace(document, fold=folds.get(document.id)) for document in documents)
    examples = (*seed.examples, *own.examples)
    return LabelSet(
        tuple(replace(example, fold=folds.get(example.document or "")) for example in examples),
        placed,
    )


def sentence_labels(labels: LabelSet) -> dict[str, list[list[Any]]]:
    """Return, by document, what is known of each sentence, as JSON has it."""
    return {
        document.id: [
            [sorted(s.techniques), sorted(s.unsure), [list(pair) for pair in s.certainty]]
            for s in document.sentences
        ]
        for document in labels.documents
    }


def with_sentence_labels(
    labels: LabelSet, chosen: Mapping[str, Sequence[Sequence[Any]]]
) -> LabelSet:
    """Return the label set with what `sentence_labels` gave of the same documents."""
    documents = []
    for document in labels.documents:
        pairs = zip(document.sentences, chosen[document.id], strict=True)
        sentences = tuple(
            replace(
                one,
                techniques=frozenset(shown),
                unsure=frozenset(unsure),
                certainty=tuple((technique, value) for technique, value in certainty),
            )
            for one, (shown, unsure, certainty) in pairs
        )
        documents.append(replace(document, sentences=sentences))
    changed = {one.id: one for document in documents for one in document.sentences}
    examples = tuple(changed.get(example.id, example) for example in labels.examples)
    return replace(labels, examples=examples, documents=tuple(documents))
