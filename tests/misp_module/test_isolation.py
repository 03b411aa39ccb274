"""Whatever the engine does, the modules server answers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from .conftest import enrich, hover, serve, techniques, wait_until


@pytest.fixture(scope="module")
def slow_server(stand_in_root):
    with serve(stand_in_root) as server:
        server.ask(hover("first"))
        yield server


def seconds(call):
    start = time.monotonic()
    result = call()
    return time.monotonic() - start, result


def test_the_server_stays_small_until_the_first_call(root):
    with serve(root) as server:
        names = server.modules()

        assert {"ttpscribe_attack", "ttpscribe_import", "ttpscribe_tag", "ai_connector"} <= set(
            names
        )
        assert server.process.memory_info().rss < 120e6
        assert server.worker() is None


def test_ten_slow_inferences_block_nobody(slow_server):
    with ThreadPoolExecutor(10) as clicks:
        bodies = [enrich(f"SLEEP 1 number {number}") for number in range(10)]
        began = time.monotonic()
        answers = [clicks.submit(slow_server.query, body) for body in bodies]
        time.sleep(0.3)
        listing, modules = seconds(slow_server.modules)
        trivial, _ = seconds(lambda: slow_server.query({"module": "trivial_module"}))
        found = [answer.result() for answer in answers]
    took = time.monotonic() - began

    assert modules
    assert listing < 1
    assert trivial < 1.5
    assert took < 9, "each answers before MISP gives up"
    assert all("results" in answer or "Ask again" in answer["error"] for answer in found)
    assert any("error" in answer for answer in found)
    # Nothing was lost: every text was read, and is answered at the second click.
    for body in bodies:
        assert techniques(slow_server.ask(body)) == ["T1059.001"]


def test_a_late_result_is_there_at_the_second_click(slow_server):
    body = hover("SLEEP 5 for a hover")
    first, late = seconds(lambda: slow_server.query(body, timeout=5))
    time.sleep(1.5)
    second, answer = seconds(lambda: slow_server.query(body, timeout=5))

    assert first < 4.5
    assert "Ask again" in late["error"]
    assert second < 0.5
    assert techniques(answer) == ["T1059.001"]


def test_a_click_joins_the_work_that_runs(slow_server):
    body = enrich("SLEEP 1 twice")
    with ThreadPoolExecutor(2) as clicks:
        took, answers = seconds(lambda: [*clicks.map(slow_server.query, [body, body])])

    assert took < 2
    assert answers[0] == answers[1]


def test_a_time_out_that_misp_sends_is_kept(slow_server):
    took, answer = seconds(lambda: slow_server.query({**enrich("SLEEP 3 limited"), "timeout": 2}))

    assert took < 2
    assert "Ask again" in answer["error"]


def test_a_late_attribute_does_not_abort_an_enrich_event_job(slow_server):
    body = {**enrich("SLEEP 3 in a job"), "attribute_uuid": "5f0f", "timeout": 1}

    assert slow_server.query(body) == {"results": {}}


def test_a_crash_in_native_code_is_told_and_the_next_call_works(slow_server):
    server = slow_server.process.pid
    before = slow_server.worker().pid
    answer = slow_server.query(enrich("CRASH"))
    again = slow_server.ask(enrich("after the crash"))

    assert "died" in answer["error"]
    assert techniques(again) == ["T1059.001"]
    assert slow_server.worker().pid != before
    assert slow_server.process.pid == server
    assert slow_server.process.is_running()


def test_a_killed_worker_is_started_again(slow_server):
    slow_server.ask(hover("alive"))
    worker = slow_server.worker()
    worker.kill()
    wait_until(lambda: not psutil.pid_exists(worker.pid))

    assert techniques(slow_server.ask(enrich("after the kill"))) == ["T1059.001"]
    assert slow_server.worker().pid != worker.pid


def test_a_worker_that_stops_reading_holds_no_thread(slow_server):
    """Even the writing of a request never waits for the worker."""
    slow_server.ask(hover("alive"))
    worker = slow_server.worker()
    worker.suspend()
    try:
        big = "x" * 3_000_000
        with ThreadPoolExecutor(10) as clicks:
            bodies = [{**enrich(f"{n} {big}"), "timeout": 2} for n in range(10)]
            took, answers = seconds(lambda: [*clicks.map(slow_server.query, bodies)])
    finally:
        worker.kill()

    assert took < 6
    assert all("Ask again" in answer["error"] for answer in answers)


def test_a_worker_that_cannot_start_is_told(stand_in_root, tmp_path):
    import json
    import shutil

    root = tmp_path / "root"
    shutil.copytree(stand_in_root, root)
    (root / "ttpscribe.json").write_text(json.dumps({"command": ["/nowhere/python"]}))
    with serve(root) as server:
        answer = server.query(enrich("anything"))
        assert "ttpscribe misp check" in answer["error"]
        assert server.query({"module": "trivial_module"}) == {"results": {}}
