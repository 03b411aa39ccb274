"""Train a release anew from seed data and verdicts: the other way beside adapting the champion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.releases import Release
from training.adapt.recommenders import refit
from training.adapt.release import BASE_LABELS
from training.assemble import assemble, fit
from training.encoder.kept import digest_of
from training.fusion import FusionSettings
from training.labels import read
from training.labels.verdicts import FrozenLabels, frozen
from training.nightly.encoders import ENCODER, Encoders, checkpoint_of
from training.nightly.rounds import SVC, joined, svc_in_rounds
from training.nightly.seed import Seed, without_repeats
from training.nightly.settings import NightlySettings
from training.nightly.work import Work
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge


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
    own = without_repeats(own, seed.test)
    documents = (*seed.labels.documents, *own.documents)
    folds = encoders.look({document.id for document in documents if document.sentences})
    work = Work(parts, _identity(champion, seed, labels, created, settings))
    svc, own, others = svc_in_rounds(
        seed.labels, own, folds, labels, work, settings, knowledge, steps
    )
    together = joined(seed.labels, own, settings, folds)
    scores = {SVC: svc}
    part = encoders.part(together, parts / "encoder", others)
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
        BASE_LABELS: labels.name,
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


def _recommenders(champion: Release, parts: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of those there are; what could not be fitted again is taken over."""
    for name in champion.manifest.recommenders:
        target = parts / "recommenders" / name
        folder = champion.directory(f"recommenders/{name}")
        if folder is not None and not target.is_dir():
            shutil.copytree(folder, target)
    return {name: dict(value) for name, value in champion.manifest.recommenders.items()}
