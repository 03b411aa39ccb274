"""``ttpscribe infer`` from a release of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from engine.commands.infer import infer
from engine.errors import DocumentError, KnowledgeError, ReleaseError, UsageError
from engine.knowledge import Knowledge
from engine.recommenders import Matrix, Row, load_recommender, registry
from engine.releases import ManifestDraft, OperatingPoint, Release, TrainingData, write_release

NAMES = ("hybrid", "user_knn", "top_items", "wals")


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Release:
    """A release with four recommenders, learned from two kinds of made-up intrusions."""
    theft = ["T1003.001", "T1059.001", "T1021.001", "T1558.003", "T1105", "T1078", "T1110.001"]
    mail = ["T1566.001", "T1204.002", "T1059.005", "T1105", "T1071.001", "T1547.001", "T1036"]
    other = ["T1059", "T1003", "T1027", "T1486"]
    techniques = tuple(sorted({*theft, *mail, *other}))
    generator = np.random.default_rng(0)
    counts = np.zeros((60, len(techniques)), dtype=np.float32)
    for number, row in enumerate(counts):
        kind = theft if number % 2 else mail
        chosen = [t for t in kind if generator.random() < 0.8]
        chosen += [t for t in other if generator.random() < 0.2]
        row[[techniques.index(t) for t in chosen]] = 1
    rows = tuple(
        Row(f"r{number}", "report", f"Report {number}", f"https://example.com/{number}")
        for number in range(60)
    )
    matrix = Matrix(rows, techniques, csr_matrix(counts))
    directory = tmp_path_factory.mktemp("release") / "small"
    for name in NAMES:
        registry.create(name).fit(matrix).save(directory / "recommenders" / name)
    point = OperatingPoint(
        write_threshold=0.5,
        suggest_threshold=0.3,
        sentence_threshold=0.5,
        expected_precision=0.5,
        expected_recall=0.5,
    )
    draft = ManifestDraft(
        name="small",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        attack_version="18.1",
        techniques=techniques,
        recognizers={},
        recommenders={name: {} for name in NAMES},
        default_recommender="hybrid",
        operating_points={"balanced": point},
        training_data=TrainingData(hash="0" * 64, sources=()),
    )
    return write_release(directory, draft)


@pytest.fixture
def run(release):
    def call(*arguments: str, stdin: str = ""):
        command = ["--release", str(release.path), *arguments]
        result = CliRunner().invoke(infer, command, input=stdin, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result

    return call


def techniques_of(result) -> list[str]:
    return [i["technique"] for i in json.loads(result.stdout)["inferences"]]


def test_finds_what_goes_with_the_observed(run) -> None:
    result = run("T1003.001", "T1558.003", "--format", "json", "-k", "4")
    found = json.loads(result.stdout)
    assert set(techniques_of(result)) == {"T1059.001", "T1021.001", "T1078", "T1110.001"} or (
        len({"T1059.001", "T1021.001", "T1078", "T1110.001"} & set(techniques_of(result))) >= 3
    )
    first = found["inferences"][0]
    assert first["name"]
    assert first["tactics"]
    assert {b["technique"] for b in first["because"]} <= {"T1003.001", "T1558.003"}
    assert (found["recommender"], found["release"]) == ("hybrid", "small")


def test_observed_and_parents_are_not_inferred(run) -> None:
    for name in NAMES:
        result = run("T1003.001", "T1059.005", "--recommender", name, "--format", "json", "-k99")
        assert not {"T1003.001", "T1003", "T1059.005", "T1059"} & set(techniques_of(result))


def test_revoked_ids_are_mapped_and_unknown_ones_named(run) -> None:
    # T1086 became T1059.001, whose parent must not be inferred either.
    result = run("T1086", "T9999", "--format", "json")
    assert json.loads(result.stdout)["observed"] == {"T1059.001": 1.0}
    assert not {"T1059", "T1059.001"} & set(techniques_of(result))
    assert "T9999 is not a technique" in result.stderr
    assert "T1086 is revoked; taken as T1059.001" in result.stderr


def test_no_technique_left(run) -> None:
    with pytest.raises(KnowledgeError, match="No technique is left"):
        run("T9999", "nonsense")


def test_all_techniques_observed(run, release) -> None:
    result = run(*release.manifest.techniques, "--format", "json")
    assert techniques_of(result) == []
    assert "Nothing further" in run(*release.manifest.techniques).stdout


def test_k_over_the_catalogue(run, release) -> None:
    result = run("T1486", "-k", "100000", "--format", "json")
    assert len(techniques_of(result)) == len(release.manifest.techniques) - 1


def test_tactic_and_platform_filters(run) -> None:
    knowledge = Knowledge.load()
    result = run("T1105", "--tactic", "Credential Access", "--format", "json")
    assert techniques_of(result)
    assert all("TA0006" in knowledge.technique(t).tactics for t in techniques_of(result))
    result = run("T1105", "--platform", "macos", "--format", "json")
    assert techniques_of(result)
    assert all("macOS" in knowledge.technique(t).platforms for t in techniques_of(result))
    with pytest.raises(UsageError, match="no tactic 'cooking'"):
        run("T1105", "--tactic", "cooking")
    with pytest.raises(UsageError, match="no platform 'Amiga'"):
        run("T1105", "--platform", "Amiga")


def test_weights_are_read_and_checked(run) -> None:
    result = run("T1105=0.25", "--format", "json")
    assert json.loads(result.stdout)["observed"] == {"T1105": 0.25}
    for wrong in ("T1105=2", "T1105=0", "T1105=often", "T1105=nan"):
        with pytest.raises(UsageError, match="weight of T1105"):
            run(wrong)


def test_explain_names_causes_and_similar_reports(run) -> None:
    result = run("T1566.001", "T1204.002", "--explain", "--format", "json")
    similar = json.loads(result.stdout)["similar"]
    assert len(similar) == 5
    assert all(set(s["techniques"]) == {"T1566.001", "T1204.002"} for s in similar)
    assert similar[0]["title"].startswith("Report ")
    table = run("T1566.001", "T1204.002", "--explain").stdout
    assert "Because of" in table
    assert "Most similar" in table
    assert "%" in table


def test_table_csv_navigator_and_stix(run) -> None:
    table = run("T1003.001", "-k", "3").stdout
    assert "Credential Dumping" not in table.splitlines()[0]
    rows = list(csv.DictReader(io.StringIO(run("T1003.001", "--format", "csv").stdout)))
    assert [row["rank"] for row in rows] == [str(n + 1) for n in range(len(rows))]
    layer = json.loads(run("T1003.001", "-k", "5", "--format", "navigator").stdout)
    kinds = {
        entry["techniqueID"]: {m["value"] for m in entry["metadata"]}
        for entry in layer["techniques"]
        if "metadata" in entry
    }
    assert "finding" in kinds["T1003.001"]
    assert sum("inference" in values for values in kinds.values()) == 5
    bundle = json.loads(run("T1003.001", "--format", "stix").stdout)
    assert bundle["type"] == "bundle"
    assert any(o["type"] == "note" for o in bundle["objects"])


def test_its_own_layer_and_bundle_can_be_read_back(run, tmp_path) -> None:
    for form in ("navigator", "stix"):
        path = tmp_path / f"{form}.json"
        path.write_text(run("T1003.001", "T1105", "--format", form).stdout)
        again = run("--from", str(path), "--format", "json")
        assert set(json.loads(again.stdout)["observed"]) == {"T1003.001", "T1105"}


def test_layer_of_another_attack_version_is_mapped(run, tmp_path) -> None:
    layer = {
        "name": "old",
        "versions": {"attack": "6", "layer": "2.2"},
        "techniques": [
            {"techniqueID": "T1086", "score": 1},
            {"techniqueID": "T1105", "score": 0},
            {"techniqueID": "T1078", "color": "#ff0000"},
            {"techniqueID": "T1036", "score": 5, "enabled": False},
            {"techniqueID": "T1027"},
        ],
    }
    path = tmp_path / "layer.json"
    path.write_text(json.dumps(layer))
    result = run("--from", str(path), "--format", "json")
    assert json.loads(result.stdout)["observed"] == {"T1059.001": 1.0, "T1078": 1.0}


def test_files_that_are_none(run, tmp_path) -> None:
    path = tmp_path / "file.json"
    for content, says in (
        ("{", "not JSON"),
        ('{"type": "report"}', "neither"),
        ("[]", "neither"),
        ('{"techniques": []}', "names no technique"),
        ('{"type": "bundle"}', "names no technique"),
        ('{"techniques": 3}', "names no technique"),
    ):
        path.write_text(content)
        with pytest.raises(DocumentError, match=says):
            run("--from", str(path))
    with pytest.raises(DocumentError, match="cannot be read"):
        run("--from", str(tmp_path / "missing.json"))


def test_calls_that_are_wrong(run) -> None:
    for arguments in (
        (),
        ("-",),
        ("T1105", "--format", "jsonl"),
        ("--input-format", "jsonl", "T1105"),
        ("--input-format", "jsonl", "--format", "json", "-"),
    ):
        with pytest.raises(UsageError):
            run(*arguments)
    with pytest.raises(UsageError, match="no recommender 'nobody'"):
        run("T1105", "--recommender", "nobody")


def test_json_lines(run) -> None:
    lines = [
        {"id": 1, "techniques": ["T1003.001", "T1558.003"]},
        {"id": "b", "techniques": ["T1086"]},
        {"id": "c", "techniques": {"T1105": 0.5, "T9999": 1}},
        {"id": "d", "techniques": []},
        {"id": "e", "techniques": ["T9999"]},
    ]
    result = run(
        *("--input-format", "jsonl", "--format", "jsonl", "-k", "50", "-"),
        stdin="\n".join(map(json.dumps, lines)) + "\n\n",
    )
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1, "b", "c", "d", "e"]
    for answer in answers[:3]:
        assert set(answer) == {"id", "inferences"}
        assert answer["inferences"]
        for inference in answer["inferences"]:
            assert set(inference) == {"technique", "score", "because"}
            assert all(set(b) == {"technique", "weight"} for b in inference["because"])
        scores = [inference["score"] for inference in answer["inferences"]]
        assert scores == sorted(scores, reverse=True)
    assert {i["technique"] for i in answers[0]["inferences"]}.isdisjoint({"T1003", "T1003.001"})
    assert answers[3]["inferences"] == answers[4]["inferences"] == []
    assert "T9999" in result.stderr
    assert result.return_value == 0


def test_bad_json_lines_are_named_and_the_others_done(run) -> None:
    stdin = '{"id": 1, "techniques": ["T1105"]}\n{oops\n[1]\n{"id": 4, "techniques": "T1105"}\n'
    result = run("--input-format", "jsonl", "-", stdin=stdin)
    assert len(result.stdout.splitlines()) == 1
    for number in (2, 3, 4):
        assert f"line {number}" in result.stderr
    assert result.return_value == 2


def test_a_release_without_recommenders(release, tmp_path, run) -> None:
    draft = release.manifest.model_dump(exclude={"files", "protocol"})
    bare = tmp_path / "bare"
    bare.mkdir()
    opened = write_release(
        bare,
        ManifestDraft(**{**draft, "name": "bare", "recommenders": {}, "default_recommender": None}),
    )
    with pytest.raises(UsageError, match="has no recommender"):
        load_recommender(opened)
    with pytest.raises(ReleaseError):
        run("T1105", "--release", str(tmp_path / "nowhere" / "at-all"))


def test_the_command_imports_nothing_heavy(release: Release) -> None:
    code = (
        "import sys; from engine.commands.main import build; "
        f"build().main(['infer', 'T1105', '--release', {str(release.path)!r}, '--format', 'json'], "
        "standalone_mode=False); "
        "assert not {'torch', 'sklearn', 'implicit', 'pandas', 'transformers'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
