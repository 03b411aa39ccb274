"""Join trained parts into a release: fit the fusion on their out-of-fold scores, write it all."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.documents import from_sentences
from engine.errors import TrainingDataError
from engine.fusion import Fusion
from engine.fusion.alignment import LabelSpace
from engine.recognizers.commands import CommandRecognizer
from engine.recognizers.explicit import ExplicitRecognizer
from engine.releases import (
    ManifestDraft,
    Release,
    TrainingData,
    TrainingSource,
    write_release,
)
from training.card.measured import measure, save
from training.fusion import (
    CrossValidation,
    FusionSettings,
    ScoredDocument,
    cross_validate,
    fit_fusion,
)
from training.fusion.operating_points import figures, operating_points
from training.labels import LabelSet
from training.out_of_fold import OutOfFold, recognizers_in
from training.progress import NO_STEPS, Steps
from training.unknown_words import known_words, usual_share

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

LICENCES = {
    "tram2": "Apache-2.0",
    "tram2-spans": "Apache-2.0",
    "tram1": "Apache-2.0",
    "tram1-negatives": "Apache-2.0",
    "ttpm-expert": "CC-BY-4.0",
    "ttpm-derived": "CC-BY-4.0",
    "attack-flow": "Apache-2.0",
    "attack-procedures": "ATT&CK terms of use",
    "attack-techniques": "ATT&CK terms of use",
    "kev": "Apache-2.0",
    "smet": "MIT",
    "sigma": "DRL-1.1",
    "splunk": "Apache-2.0",
    "atomic": "MIT",
}
OWN_LICENCE = "not stated"
SVC = "svc"
UNTRAINED = (ExplicitRecognizer.name, CommandRecognizer.name)


@dataclass(frozen=True)
class Fitted:
    """A fusion, and the cross-validation that its figures and thresholds come from."""

    fusion: Fusion
    held: CrossValidation
    recognizers: tuple[str, ...]


def gather(parts: Iterable[Path]) -> dict[str, OutOfFold]:
    """Read the out-of-fold scores of all recognizers in the given directories.

    Raises
    ------
    TrainingDataError
        If two directories hold the same recognizer.
    """
    found: dict[str, OutOfFold] = {}
    for part in parts:
        for name in recognizers_in(part):
            if name in found:
                raise TrainingDataError(
                    f"Two of the given directories hold the recognizer {name}. Give one of them."
                )
            found[name] = OutOfFold.load(part, name)
    return found


def scored_documents(
    labels: LabelSet, scores: Mapping[str, OutOfFold], knowledge: Knowledge
) -> list[ScoredDocument]:
    """Return the documents that every trained recognizer scored out of fold, the others added.

    Those that learn nothing, `ExplicitRecognizer` and `CommandRecognizer`, have no fold.

    Raises
    ------
    TrainingDataError
        If no document was scored by all, or their sentences differ from the label set's.
    """
    untrained = (ExplicitRecognizer(knowledge), CommandRecognizer(knowledge))
    result = []
    for gold in labels.documents:
        if not scores or any(gold.id not in one.recognitions for one in scores.values()):
            continue
        document = from_sentences([sentence.text for sentence in gold.sentences], gold.id)
        own = [one.recognitions[gold.id] for one in scores.values()]
        if any(one.sentence_scores.shape[0] != len(document.sentences) for one in own):
            raise TrainingDataError(
                f"The scores of document {gold.id} do not fit its sentences: the recognizers "
                "were trained on other data. Train them again on the data given here."
            )
        folds = {one.folds[gold.id] for one in scores.values()}
        if len(folds) > 1:
            raise TrainingDataError(
                f"The recognizers held document {gold.id} out in different folds "
                f"({sorted(folds)}), so their scores cannot be stacked. Train them with the same "
                "data and seed."
            )
        own += [recognizer.recognize(document) for recognizer in untrained]
        result.append(ScoredDocument(document, tuple(own), gold, folds.pop()))
    if not result:
        raise TrainingDataError(
            "No document was scored out of fold by all recognizers, so nothing can be "
            "calibrated. Give labelled documents with their sentences (docs/training-data.md)."
        )
    return result


def space_of(documents: Iterable[ScoredDocument], knowledge: Knowledge) -> LabelSpace:
    """Return the techniques that the fusion learns to weigh.

    Not those that commands alone can find: that recognizer is taken at its word.
    """
    found = {
        technique
        for one in documents
        for recognition in one.recognitions
        if recognition.recognizer != CommandRecognizer.name
        for technique in recognition.techniques
    }
    return LabelSpace.of(found, knowledge)


def fit(
    labels: LabelSet,
    scores: Mapping[str, OutOfFold],
    knowledge: Knowledge,
    settings: FusionSettings,
    *,
    steps: Steps = NO_STEPS,
) -> Fitted:
    """Cross-validate the fusion of the recognizers' scores, then fit it on all documents."""
    documents = scored_documents(labels, scores, knowledge)
    names = tuple(sorted(scores, key=lambda name: (name != SVC, name)))
    space = space_of(documents, knowledge)
    counts = Counter(
        technique
        for example in labels.examples
        for technique in knowledge.with_parents(example.techniques)
    )
    held = cross_validate(documents, names, space, counts, knowledge, settings, steps=steps)
    with steps.step("Fit the fusion", 1):
        fusion = fit_fusion(documents, names, space, counts, knowledge, settings)
    return Fitted(fusion, held, names)


def assemble(
    directory: Path,
    parts: Sequence[Path],
    fitted: Fitted,
    labels: LabelSet,
    knowledge: Knowledge,
    settings: FusionSettings,
    created: datetime,
    recognizer_settings: Mapping[str, Mapping[str, Any]],
    recommenders: Mapping[str, Mapping[str, Any]],
    default_recommender: str | None,
    more_figures: Mapping[str, Any],
) -> Release:
    """Write a release into ``directory``, whose name becomes the release's.

    Raises
    ------
    TrainingDataError
        If the directory exists.
    """
    if directory.exists():
        raise TrainingDataError(f"{directory} exists already. Choose another name.")
    directory.mkdir(parents=True)
    for part in parts:
        for folder in ("recognizers", "recommenders"):
            if (part / folder).is_dir():
                shutil.copytree(part / folder, directory / folder, dirs_exist_ok=True)
    fitted.fusion.save(directory / "fusion")
    save(measure(fitted.held, settings), directory)
    used = Counter(example.source for example in labels.examples)
    draft = ManifestDraft(
        name=directory.name,
        created=created,
        attack_version=knowledge.version,
        techniques=fitted.fusion.space.techniques,
        recognizers={
            name: dict(recognizer_settings.get(name, {}))
            for name in (*UNTRAINED, *fitted.recognizers)
        },
        recommenders={name: dict(value) for name, value in recommenders.items()},
        default_recommender=default_recommender,
        operating_points=operating_points(fitted.held, settings),
        training_data=TrainingData(
            hash=labels.digest(),
            sources=tuple(
                TrainingSource(name=name, licence=LICENCES.get(name, OWN_LICENCE), records=count)
                for name, count in sorted(used.items())
            ),
        ),
        figures={
            **figures(fitted.held, settings),
            **_unknown_words(directory / "recognizers" / SVC, labels),
            **more_figures,
        },
    )
    return write_release(directory, draft)


def _unknown_words(svc: Path, labels: LabelSet) -> dict[str, float]:
    """Return the figure that the unknown words of incoming reports are held against."""
    share = usual_share(labels, known_words(svc)) if svc.is_dir() else None
    return {} if share is None else {"unknown_words": round(share, 4)}
