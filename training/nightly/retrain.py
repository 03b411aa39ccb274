"""Train a release anew from seed data and verdicts: the other way beside adapting the champion."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.documents import from_sentences
from engine.errors import TrainingDataError
from engine.releases import Release
from training.adapt.recommenders import refit
from training.assemble import assemble, fit
from training.fusion import FusionSettings
from training.labels import LabelledDocument, LabelSet, document_folds, drop_near_duplicates, read
from training.labels.verdicts import FrozenLabels, frozen
from training.labels.verdicts.again import choose_again
from training.labels.verdicts.likeness import Likeness
from training.nightly.settings import NightlySettings
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS, Steps
from training.svc import Counted, cross_validated, train_svc

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.types import Recognition

# With more sentences of judged reports the champion's choice is gone by: rounds would take hours.
ROUNDS_UP_TO = 50_000
TEST_SHARE = 5  # One document in so many is the test set.
ENCODER = "encoder"


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

    The test set is chosen by the documents' ids alone, so that it never changes: who is in it
    stays in it, whatever is added.
    """
    if not settings.data:
        return None
    labels = read(settings.data, knowledge)
    test = frozenset(d.id for d in labels.documents if d.sentences and _is_test(d.id))
    kept = labels.select(
        lambda example: example.document not in test, lambda document: document.id not in test
    )
    tested = tuple(document for document in labels.documents if document.id in test)
    return Seed(_without_repeats(kept, tested), tested, labels.digest())


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
    warm_start: bool = False,
    steps: Steps = NO_STEPS,
) -> Release:
    """Train svc, fusion and recommenders, and the encoder where there is one to go on from.

    Parameters
    ----------
    champion : Release
        Its rows of recommenders are gone on from.
    seed : Seed
    labels : FrozenLabels
    directory : Path
        Of the release; what it is joined from lies beside it.
    created : datetime
    settings : NightlySettings
    knowledge : Knowledge
    warm_start : bool
        Train the encoder from the kept checkpoint.
    steps : Steps
    """
    parts = directory.with_name(f"{directory.name}-parts")
    shutil.rmtree(parts, ignore_errors=True)
    given = None if warm_start else settings.part
    scored = OutOfFold.load(given, ENCODER) if given is not None else None
    own = read([frozen.directory() / labels.name / "train.jsonl"], knowledge)
    own = _without_repeats(own, seed.test)
    rounds = settings.rounds if len(own.examples) <= ROUNDS_UP_TO else 1
    counted = Counted()
    together = _together(seed.labels, own, settings, scored)
    if rounds > 1:
        likeness = Likeness(own.documents, seed.labels.examples, knowledge)
        found: Mapping[str, Recognition] = {}
        for number in range(rounds):
            own = choose_again(own, labels.train, found, likeness)
            together = _together(seed.labels, own, settings, scored)
            if number + 1 < rounds:
                seen = cross_validated(
                    together, knowledge, settings.svc, wholes=False, counted=counted, steps=steps
                )
                found = {one.id: seen.score(one) for one in own.documents if one.id in seen.folds}
    trained = train_svc(together, knowledge, settings.svc, counted=counted, steps=steps)
    trained.recognizer.save(parts / "recognizers" / "svc")
    recognitions = {document.id: trained.score(document) for document in trained.documents}
    scores = {"svc": OutOfFold("svc", recognitions, trained.folds)}
    used = [parts]
    if warm_start:
        scores[ENCODER] = _warm_started(together, settings, parts, knowledge, steps)
    elif given is not None and scored is not None:
        scores[ENCODER] = _extended(scored, given, together, trained.folds, knowledge)
        shutil.copytree(given / "recognizers" / ENCODER, parts / "recognizers" / ENCODER)
    fusion = FusionSettings()
    fitted = fit(together, scores, knowledge, fusion, steps=steps)
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
    }
    default = champion.manifest.default_recommender
    return assemble(
        directory,
        used,
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


def _together(
    seed: LabelSet,
    own: LabelSet,
    settings: NightlySettings,
    scored: OutOfFold | None,
) -> LabelSet:
    """Join seed data and verdicts, each document with a fold that stays the same."""
    documents = [*seed.documents, *own.documents]
    usable = [document for document in documents if document.sentences]
    known: Mapping[str, int] = scored.folds if scored is not None else {}
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


def _extended(
    scored: OutOfFold,
    part: Path,
    together: LabelSet,
    folds: Mapping[str, int],
    knowledge: Knowledge,
) -> OutOfFold:
    """Add the documents that the encoder was not trained on: all it says of them is honest."""
    from engine.recognizers.encoder import EncoderRecognizer

    recognizer = EncoderRecognizer.load(part / "recognizers" / ENCODER, knowledge, {})
    found = dict(scored.recognitions)
    for document in together.documents:
        if document.id in folds and document.id not in found:
            texts = [sentence.text for sentence in document.sentences]
            found[document.id] = recognizer.recognize(from_sentences(texts, document.id))
    return OutOfFold(ENCODER, found, {**folds, **scored.folds})


def _warm_started(
    together: LabelSet,
    settings: NightlySettings,
    parts: Path,
    knowledge: Knowledge,
    steps: Steps,
) -> OutOfFold:
    """Train the encoder from the kept checkpoint, for an epoch on the sentences of documents."""
    from training.encoder import EncoderTrainingSettings, train_encoder

    if settings.checkpoint is None or not settings.checkpoint.is_dir():
        raise TrainingDataError(
            "A warm start needs the kept directory of a Hugging Face encoder: --checkpoint DIR. "
            "A release holds its encoder as ONNX only, which cannot be trained."
        )
    defaults = EncoderTrainingSettings()
    chosen = defaults.model_copy(
        update={
            "base": str(settings.checkpoint),
            "texts": defaults.texts.model_copy(update={"epochs": 0}),
            "sentences": defaults.sentences.model_copy(update={"epochs": 1}),
        }
    )
    found = train_encoder(together, knowledge, parts, chosen, cross_validate=True, steps=steps)
    return found.out_of_fold


def _recommenders(champion: Release, parts: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of those there are; what could not be fitted again is taken over."""
    for name in champion.manifest.recommenders:
        target = parts / "recommenders" / name
        folder = champion.directory(f"recommenders/{name}")
        if folder is not None and not target.is_dir():
            shutil.copytree(folder, target)
    return {name: dict(value) for name, value in champion.manifest.recommenders.items()}
