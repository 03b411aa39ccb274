"""Write a release that is another one with what verdicts taught on top."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import TrainingDataError
from engine.fusion.adaptation import ARRAYS, SETTINGS
from engine.releases import (
    Manifest,
    ManifestDraft,
    OperatingPoint,
    Release,
    TrainingData,
    TrainingSource,
    write_release,
)
from training.adapt.fit import Adapted, fit_adaptation
from training.adapt.recommenders import refit
from training.adapt.settings import AdaptSettings
from training.adapt.thresholds import moved_points
from training.labels.verdicts import frozen
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from training.labels.verdicts.types import FrozenLabels, JudgedDocument
    from training.readings import Reader, Reading

OWN_LICENCE = "verdicts of this site"
SOURCE = "verdicts"
# In a manifest: the label set that the release was trained anew on, or the one it is adapted from.
BASE_LABELS = "base_labels"


@dataclass(frozen=True)
class Adapting:
    """What is adapted, with what.

    Attributes
    ----------
    reader : Reader
        Of the release to adapt; what that one learned from verdicts before is learned anew.
    labels : FrozenLabels
    knowledge : Knowledge
    settings : AdaptSettings
    """

    reader: Reader
    labels: FrozenLabels
    knowledge: Knowledge
    settings: AdaptSettings

    @property
    def release(self) -> Release:
        """The release to adapt."""
        return self.reader.engine.release


def adapt(
    given: Adapting,
    directory: Path,
    created: datetime,
    *,
    readings: Sequence[Reading] | None = None,
    steps: Steps = NO_STEPS,
) -> tuple[Release, Adapted]:
    """Write an adapted release into ``directory``, whose name becomes the release's.

    Parameters
    ----------
    given : Adapting
    directory : Path
    created : datetime
    readings : sequence of Reading, optional
        Of the documents to train on, where they were read already.
    steps : Steps

    Raises
    ------
    TrainingDataError
        If there is too little to learn from, or the directory exists.
    """
    if directory.exists():
        raise TrainingDataError(f"{directory} exists already. Choose another name.")
    fresh = new_to_base(given.release.manifest, given.labels.train)
    if given.labels.train and not fresh:
        raise TrainingDataError(
            f"{given.release.name} was trained anew on all {len(given.labels.train)} judged "
            "reports, so there is nothing yet to adapt it to."
        )
    documents = sorted(fresh, key=lambda d: d.judged.at, reverse=True)
    documents = sorted(documents[: given.settings.most_documents], key=lambda d: d.key)
    if readings is None:
        with steps.step("Read documents", len(documents)) as advance:
            readings = list(given.reader.read((d.document for d in documents), advance))
    found = fit_adaptation(documents, readings, given.reader, given.settings, steps=steps)
    _copy(given.release, directory)
    if found.adaptation is not None:
        found.adaptation.save(directory / "fusion")
    new = directory / "recommenders.new"
    names = refit(given.release, given.labels.train, new, given.knowledge, steps=steps)
    for name in names:
        shutil.rmtree(directory / "recommenders" / name)
        shutil.move(new / name, directory / "recommenders" / name)
    shutil.rmtree(new, ignore_errors=True)
    old = given.release.manifest.operating_points
    points = moved_points(old, documents, found.held, given.reader.base.space)
    draft = _draft(given, directory.name, created, found, names, points)
    return write_release(directory, draft), found


def new_to_base(
    manifest: Manifest, documents: Sequence[JudgedDocument]
) -> tuple[JudgedDocument, ...]:
    """Return the documents that what is adapted has not learned from.

    Of those that it was trained anew on it is surer than it will be of any other report, and what
    is learned on top would take that for right.
    """
    about = manifest.figures.get("verdicts")
    name = about.get(BASE_LABELS) if isinstance(about, Mapping) else None
    if name is None:
        return tuple(documents)
    learned = frozen.trained_on(str(name))
    if learned is None:
        # The set is gone: only what was judged after the release was made is surely new to it.
        return tuple(one for one in documents if one.judged.at > manifest.created)
    return tuple(one for one in documents if one.key not in learned)


def _copy(release: Release, directory: Path) -> None:
    for name in release.manifest.files:
        if name not in (f"fusion/{ARRAYS}", f"fusion/{SETTINGS}"):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(release.path / name, target)


def _draft(
    given: Adapting,
    name: str,
    created: datetime,
    found: Adapted,
    recommenders: tuple[str, ...],
    points: Mapping[str, OperatingPoint],
) -> ManifestDraft:
    old, labels = given.release.manifest, given.labels
    own = () if found.adaptation is None else found.adaptation.techniques
    sources = tuple(source for source in old.training_data.sources if source.name != SOURCE)
    about = old.figures.get("verdicts")
    base = about if isinstance(about, Mapping) else {}
    base_hash = str(base.get("base_data", old.training_data.hash))
    recognizers: dict[str, dict[str, Any]] = {n: dict(s) for n, s in old.recognizers.items()}
    source = given.reader.source
    if source is not None:
        recognizers[source] = {**recognizers[source], "features": True}
    return ManifestDraft(
        name=name,
        created=created,
        attack_version=given.knowledge.version,
        techniques=tuple(sorted({*old.techniques, *own})),
        recognizers=recognizers,
        recommenders=dict(old.recommenders),
        default_recommender=old.default_recommender,
        operating_points=dict(points),
        training_data=TrainingData(
            hash=hashlib.sha256(f"{base_hash}{labels.digest}".encode()).hexdigest(),
            sources=(
                *sources,
                TrainingSource(name=SOURCE, licence=OWN_LICENCE, records=len(labels.train)),
            ),
        ),
        figures={
            **old.figures,
            "verdicts": {
                "base": base.get("base", given.release.name),
                "base_data": base_hash,
                **({BASE_LABELS: base[BASE_LABELS]} if BASE_LABELS in base else {}),
                **({"test": base["test"]} if "test" in base else {}),
                "labels": labels.name,
                "digest": labels.digest,
                "documents": len(labels.train),
                "verdicts": labels.counts.verdicts,
                "judged": labels.about.get("judged"),
                "strength": found.strength,
                "losses": {key: round(value, 6) for key, value in found.losses.items()},
                "techniques": list(own),
                "recommenders": list(recommenders),
            },
        },
    )
