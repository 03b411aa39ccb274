"""Nights that keep an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_verdicts import NOON, SMALL, site_reports

from engine.analysis import Engine
from engine.errors import TrainingDataError
from engine.knowledge import Knowledge
from engine.releases import Release
from training.encoder import EncoderTrainingSettings, train_encoder
from training.encoder.settings import Stage
from training.labels import LabelSet
from training.labels.verdicts import frozen
from training.nightly.retrain import Seed, retrain
from training.nightly.settings import NightlySettings


@pytest.fixture
def verdicts(site, tmp_path, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    frozen.write(site.labels)
    return site.labels


def serves(release: Release, knowledge: Knowledge) -> None:
    assert {"svc", "encoder"} <= set(release.manifest.recognizers)
    engine = Engine.open(Release.open(release.path), knowledge)
    analyses = [engine.analyse(report.document) for report in site_reports(3, seed=5, first=800)]
    assert any(analysis.findings for analysis in analyses)
    named = {e.recognizer for a in analyses for f in a.findings for e in f.evidence}
    assert named <= {"svc", "encoder", "explicit", "commands"}


def test_an_encoder_trained_before_is_kept_and_scores_the_reports_of_the_site(
    site, verdicts, labels: LabelSet, tiny_base: Path, knowledge: Knowledge, tmp_path: Path
):
    part = tmp_path / "part"
    stage = Stage(epochs=1, learning_rate=3e-3, head_learning_rate=3e-2, alignment=0.1)
    small = EncoderTrainingSettings(
        base=str(tiny_base), texts=stage, sentences=stage, max_tokens=32, precision="float32",
        threads=1, min_examples=4,
    )  # fmt: skip
    train_encoder(labels, knowledge, part, small, cross_validate=True).out_of_fold.save(part)
    settings = NightlySettings(part=part, svc=SMALL, rounds=2)

    release = retrain(
        site.release, Seed(labels, (), "seed"), verdicts, tmp_path / "n", NOON, settings, knowledge
    )

    serves(release, knowledge)
    kept = "recognizers/encoder"
    for path in (part / kept).iterdir():
        assert (release.path / kept / path.name).read_bytes() == path.read_bytes()


def test_a_warm_start_without_the_kept_directory_says_what_it_needs(
    site, verdicts, labels: LabelSet, knowledge: Knowledge, tmp_path: Path
):
    settings = NightlySettings(checkpoint=tmp_path / "none", svc=SMALL, rounds=1)
    with pytest.raises(TrainingDataError, match="--checkpoint DIR"):
        retrain(
            site.release, Seed(labels, (), "seed"), verdicts, tmp_path / "n", NOON, settings,
            knowledge, warm_start=True,
        )  # fmt: skip
