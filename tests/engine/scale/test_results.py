"""Results on disk: kept at once, written out in order, for one job only."""

from __future__ import annotations

import json

import pytest

from engine.errors import TtpscribeError, UsageError
from engine.scale.results import Results

JOB = {"release": "2026-11", "operating_point": "balanced"}


def test_results_are_in_the_order_of_the_documents(tmp_path):
    with Results(tmp_path, JOB) as results:
        first, second = results.ask(0, "a", "x"), results.ask(1, "b", "y")
        assert first is not None
        assert second is not None
        results.keep(second, "2\n")
        results.keep(first, "1\n")
        assert results.write_out().read_text() == "1\n2\n"
    assert (tmp_path / "failures.jsonl").read_text() == ""


def test_what_is_kept_is_known_after_a_crash(tmp_path):
    with Results(tmp_path, JOB) as results:
        results.keep(results.ask(0, "a", "x"), "1\n")
        results.ask(1, "b", "y")
    assert not (tmp_path / "results.jsonl").exists()
    with Results(tmp_path, JOB) as results:
        key = results.ask(0, "new", "z")  # another document came before
        assert results.ask(1, "a", "x") is None
        assert results.ask(2, "a", "changed") is not None
        results.keep(key, "0\n")
        assert results.write_out().read_text() == "0\n1\n"


def test_failures_say_why_and_are_tried_again(tmp_path):
    with Results(tmp_path, JOB) as results:
        results.fail(results.ask(0, {"n": 1}, "x"), 'it says "no" \udcff')
        results.refuse(1, "gone.pdf", "not there")
        results.write_out()
    told = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert told == [
        {"id": {"n": 1}, "error": 'it says "no" \udcff'},
        {"id": "gone.pdf", "error": "not there"},
    ]
    with Results(tmp_path, JOB) as results:
        assert results.ask(0, {"n": 1}, "x") is not None


def test_the_same_document_twice_is_written_twice(tmp_path):
    with Results(tmp_path, JOB) as results:
        key = results.ask(0, "a", "x")
        assert results.ask(1, "a", "x") == key
        results.keep(key, "1\n")
        assert results.write_out().read_text() == "1\n1\n"


def test_on_a_full_disk_they_appear_whole_or_not_at_all(disk):
    with Results(disk.root, JOB) as results:
        for number in range(3):
            results.keep(results.ask(number, number, "x"), "x" * 1_000_000 + "\n")
        disk.fill()
        with pytest.raises(TtpscribeError, match="Make room"):
            results.write_out()
        assert not list(disk.root.glob("results.*"))
        disk.free()
        assert results.write_out().stat().st_size == 3_000_003


def test_another_job_is_refused(tmp_path):
    Results(tmp_path, JOB).__exit__()
    with pytest.raises(UsageError, match="release 2026-11, now 2026-12"):
        Results(tmp_path, JOB | {"release": "2026-12"})
    Results(tmp_path, JOB).__exit__()


def test_two_processes_do_not_share_a_directory(tmp_path):
    with Results(tmp_path, JOB), pytest.raises(UsageError, match="Another process works on"):
        Results(tmp_path, JOB)


def test_a_directory_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="cannot be used"):
        Results(tmp_path / "file" / "in", JOB)
