"""What a fold is scored by has learned nothing from it, not even which sentences to learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_verdicts import NEW, SMALL, seed_labels

from training.labels import LabelSet, read
from training.labels.verdicts import frozen
from training.nightly.rounds import Choices, folds_in, joined, sentence_labels, svc_in_rounds
from training.nightly.settings import NightlySettings
from training.nightly.work import Work
from training.progress import NO_STEPS
from training.svc import train_svc

ROUNDS = 2


@pytest.fixture
def own(site, knowledge, tmp_path, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    frozen.write(site.labels)
    return read([frozen.directory() / site.labels.name / "train.jsonl"], knowledge)


@pytest.fixture
def choices(own, site, knowledge, tmp_path):
    settings = NightlySettings(svc=SMALL, rounds=ROUNDS)
    seed = seed_labels(20)

    def of(labels=own, folds=None):
        folds = folds or folds_in(joined(seed, labels, settings, {}))
        work = Work(tmp_path / "work", {"labels": labels.digest()})
        return Choices(seed, labels, folds, site.labels, work, settings, knowledge, NO_STEPS)

    return of


def swapped(labels: LabelSet, named: set[str]) -> LabelSet:
    """Return the label set with other labels of some documents: each bears the next one's."""
    chosen = [one for one in labels.documents if one.id in named]
    following = dict(zip([d.id for d in chosen], [*chosen[1:], chosen[0]], strict=True))
    documents = []
    for one in labels.documents:
        if one.id in named:
            techniques = following[one.id].techniques
            bare = tuple(
                replace(s, techniques=frozenset(), unsure=techniques, certainty=())
                for s in one.sentences
            )
            one = replace(one, techniques=techniques, sentences=bare)
        documents.append(one)
    changed = {s.id: s for d in documents for s in d.sentences}
    examples = tuple(changed.get(one.id, one) for one in labels.examples)
    return replace(labels, documents=tuple(documents), examples=examples)


def test_what_stands_in_a_fold_has_no_say_in_what_its_scores_are_learned_from(own, choices):
    before = choices()
    folds = before.folds
    fold = folds[own.documents[0].id]
    absent = {one.id for one in own.documents if folds[one.id] == fold}
    assert len(absent) > 2
    after = choices(swapped(own, absent), folds)

    def said(choices: Choices, absent_fold: int | None) -> dict[str, object]:
        every = sentence_labels(choices.chosen(ROUNDS, absent_fold))
        return {name: labels for name, labels in every.items() if name not in absent}

    assert said(before, fold) == said(after, fold)
    # The check can fail: where the fold is there, it does have a say.
    assert said(choices(), None) != said(choices(swapped(own, absent), folds), None)


def test_a_fold_is_scored_by_what_was_learned_from_its_own_labels_of_the_others(own, knowledge):
    def without_new(one):
        return replace(
            one,
            techniques=one.techniques - {NEW},
            certainty=tuple(pair for pair in one.certainty if pair[0] != NEW),
        )

    blind = replace(own, examples=tuple(without_new(one) for one in own.examples))
    whole = train_svc(own, knowledge, SMALL)
    fold = next(whole.folds[one.id] for one in own.documents if NEW in one.techniques)
    other = train_svc(own, knowledge, SMALL, without={fold: blind})
    for number, recognizer in other.by_fold.items():
        learned = recognizer.sentences.weights[:, recognizer.sentences.labels.index(NEW)]
        assert (learned.nnz == 0) == (number == fold)
    column = other.recognizer.sentences.labels.index(NEW)
    assert other.recognizer.sentences.weights[:, column].nnz > 0


def test_a_training_that_was_broken_off_chooses_the_same(own, choices, site, knowledge):
    def train(made: Choices):
        return svc_in_rounds(
            made.seed, own, {}, site.labels, made.work, made.settings, knowledge, NO_STEPS
        )

    scores, chosen, _ = train(choices())
    folder = choices().work.directory
    pieces = sorted(path.name for path in folder.glob("*round-1.json"))
    assert len(pieces) == SMALL.folds + 1
    for name in ("round-1.json", "without-3-round-1.json", "svc.json"):
        (folder / name).unlink()
    again, same, _ = train(choices())
    assert sentence_labels(same) == sentence_labels(chosen)
    for name, recognition in scores.recognitions.items():
        found = again.recognitions[name]
        assert np.array_equal(
            found.sentence_scores.toarray(), recognition.sentence_scores.toarray()
        )


def test_verdicts_on_too_few_examples_to_learn_leave_the_first_choice(own, choices):
    first = next(one for one in own.documents if one.techniques == {NEW})
    alone = own.select(lambda one: one.document == first.id, lambda one: one.id == first.id)
    bare = replace(
        alone,
        documents=(replace(first, techniques=frozenset()),),
        examples=tuple(replace(s, techniques=frozenset(), certainty=()) for s in alone.examples),
    )
    for labels in (alone, bare):
        made = choices(labels)
        chosen = made.chosen(ROUNDS)
        said = [NEW in sentence.techniques for sentence in chosen.documents[0].sentences]
        assert sum(said) == len(labels.documents[0].techniques)
