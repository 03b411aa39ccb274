"""Train a release anew from seed data and verdicts: the other way beside adapting the champion."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.releases import Release
from training.adapt.recommenders import refit
from training.assemble import assemble, fit
from training.encoder.kept import digest_of
from training.fusion import FusionSettings
from training.labels import LabelledDocument, LabelSet, document_folds, drop_near_duplicates, read
from training.labels.verdicts import FrozenLabels, frozen
from training.labels.verdicts.again import choose_again, every_sentence
from training.nightly.encoders import ENCODER, Encoders, checkpoint_of, learned_before
from training.nightly.settings import NightlySettings
from training.nightly.work import Work
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS, Steps
from training.svc import Counted, cross_validated, train_svc

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

# With more sentences of judged reports the champion's choice is gone by: rounds would take hours.
ROUNDS_UP_TO = 50_000
TEST_SHARE = 5  # One document in so many is the test set.
SVC = "svc"


@dataclass(frozen=True)
class Seed:
    """Seed data with its test set taken out.

    Attributes
    ----------
    labels : LabelSet
        To train on.
    test : tuple of LabelledDocument
        Always the same documents of the same data.
    digest : str
        Names data and test set.
    """

    labels: LabelSet
    test: tuple[LabelledDocument, ...]
    digest: str


def read_seed(settings: NightlySettings, knowledge: Knowledge) -> Seed | None:
    """Read the seed data; None where there is none.

    What a given encoder has learned from is never in the test set.
    """
    if not settings.data:
        return None
    return seed_of(read(settings.data, knowledge), learned_before(settings))


def seed_of(labels: LabelSet, known: Collection[str] = ()) -> Seed:
    """Take the test set out of labels.

    It is chosen by the documents' ids alone, so that it never changes: who is in it stays in it,
    whatever is added.

    Parameters
    ----------
    labels : LabelSet
    known : collection of str
        Documents that may not be in it.
    """
    test = frozenset(
        d.id for d in labels.documents if d.sentences and _is_test(d.id) and d.id not in known
    )
    kept = labels.select(
        lambda example: example.document not in test, lambda document: document.id not in test
    )
    tested = tuple(document for document in labels.documents if document.id in test)
    named = "\n".join([labels.digest(), *sorted(test)])
    digest = hashlib.sha256(named.encode()).hexdigest()
    return Seed(_without_repeats(kept, tested), tested, digest)


def _without_repeats(labels: LabelSet, test: Sequence[LabelledDocument]) -> LabelSet:
    """Leave out sentences that repeat one of the test set, such as a quotation in another report.

    Their documents keep them: what is no example is scored, but not learned from.
    """
    return replace(labels, examples=drop_near_duplicates(labels.examples, test))


def _is_test(name: str) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % TEST_SHARE == 0


def retrain(
    champion: Release,
    seed: Seed,
    labels: FrozenLabels,
    directory: Path,
    created: datetime,
    settings: NightlySettings,
    knowledge: Knowledge,
    *,
    parts: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    steps: Steps = NO_STEPS,
) -> Release:
    """Train svc, fusion and recommenders, and the encoder where there is one and it is time.

    Interrupted, it goes on where it was when called again with the same arguments.

    Parameters
    ----------
    champion : Release
        Its rows of recommenders are gone on from.
    seed : Seed
    labels : FrozenLabels
    directory : Path
        Of the release.
    created : datetime
    settings : NightlySettings
    knowledge : Knowledge
    parts : Path, optional
        Where what is finished is kept until all is; beside the release by default.
    tell : callable
        Told in a sentence what becomes of the encoder.
    steps : Steps
    """
    parts = parts or directory.with_name(f"{directory.name}-parts")
    encoders = Encoders(settings, labels, created, knowledge, tell, steps)
    own = read([frozen.directory() / labels.name / "train.jsonl"], knowledge)
    own = _without_repeats(own, seed.test)
    documents = (*seed.labels.documents, *own.documents)
    folds = encoders.look({document.id for document in documents if document.sentences})
    work = Work(parts, _identity(champion, seed, labels, created, settings))
    svc, own = _svc(seed.labels, own, folds, labels, work, settings, knowledge, steps)
    together = _together(seed.labels, own, settings, folds)
    scores = {SVC: svc}
    part = encoders.part(together, parts / "encoder")
    if part is not None:
        scores[ENCODER] = encoders.scores(part, together.documents, svc.folds)
        shutil.rmtree(parts / "recognizers" / ENCODER, ignore_errors=True)
        shutil.copytree(part / "recognizers" / ENCODER, parts / "recognizers" / ENCODER)
    elif ENCODER in champion.manifest.recognizers:
        tell(
            f"The release trained anew has no encoder, though {champion.name} has one: give "
            "--checkpoint, or --part."
        )
    fusion = FusionSettings()
    fitted = fit(together, scores, knowledge, fusion, steps=steps)
    shutil.rmtree(parts / "recommenders", ignore_errors=True)
    refit(champion, labels.train, parts / "recommenders", knowledge, steps=steps)
    recommenders = _recommenders(champion, parts)
    about = {
        "base": directory.name,
        "base_data": seed.digest,
        "labels": labels.name,
        "digest": labels.digest,
        "documents": len(labels.train),
        "verdicts": labels.counts.verdicts,
        "judged": labels.about.get("judged"),
        "test": seed.digest,
        **({ENCODER: encoders.about} if encoders.about else {}),
    }
    default = champion.manifest.default_recommender
    return assemble(
        directory,
        [parts],
        fitted,
        together,
        knowledge,
        fusion,
        created,
        {},
        recommenders,
        default if default in recommenders else None,
        {"verdicts": about},
    )


def _identity(
    champion: Release,
    seed: Seed,
    labels: FrozenLabels,
    created: datetime,
    settings: NightlySettings,
) -> dict[str, Any]:
    """Return all that decides what is trained; an encoder's checkpoints name their base too."""
    checkpoint = checkpoint_of(settings)
    given = [digest_of(path) for path in (checkpoint, settings.part) if path and path.is_dir()]
    return {
        "champion": champion.digest,
        "seed": seed.digest,
        "labels": labels.digest,
        "created": created.isoformat(),
        "settings": settings.model_dump(mode="json", exclude={"budget_minutes", "resume_hours"}),
        "given": given,
    }


def _svc(
    seed: LabelSet,
    own: LabelSet,
    folds: Mapping[str, int],
    labels: FrozenLabels,
    work: Work,
    settings: NightlySettings,
    knowledge: Knowledge,
    steps: Steps,
) -> tuple[OutOfFold, LabelSet]:
    """Train the svc in rounds; return its scores, and the site's labels as the last one took them.

    Each round is kept when it is done, so that an interruption costs one.
    """
    rounds = settings.rounds if len(own.examples) <= ROUNDS_UP_TO else 1
    if rounds > 1:
        own = every_sentence(own)
    counted = Counted()
    for number in range(1, rounds):
        name = f"round-{number}.json"
        if (chosen := work.get(name)) is None:
            together = _together(seed, own, settings, folds)
            seen = cross_validated(
                together, knowledge, settings.svc, wholes=False, counted=counted, steps=steps
            )
            found = {one.id: seen.score(one) for one in own.documents if one.id in seen.folds}
            again = choose_again(own, labels.train, found, settings.verdicts)
            work.put(name, chosen := sentence_labels(again))
        own = with_sentence_labels(own, chosen)
    if work.get(f"{SVC}.json") is None:
        together = _together(seed, own, settings, folds)
        trained = train_svc(together, knowledge, settings.svc, counted=counted, steps=steps)
        trained.recognizer.save(work.directory / "recognizers" / SVC)
        recognitions = {document.id: trained.score(document) for document in trained.documents}
        OutOfFold(SVC, recognitions, trained.folds).save(work.directory)
        work.put(f"{SVC}.json", len(recognitions))
    return OutOfFold.load(work.directory, SVC), own


def _together(
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


def sentence_labels(labels: LabelSet) -> dict[str, list[list[list[str]]]]:
    """Return, by document, what each sentence shows and what is unsure of it, as JSON has it."""
    return {
        document.id: [[sorted(s.techniques), sorted(s.unsure)] for s in document.sentences]
        for document in labels.documents
    }


def with_sentence_labels(
    labels: LabelSet, chosen: Mapping[str, Sequence[Sequence[Sequence[str]]]]
) -> LabelSet:
    """Return the label set with what `sentence_labels` gave of the same documents."""
    documents = []
    for document in labels.documents:
        pairs = zip(document.sentences, chosen[document.id], strict=True)
        sentences = tuple(
            replace(one, techniques=frozenset(shown), unsure=frozenset(unsure))
            for one, (shown, unsure) in pairs
        )
        documents.append(replace(document, sentences=sentences))
    changed = {one.id: one for document in documents for one in document.sentences}
    examples = tuple(changed.get(example.id, example) for example in labels.examples)
    return replace(labels, examples=examples, documents=tuple(documents))


def _recommenders(champion: Release, parts: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of those there are; what could not be fitted again is taken over."""
    for name in champion.manifest.recommenders:
        target = parts / "recommenders" / name
        folder = champion.directory(f"recommenders/{name}")
        if folder is not None and not target.is_dir():
            shutil.copytree(folder, target)
    return {name: dict(value) for name, value in champion.manifest.recommenders.items()}
