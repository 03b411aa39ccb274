from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.releases import (
    ManifestDraft,
    OperatingPoint,
    TrainingData,
    TrainingSource,
    write_release,
)

TTPSCRIBE = Path(sys.executable).with_name("ttpscribe")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    directory = tmp_path / "made" / "nightly"
    (directory / "fusion").mkdir(parents=True)
    (directory / "fusion" / "fusion.json").write_text("{}")
    write_release(
        directory,
        ManifestDraft(
            name="nightly",
            created="2026-11-22T04:30:00Z",
            attack_version="18.1",
            techniques=("T1059",),
            recognizers={"explicit": {}},
            operating_points={
                "balanced": OperatingPoint(
                    write_threshold=0.5,
                    suggest_threshold=0.25,
                    sentence_threshold=0.4,
                    expected_precision=0.71,
                    expected_recall=0.76,
                )
            },
            training_data=TrainingData(
                hash="a" * 64,
                sources=(TrainingSource(name="our own", licence="Apache-2.0", records=1234),),
            ),
            figures={"documents": {"f1": 0.7333333}},
        ),
    )
    return directory


@pytest.fixture
def run(tmp_path: Path):
    def run(*arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [TTPSCRIBE, "releases", *arguments],
            env={
                **os.environ,
                "TTPSCRIBE_DATA_DIR": str(tmp_path / "data"),
                "COLUMNS": "100",
                "TTPSCRIBE_RELEASE": "",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_release_is_taken_in_used_and_rolled_back(run, made):
    told = run("import", str(made)).stdout
    assert "Taken in: nightly" in told
    assert "ttpscribe releases use nightly" in told

    assert run("use", "nightly").stdout == "In use: nightly\n"
    [entry] = [e for e in json.loads(run("list", "--json").stdout) if e["name"] == "nightly"]
    assert entry["champion"] is True
    assert entry["origin"] == "store"
    assert entry["sizes"] == {"fusion": 2}
    assert "* nightly 2026-11-22 04:30 UTC 18.1" in " ".join(run("list").stdout.split())


def test_show_tells_what_a_release_can_do(run, made):
    told = " ".join(run("show", f"{made}/").stdout.split())
    assert "our own: 1,234 records (Apache-2.0)" in told
    assert "balanced 0.50 0.25 0.40 0.71 0.76" in told
    assert "documents.f1 0.7333" in told

    fields = json.loads(run("show", "--json", TTPSCRIBE_RELEASE=str(made)).stdout)
    assert fields["name"] == "nightly"
    assert fields["protocol"] == 1
    assert fields["path"] == str(made)


def test_verify_goes_on_past_a_damaged_release(run, made, tmp_path):
    run("import", str(made))
    damaged = tmp_path / "data" / "releases" / "nightly" / "fusion" / "fusion.json"
    damaged.chmod(0o644)
    damaged.write_text("[]")

    done = run("verify", "nightly", str(made), code=5)
    assert "fusion.json does not match its hash" in done.stderr
    assert f"{made}: intact" in done.stdout
    results = json.loads(run("verify", "--json", "nightly", str(made), code=5).stdout)
    assert [result["intact"] for result in results] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("use", "absent"), "There is no release 'absent'"),
        (("rollback",), "roll back|none ships"),
        (("show", "./absent"), "is not a release"),
        (("import", "absent"), "is not a release"),
    ],
)
def test_mistakes_get_a_sentence_and_the_releases_exit_code(run, arguments, says):
    assert re.search(says, run(*arguments, code=5).stderr)


def test_a_pin_is_told_where_it_overrides_a_choice(run, made):
    done = run("import", str(made), "--use", TTPSCRIBE_RELEASE=str(made))

    assert "TTPSCRIBE_RELEASE pins the release in use" in done.stderr
