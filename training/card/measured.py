"""Boil a cross-validation down to what a card shows, to be kept in the release.

The page can then be made on any machine and at any time, without the training data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from engine.errors import ReleaseError
from engine.releases import Release
from training.card.content import (
    Bin,
    CurvePoint,
    Measured,
    PrecisionRecall,
    Reliability,
    TechniqueFigures,
)
from training.evaluation import Interval, bootstrap, curve, expected_calibration_error, metrics
from training.fusion.crossval import CrossValidation, Held
from training.fusion.operating_points import GRID, Counts, thresholds
from training.fusion.settings import FusionSettings

MEASURED: Final = "measured.json"
BINS: Final = 10
DIGITS: Final = 4


def measure(held: CrossValidation, settings: FusionSettings, seed: int = 0) -> Measured:
    """Return the figures of a card, with intervals over documents."""
    drawn = bootstrap.multiplicities(len(held.documents), seed=seed)
    return Measured(
        documents=len(held.documents),
        pairs=sum(len(one.columns) for one in held.documents),
        reliability=_reliability(held, settings, drawn),
        precision_recall=_precision_recall(held),
        techniques=_by_technique(held, settings, drawn),
        tactic_micro_f1=_tactics(held),
    )


def save(measured: Measured, directory: Path) -> None:
    """Write into the directory of a release that is being made."""
    text = measured.model_dump_json(indent=1) + "\n"
    (directory / MEASURED).write_text(text, encoding="utf-8")


def load(release: Release) -> Measured | None:
    """Read what `save` wrote; None where the release was made without.

    Raises
    ------
    ReleaseError
        If the file says something else than this version understands.
    """
    if MEASURED not in release.manifest.files:
        return None
    try:
        return Measured.model_validate_json((release.path / MEASURED).read_bytes())
    except (OSError, ValidationError) as error:
        raise ReleaseError(
            f"{release.path / MEASURED} cannot be read ({error}). Upgrade ttpscribe if a newer "
            "one made the release; else fetch the release again."
        ) from error


def _described(one: Held) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return one.document[~one.named], one.document_truth[~one.named]


def _reliability(
    held: CrossValidation, settings: FusionSettings, drawn: NDArray[np.int64]
) -> Reliability:
    totals = np.zeros((len(held.documents), BINS, 3))  # count, sum of probabilities, right
    for row, one in enumerate(held.documents):
        probability, truth = _described(one)
        which = np.minimum((probability * BINS).astype(np.intp), BINS - 1)
        totals[row, :, 0] = np.bincount(which, minlength=BINS)
        totals[row, :, 1] = np.bincount(which, probability, minlength=BINS)
        totals[row, :, 2] = np.bincount(which[truth], minlength=BINS)
    count, said, right = totals.sum(axis=0).T
    again = np.einsum("rd,dbc->rbc", drawn, totals)
    rates = again[:, :, 2] / np.maximum(again[:, :, 0], 1)
    low, high = np.quantile(rates, [0.025, 0.975], axis=0)
    bins = tuple(
        Bin(
            mean=_round(said[place] / count[place]),
            rate=_round(right[place] / count[place]),
            low=_round(low[place]),
            high=_round(high[place]),
            count=int(count[place]),
        )
        for place in range(BINS)
        if count[place]
    )
    pairs = [_described(one) for one in held.documents]
    probability = np.concatenate([pair[0] for pair in pairs])
    truth = np.concatenate([pair[1] for pair in pairs])
    at, _ = thresholds(Counts.of(held), settings)["balanced"]
    shown = probability >= GRID[at] * settings.suggest_share
    return Reliability(
        bins=bins,
        error=_round(expected_calibration_error(truth, probability)),
        error_by_width=_round(expected_calibration_error(truth, probability, binning="width")),
        error_shown=(
            _round(expected_calibration_error(truth[shown], probability[shown]))
            if shown.any()
            else None
        ),
    )


def _precision_recall(held: CrossValidation) -> PrecisionRecall | None:
    pairs = [_described(one) for one in held.documents]
    truth = np.concatenate([pair[1] for pair in pairs])
    if not truth.any():
        return None
    right, wrong, missed = Counts.of(held).described.sum(axis=0).T
    points = tuple(
        CurvePoint(
            threshold=float(GRID[place]),
            precision=_round(right[place] / (right[place] + wrong[place])),
            recall=_round(right[place] / (right[place] + missed[place])),
        )
        for place in range(len(GRID))
        if right[place] + wrong[place]
    )
    area = curve(truth, np.concatenate([pair[0] for pair in pairs])).average_precision
    return PrecisionRecall(points=points, average_precision=_round(area))


def _by_technique(
    held: CrossValidation, settings: FusionSettings, drawn: NDArray[np.int64]
) -> tuple[TechniqueFigures, ...]:
    """Count by document and technique, each at the threshold that the other folds chose."""
    counts = np.zeros((len(held.documents), len(held.space.techniques), 3), dtype=np.int8)
    at = {}
    for fold in held.folds:
        rest = held.without(fold)
        chosen = thresholds(Counts.of(rest if rest.documents else held), settings)
        at[fold] = float(GRID[chosen["balanced"][0]])
    for row, one in enumerate(held.documents):
        said, shown = one.document >= at[one.fold] - 1e-7, one.document_truth
        counts[row, one.columns] = np.stack([said & shown, said & ~shown, ~said & shown], axis=1)
    totals = counts.sum(axis=0, dtype=np.int64)
    found = []
    for column in np.flatnonzero(totals[:, 0] + totals[:, 2]):
        again = metrics.f1_of(drawn @ counts[:, column].astype(np.int64))
        low, high = np.quantile(again, [0.025, 0.975])
        score = metrics.Score(*totals[column].tolist())
        found.append(
            TechniqueFigures(
                technique=held.space.techniques[column],
                support=score.support,
                precision=_round(score.precision),
                recall=_round(score.recall),
                f1=Interval(_round(score.f1), _round(low), _round(high)),
            )
        )
    return tuple(found)


def _tactics(held: CrossValidation) -> float | None:
    pairs = [pair for one in held.documents for pair in one.tactics.values()]
    if not pairs:
        return None
    truth = np.array([shown for _, shown in pairs])
    found = np.array([probability >= 0.5 for probability, _ in pairs])
    total = int(truth.sum() + found.sum())
    return _round(2 * int((truth & found).sum()) / max(total, 1))


def _round(value: float) -> float:
    return round(float(value), DIGITS)
