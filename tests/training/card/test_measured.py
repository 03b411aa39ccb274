"""What is kept of a cross-validation agrees with the figures that the manifest states."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ReleaseError
from engine.releases import Release
from training.assemble import Fitted
from training.card import measure
from training.card.measured import MEASURED, load
from training.evaluation import expected_calibration_error
from training.fusion import FusionSettings


def test_the_release_keeps_what_was_measured_under_its_hash(
    release: Release, fitted: Fitted
) -> None:
    assert MEASURED in release.manifest.files
    assert load(release) == measure(fitted.held, FusionSettings())


def test_bins_hold_every_described_pair_and_agree_with_the_error(fitted: Fitted) -> None:
    held = fitted.held
    found = measure(held, FusionSettings()).reliability
    probability = np.concatenate([d.document[~d.named] for d in held.documents])
    truth = np.concatenate([d.document_truth[~d.named] for d in held.documents])
    assert sum(part.count for part in found.bins) == len(truth)
    by_width = sum(part.count * abs(part.mean - part.rate) for part in found.bins) / len(truth)
    assert found.error_by_width == pytest.approx(by_width, abs=1e-3)
    assert found.error == pytest.approx(expected_calibration_error(truth, probability), abs=1e-4)
    assert all(part.low <= part.rate <= part.high for part in found.bins)


def test_the_curve_runs_through_the_pooled_operating_point(fitted: Fitted) -> None:
    curve = measure(fitted.held, FusionSettings()).precision_recall
    assert curve is not None
    recalls = [point.recall for point in curve.points]
    assert recalls == sorted(recalls, reverse=True)
    at = next(point for point in curve.points if point.threshold == 0.5)
    said = np.concatenate([d.document[~d.named] for d in fitted.held.documents]) >= 0.5
    truth = np.concatenate([d.document_truth[~d.named] for d in fitted.held.documents])
    assert at.precision == pytest.approx(truth[said].mean(), abs=1e-4)
    assert at.recall == pytest.approx(said[truth].mean(), abs=1e-4)


def test_techniques_add_up_to_the_figures_of_all_pairs(release: Release, fitted: Fitted) -> None:
    found = measure(fitted.held, FusionSettings()).techniques
    assert [one.technique for one in found] == sorted(one.technique for one in found)
    right = sum(one.recall * one.support for one in found)
    recall = release.manifest.figures["balanced"]["document_recall"]
    assert right / sum(one.support for one in found) == pytest.approx(recall, abs=2e-3)
    assert all(one.f1.low <= one.f1.value <= one.f1.high for one in found)


def test_a_release_without_or_with_a_newer_file_is_told_apart(
    release: Release, tmp_path: Path
) -> None:
    old = shutil.copytree(release.path, tmp_path / "small")
    manifest = json.loads((old / "manifest.json").read_text())
    kept = manifest["files"].pop(MEASURED)
    (old / MEASURED).unlink()
    (old / "manifest.json").write_text(json.dumps(manifest))
    assert load(Release.open(old)) is None

    import hashlib

    newer = b'{"documents": 1, "from_the_future": true}'
    (old / MEASURED).write_bytes(newer)
    manifest["files"][MEASURED] = kept | {
        "bytes": len(newer),
        "sha256": hashlib.sha256(newer).hexdigest(),
    }
    (old / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ReleaseError, match="Upgrade ttpscribe"):
        load(Release.open(old))
