import json

import pytest
from click.testing import CliRunner

from engine.errors import TrainingDataError
from engine.types import Analysis, Finding, SentenceTechniques

analysis = pytest.importorskip("engine.analysis", reason="needs the engine's analysis")


class NamesPowerShell:
    def analyse(self, document, operating_point="balanced"):
        at = [s.index for s in document.sentences if "PowerShell" in s.text]
        return Analysis(
            document=document,
            findings=(Finding("T1059.001", "PowerShell", 0.9, False, ()),) if at else (),
            suggestions=(),
            tactics=(),
            sentences=tuple(SentenceTechniques(index, (("T1059.001", 0.9),)) for index in at),
            release="r",
            operating_point=operating_point,
            attack_version="0",
        )


@pytest.fixture
def run(tmp_path, monkeypatch):
    from training.commands.evaluate import evaluate

    monkeypatch.setattr(analysis.Engine, "open", lambda *_: NamesPowerShell())
    data = tmp_path / "ours.jsonl"
    rows = [
        {"id": "1", "doc_id": "a", "text": "It used PowerShell.", "labels": ["T1059.001"]},
        {"id": "2", "doc_id": "a", "text": "It ran at night.", "labels": []},
        {"id": "3", "doc_id": "b", "text": "It dumped LSASS.", "labels": ["T1003.001"]},
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def call(*arguments):
        return CliRunner().invoke(evaluate, ["--data", str(data), *arguments])

    return call


def test_prints_a_table_and_writes_the_figures(run, tmp_path):
    result = run("--json", str(tmp_path / "out.json"), "--resamples", "100")
    assert result.exit_code == 0, result.output
    assert "F1, mean over documents" in result.output
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["documents"]["mean_f1"]["value"] == 0.5
    assert figures["sentences"]["score"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "support": 2,
        "true_positives": 1,
        "false_positives": 0,
        "false_negatives": 1,
    }


def test_says_when_there_is_nothing_to_measure_on(run):
    assert isinstance(run("--fold", "3").exception, TrainingDataError)
    unknown = run("--source", "kev").exception
    assert "There is: own" in str(unknown)
