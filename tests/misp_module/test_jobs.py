"""Work that outlives its call."""

from __future__ import annotations

import threading

import pytest

from misp_module import jobs as kept
from misp_module.jobs import Jobs


def test_work_is_done_once_while_it_runs_and_after():
    done, calls = threading.Event(), []
    jobs = Jobs()

    def work():
        calls.append(1)
        done.wait(5)
        return {"results": {}}

    first, second = jobs.submit("a", work), jobs.submit("a", work)
    assert jobs.longest() >= 0
    done.set()

    assert first is second
    assert first.result(5) == {"results": {}}
    assert jobs.submit("a", work).result(5) == {"results": {}}
    assert calls == [1]
    assert jobs.longest() == 0


def test_an_error_is_tried_again_after_a_while(monkeypatch):
    jobs, answers = Jobs(), iter([{"error": "late"}, {"results": {}}])
    work = lambda: next(answers)  # noqa: E731

    assert "error" in jobs.submit("a", work).result(5)
    assert "error" in jobs.submit("a", work).result(5)
    monkeypatch.setattr(kept, "ERROR_KEPT_S", 0.0)
    assert jobs.submit("a", work).result(5) == {"results": {}}


def test_results_are_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(kept, "KEPT_S", 0.0)
    jobs, calls = Jobs(), []
    for _ in range(2):
        jobs.submit("a", lambda: calls.append(1) or {"results": {}}).result(5)

    assert calls == [1, 1]


def test_too_much_waiting_is_told(monkeypatch):
    monkeypatch.setattr(kept, "WAITING", 2)
    done, jobs = threading.Event(), Jobs()
    work = lambda: {"results": {str(done.wait(5)): 1}}  # noqa: E731
    first, second = jobs.submit("a", work), jobs.submit("b", work)
    full = jobs.submit("c", work)
    done.set()

    assert "Ask later" in full.result(5)["error"]
    assert first.result(5) == second.result(5)
    assert "results" in jobs.submit("c", work).result(5)


def test_a_fault_reaches_whoever_asked():
    def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Jobs().submit("a", work).result(5)
