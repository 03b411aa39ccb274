"""Train the svc in rounds, which work out what each sentence of a judged report shows.

What sentences of other reports are taken to show depends on a report's own words: two reports with
a technique are alike where they speak of it. So for each fold of the cross-validation the choice
is made again from the other folds alone. With one choice for all, scores out of fold were better
than those of new reports, and what is fitted on them too sure of itself: of six nights' verdicts,
reports cut to 25 sentences, the calibration error on 25 others was 0.093 and 0.078 (two splits);
it is 0.037 and 0.047 so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from training.labels import LabelSet, document_folds
from training.labels.verdicts import FrozenLabels
from training.labels.verdicts.again import choose_again
from training.labels.verdicts.likeness import Likeness
from training.nightly.settings import NightlySettings
from training.nightly.work import Work
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS, Steps
from training.svc import Counted, NothingToLearnError, cross_validated, enough, train_svc

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.types import Recognition

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
) -> tuple[OutOfFold, LabelSet, dict[int, LabelSet]]:
    """Train the svc in rounds.

    Each choice is kept when it is made, so that an interruption costs one.

    Returns
    -------
    scores : OutOfFold
    own : LabelSet
        The site's labels as the last round took them.
    others : dict of fold to LabelSet
        Seed data and the site's labels as they were taken where a fold was held out.
    """
    rounds = settings.rounds if len(own.examples) <= ROUNDS_UP_TO else 1
    # Whatever the sentences are taken to show, the folds stay: texts are compared once.
    folds = folds_in(joined(seed, own, settings, folds))
    choices = Choices(seed, own, folds, labels, work, settings, knowledge, steps)
    others: dict[int, LabelSet] = {}
    if rounds > 1 and own.documents:
        for fold in enough(folds):
            others[fold] = choices.joined(choices.chosen(rounds, fold))
        own = choices.chosen(rounds)
    if work.get(f"{SVC}.json") is None:
        together = choices.joined(own)
        trained = train_svc(
            together,
            knowledge,
            settings.svc,
            without=others,
            counted=choices.counted,
            steps=steps,
        )
        trained.recognizer.save(work.directory / "recognizers" / SVC)
        recognitions = {document.id: trained.score(document) for document in trained.documents}
        OutOfFold(SVC, recognitions, trained.folds).save(work.directory)
        work.put(f"{SVC}.json", len(recognitions))
    return OutOfFold.load(work.directory, SVC), own, others


@dataclass(frozen=True)
class Choices:
    """Works out which sentences of judged reports show what.

    Arguments as of `svc_in_rounds`, but for the folds, which are those of all documents.
    """

    seed: LabelSet
    own: LabelSet
    folds: Mapping[str, int]
    labels: FrozenLabels
    work: Work
    settings: NightlySettings
    knowledge: Knowledge
    steps: Steps
    counted: Counted = field(default_factory=Counted)

    def joined(self, own: LabelSet) -> LabelSet:
        """Return seed data and the site's labels together."""
        return joined(self.seed, own, self.settings, self.folds)

    def chosen(self, rounds: int, absent: int | None = None) -> LabelSet:
        """Return the site's labels as the last round but one leaves them to the last.

        Those of an absent fold stay as they are, and nothing of it has a say.
        """
        own = self.own
        pieces = [f"round-{number}.json" for number in range(1, rounds)]
        if absent is not None:
            pieces = [f"without-{absent}-{piece}" for piece in pieces]
        if (done := self.work.get(pieces[-1])) is not None:
            return with_sentence_labels(own, done)

        def here(document: str | None) -> bool:
            return absent is None or self.folds.get(document or "") != absent

        def again(found: Mapping[str, Recognition]) -> LabelSet:
            part = own.select(lambda one: here(one.document), lambda one: here(one.id))
            return with_sentence_labels(
                own, sentence_labels(choose_again(part, self.labels.train, found, likeness))
            )

        likeness = Likeness(
            [document for document in own.documents if here(document.id)],
            [example for example in self.seed.examples if here(example.document)],
            self.knowledge,
        )
        own = again({})
        for piece in pieces:
            if (done := self.work.get(piece)) is None:
                self.work.put(piece, done := sentence_labels(again(self._found(own, absent))))
            own = with_sentence_labels(own, done)
        return own

    def _found(self, own: LabelSet, absent: int | None) -> dict[str, Recognition]:
        """Return what the svc makes of judged reports that it has not learned from."""
        shown = frozenset().union(*(document.techniques for document in own.documents))
        try:
            seen = cross_validated(
                self.joined(own),
                self.knowledge,
                self.settings.svc,
                absent=absent,
                only=self.knowledge.with_parents(shown),
                wholes=False,
                counted=self.counted,
                steps=self.steps,
            )
        except NothingToLearnError:
            # None of what they show can be learned yet; of other techniques there may be enough.
            return {}
        return {one.id: seen.score(one) for one in own.documents if one.id in seen.folds}


def folds_in(labels: LabelSet) -> dict[str, int]:
    """Return the fold of each document that has one."""
    return {one.id: one.fold for one in labels.documents if one.fold is not None}


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
    """Return the label set with what `sentence_labels` gave of the same documents, or some."""
    documents = []
    for document in labels.documents:
        if document.id not in chosen:
            documents.append(document)
            continue
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
