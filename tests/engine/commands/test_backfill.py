"""``ttpscribe backfill``: the lines of ``analyse``, and nothing done twice."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from thread_workers import ThreadWorkers

from engine import scale as module
from engine.commands import analyse as analyse_module
from engine.commands.analyse import analyse
from engine.commands.backfill import backfill
from engine.errors import TtpscribeError, UsageError
from engine.scale.analysing import Identity
from engine.scale.results import Results


@pytest.fixture
def workers(engine, monkeypatch):
    """Workers in this process, with the shipped release, not opened anew by each."""
    taken = []

    def take(_address, size):
        taken.append(ThreadWorkers(size or 2))
        return taken[-1]

    monkeypatch.setattr(analyse_module, "open_engine", lambda _release: engine)
    monkeypatch.setattr(Identity, "open", lambda _identity: engine)
    monkeypatch.setattr(module, "workers_at", take)
    return taken


def call(command, *arguments, text=None):
    return CliRunner().invoke(command, [str(a) for a in arguments], input=text)


@pytest.fixture
def reports(tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    for number in range(5):
        (folder / f"r{number}.txt").write_text(f"The actor ran PowerShell on host{number}.")
    (folder / "empty.txt").write_text("")
    return folder


def test_it_writes_what_analyse_writes(workers, reports, tmp_path):
    out = tmp_path / "out"
    done = call(backfill, reports, "-o", out, "--operating-point", "sensitive", "-k", 3)
    assert done.exit_code == 3, done.output
    assert "5 analysed" in done.stderr
    expected = call(
        analyse, reports, "--format", "jsonl", "--operating-point", "sensitive", "-k", 3
    )
    assert (out / "results.jsonl").read_text() == expected.stdout
    (failure,) = map(json.loads, (out / "failures.jsonl").read_text().splitlines())
    assert failure["id"] == "empty.txt"
    assert "empty" in failure["error"]


def test_a_full_disk_ends_it_and_the_same_call_goes_on(workers, reports, disk, monkeypatch):
    kept = []
    keep = Results.keep

    def filling(results, key, line):
        if len(kept) == 3:
            disk.fill()
        keep(results, key, line + " " * 10_000)
        kept.append(key)

    (reports / "empty.txt").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Results, "keep", filling)
        failed = call(backfill, reports, "-o", disk.root / "out")
    assert "Make room or name another --output" in str(failed.exception)
    assert isinstance(failed.exception, TtpscribeError)
    disk.free()
    done = call(backfill, reports, "-o", disk.root / "out")
    assert done.exit_code == 0, done.output
    assert "2 analysed" in done.stderr
    assert "3 done before" in done.stderr
    assert len((disk.root / "out" / "results.jsonl").read_text().splitlines()) == 5


def test_called_again_it_does_what_is_missing(workers, engine, reports, tmp_path, monkeypatch):
    out = tmp_path / "out"
    call(backfill, reports, "-o", out)
    (reports / "a.txt").write_text("It dumped LSASS memory.")
    (reports / "r0.txt").write_text("The text was changed: it encrypted files.")
    (reports / "empty.txt").unlink()
    asked = []
    original = engine.analyse

    def counted(document, *arguments, **options):
        asked.append(document.name)
        return original(document, *arguments, **options)

    monkeypatch.setattr(engine, "analyse", counted)
    again = call(backfill, reports, "-o", out)
    assert again.exit_code == 0, again.output
    assert sorted(asked) == ["a.txt", "r0.txt"]
    assert "4 done before" in again.stderr
    ids = [json.loads(line)["id"] for line in (out / "results.jsonl").read_text().splitlines()]
    assert ids == ["a.txt", *(f"r{number}.txt" for number in range(5))]
    taken = len(workers)
    assert call(backfill, reports, "-o", out).exit_code == 0
    assert len(workers) == taken  # nothing was missing


def test_other_options_are_another_job(workers, reports, tmp_path):
    call(backfill, reports, "-o", tmp_path / "out")
    other = call(backfill, reports, "-o", tmp_path / "out", "--threshold", 0.9)
    assert isinstance(other.exception, UsageError)
    assert "threshold None, now 0.9" in str(other.exception)


def test_json_lines_keep_their_ids_and_top_counts(workers, tmp_path):
    path = tmp_path / "in.jsonl"
    text = "It ran PowerShell. It dumped LSASS memory. It encrypted all files for a ransom."
    path.write_text(
        json.dumps({"id": {"n": [1]}, "text": text}) + "\nnot json\n"
        + json.dumps({"id": 2, "sentences": ["It slept.", "It ran mimikatz."]}) + "\n"
    )  # fmt: skip
    done = call(backfill, path, "--input-format", "jsonl", "-o", tmp_path / "out", "--top", 1)
    assert done.exit_code == 3
    found = list(map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines()))
    assert [each["id"] for each in found] == [{"n": [1]}, 2]
    assert len(found[0]["findings"]) == 1
    (failure,) = map(json.loads, (tmp_path / "out" / "failures.jsonl").read_text().splitlines())
    assert "line 2 is not JSON" in failure["error"]
