"""From a label set to a release that analyses a report, by the commands a user would call."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.analysis import Engine
from engine.errors import TrainingDataError, UsageError
from engine.knowledge import Knowledge
from engine.releases import Release
from training.assemble import fit, gather
from training.commands.release import release
from training.commands.svc import svc
from training.fusion import FusionSettings
from training.labels import LabelSet
from training.out_of_fold import OutOfFold
from training.svc import SvcTraining


def _write(labels: LabelSet, directory: Path) -> Path:
    """Write the label set as the documented JSON lines."""
    directory.mkdir(parents=True)
    with gzip.open(directory / "documents.jsonl.gz", "wt") as file:
        for document in labels.documents:
            record = {
                "doc_id": document.id,
                "source": "own",
                "title": document.id,
                "text": document.text,
                "labels": sorted(document.techniques),
                "cv_fold": document.fold,
            }
            file.write(json.dumps(record) + "\n")
    with (directory / "sentences.jsonl").open("w") as file:
        for document in labels.documents:
            for sentence in document.sentences:
                record = {
                    "id": sentence.id,
                    "source": "own",
                    "doc_id": document.id,
                    "start": sentence.start,
                    "end": sentence.end,
                    "text": sentence.text,
                    "labels": sorted(sentence.techniques),
                    "cv_fold": document.fold,
                }
                file.write(json.dumps(record) + "\n")
    return directory


@pytest.fixture(scope="module")
def made(small_labels: LabelSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release made by ``train svc`` and ``train release``."""
    root = tmp_path_factory.mktemp("made")
    data = _write(small_labels, root / "data")
    runner = CliRunner()
    trained = runner.invoke(
        svc,
        [
            *("--data", str(data), "--output", str(root / "svc"), "--min-examples", "4"),
            *("--sweep", "1"),  # of the defaults alone: it changes nothing
        ],
    )
    assert trained.exit_code == 0, trained.output
    assert "Best of 1: min_count 3" in trained.output
    assert "Cross-validated on 30 documents" in trained.output
    joined = runner.invoke(
        release,
        [
            *("--data", str(data), "--part", str(root / "svc")),
            *("--output", str(root / "small"), "--created", "2026-01-02"),
        ],
    )
    assert joined.exit_code == 0, joined.output
    return root


def test_the_release_finds_what_it_was_taught(made: Path) -> None:
    engine = Engine.open(made / "small")
    analysis = engine.analyse_text(
        "Victims received mails carrying an attached archive.\n"
        "The loader starts powershell hidden.\n"
        "We thank our colleagues for their help."
    )
    assert {finding.technique for finding in analysis.findings} == {"T1566.001", "T1059.001"}
    assert analysis.release == "small"
    assert all(finding.evidence for finding in analysis.findings)


def test_the_report_of_the_svc_tells_of_its_sweep(made: Path) -> None:
    swept = json.loads((made / "svc" / "svc-report.json").read_text())["sweep"]
    assert swept["held_out_average_precision"]["best"] > 0.5
    assert [trial["number"] for trial in swept["trials"]] == [0]
    assert swept["settings"] == swept["trials"][0]["settings"]


def test_the_manifest_says_what_was_measured(made: Path) -> None:
    manifest = Release.open(made / "small").manifest
    assert set(manifest.operating_points) == {"precise", "balanced", "sensitive"}
    assert manifest.figures["documents"] == 30
    assert manifest.figures["balanced"]["document_f1"][0] > 0.8
    assert 0 <= manifest.figures["unknown_words"] < 0.2
    assert manifest.training_data.sources[0].records > 0
    points = manifest.operating_points
    assert points["sensitive"].write_threshold <= points["balanced"].write_threshold
    assert points["balanced"].write_threshold <= points["precise"].write_threshold


def test_unknown_operating_point_and_threshold_are_usage_errors(made: Path) -> None:
    engine = Engine.open(made / "small")
    with pytest.raises(UsageError, match="no operating point"):
        engine.analyse_text("x", operating_point="wild")
    with pytest.raises(UsageError, match="no probability"):
        engine.analyse_text("x", threshold=1.5)  # type: ignore[arg-type]


def test_same_parts_give_the_same_release(made: Path) -> None:
    arguments = ["--data", str(made / "data"), "--part", str(made / "svc")]
    (made / "again").mkdir()
    again = CliRunner().invoke(
        release, [*arguments, "--output", str(made / "again/small"), "--created", "2026-01-02"]
    )
    assert again.exit_code == 0, again.output
    assert (made / "small/manifest.json").read_bytes() == (
        made / "again/small/manifest.json"
    ).read_bytes()


def test_scores_of_other_data_are_refused(
    small_labels: LabelSet, small_svc: SvcTraining, knowledge: Knowledge, tmp_path: Path
) -> None:
    first = small_svc.documents[0]
    scores = OutOfFold("svc", {first.id: small_svc.score(small_svc.documents[1])}, {first.id: 0})
    with pytest.raises(TrainingDataError, match="do not fit"):
        fit(small_labels, {"svc": scores}, knowledge, FusionSettings())
    with pytest.raises(TrainingDataError, match="nothing can be"):
        fit(small_labels, gather([tmp_path]), knowledge, FusionSettings())


def test_out_of_fold_scores_survive_the_disk(small_svc: SvcTraining, tmp_path: Path) -> None:
    documents = small_svc.documents[:3]
    scores = OutOfFold("svc", {d.id: small_svc.score(d) for d in documents}, small_svc.folds)
    scores.save(tmp_path)
    loaded = OutOfFold.load(tmp_path, "svc")
    for document in documents:
        before, after = scores.recognitions[document.id], loaded.recognitions[document.id]
        difference = before.sentence_scores.toarray() - after.sentence_scores.toarray()
        assert abs(difference).max() < 1e-3
        assert after.techniques == before.techniques
        assert loaded.folds[document.id] == small_svc.folds[document.id]
