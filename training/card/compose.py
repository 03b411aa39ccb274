"""Put a card together: from a release and from what is known beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.releases import Manifest, Release
from training.card import measured as measurements
from training.card.content import (
    Card,
    Changes,
    Gate,
    Labels,
    LearningPoint,
    Measured,
    Part,
    Period,
    Point,
    Recommender,
    Source,
)
from training.card.statements import statements
from training.evaluation import Interval
from training.fusion.operating_points import NAMES

if TYPE_CHECKING:
    from engine.knowledge import Knowledge


@dataclass(frozen=True, slots=True, kw_only=True)
class CardInput:
    """What a card is made of. Everything but the release may be missing.

    Attributes
    ----------
    release : Release
    measured : Measured or None
        What cross-validation measured; None: as kept in the release.
    gate : Gate or None
        Whether the release was published, and why.
    changes : Changes or None
        Against the champion; `training.card.changes.changes` makes it of predictions.
    learning : tuple of LearningPoint
        Earlier releases and this one; `training.card.write.learning` makes it of the cards of
        earlier nights.
    drift : tuple of Period
        `training.card.drift.drift` makes it of verdicts and texts.
    labels : Labels or None
        The label set that the release was trained on.
    """

    release: Release
    measured: Measured | None = None
    gate: Gate | None = None
    changes: Changes | None = None
    learning: tuple[LearningPoint, ...] = ()
    drift: tuple[Period, ...] = ()
    labels: Labels | None = None


def compose(given: CardInput, knowledge: Knowledge) -> Card:
    """Return the card of a release."""
    release, manifest = given.release, given.release.manifest
    measured = given.measured or measurements.load(release)
    figures = manifest.figures
    card = Card(
        name=release.name,
        digest=release.digest,
        created=manifest.created,
        base=_base(manifest),
        attack_version=manifest.attack_version,
        techniques=len(manifest.techniques),
        recognizers=tuple(manifest.recognizers),
        default_recommender=manifest.default_recommender,
        parts=tuple(Part(name=name, bytes=size) for name, size in manifest.sizes.items()),
        gate=given.gate,
        points=_points(manifest),
        measured=measured,
        calibration_error=_number(figures.get("calibration_error")),
        documents=figures.get("documents") if isinstance(figures.get("documents"), int) else None,
        recommenders=_recommenders(manifest),
        changes=given.changes,
        learning=tuple(sorted(given.learning, key=lambda point: point.at)),
        drift=tuple(sorted(given.drift, key=lambda period: period.begin)),
        labels=given.labels,
        data_hash=manifest.training_data.hash,
        sources=tuple(
            Source(name=source.name, licence=source.licence, records=source.records)
            for source in manifest.training_data.sources
        ),
        use=statements(manifest, curated=given.labels is not None),
    )
    return card.model_copy(update={"names": _names(_spoken_of(card), knowledge)})


def _base(manifest: Manifest) -> str | None:
    about = manifest.figures.get("verdicts")
    base = str(about["base"]) if isinstance(about, Mapping) and "base" in about else None
    return None if base == manifest.name else base  # One trained anew was measured itself.


def _points(manifest: Manifest) -> tuple[Point, ...]:
    points = []
    for name, point in manifest.operating_points.items():
        found = manifest.figures.get(name)
        figures: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        points.append(
            Point(
                name=name,
                write_threshold=point.write_threshold,
                suggest_threshold=point.suggest_threshold,
                sentence_threshold=point.sentence_threshold,
                described_precision=point.expected_precision,
                described_recall=point.expected_recall,
                document_f1=_interval(figures.get("document_f1")),
                pair_f1=_interval(figures.get("document_micro_f1")),
                sentence_micro_f1=_interval(figures.get("sentence_micro_f1")),
                sentence_macro_f1=_number(figures.get("sentence_macro_f1")),
            )
        )
    usual = {name: place for place, name in enumerate(NAMES)}
    return tuple(sorted(points, key=lambda point: (usual.get(point.name, len(usual)), point.name)))


def _recommenders(manifest: Manifest) -> tuple[Recommender, ...]:
    found = manifest.figures.get("recommenders")
    if not isinstance(found, Mapping):
        return ()
    rows = []
    for name, figures in found.items():
        ndcg, recall = (_with_bounds(figures, measure) for measure in ("ndcg@20", "recall@20"))
        if ndcg is not None and recall is not None:
            default = name == manifest.default_recommender
            rows.append(Recommender(name=name, ndcg=ndcg, recall=recall, default=default))
    return tuple(sorted(rows, key=lambda row: -row.ndcg.value))


def _spoken_of(card: Card) -> Iterable[str]:
    if card.measured is not None:
        yield from (one.technique for one in card.measured.techniques)
    if card.changes is not None:
        yield from (change.technique for change in card.changes.changed)
    if card.labels is not None:
        doubts = (*card.labels.disagreements, *card.labels.suspicious)
        yield from (doubt.technique for doubt in doubts)


def _names(techniques: Iterable[str], knowledge: Knowledge) -> dict[str, str]:
    names = {}
    for technique in sorted(set(techniques)):
        found = knowledge.resolve(technique).technique
        if found is not None:
            names[technique] = found.name
    return names


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _interval(value: object) -> Interval | None:
    """Read ``[value, low, high]``, as the manifest's figures have it."""
    if isinstance(value, list) and len(value) == 3:
        return Interval(*map(float, value))
    return None


def _with_bounds(figures: object, measure: str) -> Interval | None:
    keys = (measure, f"{measure}_low", f"{measure}_high")
    if isinstance(figures, Mapping) and all(key in figures for key in keys):
        return Interval(*(float(figures[key]) for key in keys))
    return None
