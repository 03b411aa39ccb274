"""A backfill whose texts are analysed by workers before the reports' turn."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from connector_rig import STORY, Rig
from opencti_double import OpenCTIDouble, Worker
from thread_workers import ThreadWorkers

from connector.commands import connector
from engine.scale import ahead


def test_a_backfill_sends_what_it_may_ahead_and_writes_the_same(
    platform: OpenCTIDouble, rig: Rig, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.start()
    workers = ThreadWorkers(1)
    monkeypatch.setattr(ahead, "workers_at", lambda *_: workers)
    for name, value in rig.environment().items():
        monkeypatch.setenv(name, value)
    reports = [
        platform.create_report(f"Report {number}", description=f"{number} {STORY}")
        for number in range(3)
    ]
    platform.create_report("Red", description=STORY, markings=["TLP:RED"])

    def backfill(*options: str) -> Result:
        arguments = ("backfill", "--since", "2026-01-01", "--per-minute", "6000", *options)
        return CliRunner().invoke(connector, arguments, standalone_mode=False)

    result = backfill("--ray", "127.0.0.1:6379")
    assert "3 enriched, 1 failed, 0 done before." in result.output
    sent = [document.text for document, _ in workers.tasks]
    assert [next(t for t in sent if f"{n} {STORY}" in t) for n in range(3)] == sent
    assert {len(platform.state(report)["techniques"]) for report in reports} == {2}
    assert "0 enriched, 0 failed, 4 done before." in backfill("--workers", "1").output
    assert len(workers.tasks) == 3  # what is done is not read again
