"""Several connectors on one queue, killed now and then: nothing lost, nothing twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from connector_rig import CONNECTOR_ID, STORY, Processes, Rig, once_away
from opencti_double import Element, OpenCTIDouble, Worker
from postgres import new_database, restartable_server

from connector import orders
from engine.ledger import Journal
from engine.service.deployment import Deployment

# A full run of 200 is in bench/enrichment.py.
REPORTS = 16


def asked_for(platform: OpenCTIDouble) -> tuple[list[Element], list[str]]:
    """Create reports and ask for all of them; return them and the works."""
    reports = [
        platform.create_report(f"Report {n}", description=f"Case {n}. {STORY}")
        for n in range(REPORTS)
    ]
    return reports, [platform.ask_enrichment(each, CONNECTOR_ID) for each in reports]


def until_worked(platform: OpenCTIDouble, works: list[str], number: int) -> None:
    end = time.monotonic() + 120
    while sum(platform.work(each).processed_time is not None for each in works) < number:
        assert time.monotonic() < end
        time.sleep(0.02)


def all_done_once(
    platform: OpenCTIDouble, rig: Rig, journal: Journal, works: list[str], reports: list[Element]
) -> None:
    for work in works:
        done = rig.wait(work, 120)
        assert done.errors == []
        told = [each["message"] for each in done.messages]
        assert len([each for each in told if not each.startswith("Connector ")]) == 1
    for report in reports:
        state = platform.state(report)
        assert state["techniques"] == ["T1059.001", "T1566.001"]
        assert len(state["notes"]) == 1
    assert len(platform.store.of_type("Report")) == REPORTS
    until_done(journal, REPORTS)
    assert journal.claim() is None


def ledger_up() -> float:
    """Return what the engine's service tells of the ledger."""
    (told,) = [each for each in Deployment().collect() if each.name == "ttpscribe_ledger_up"]
    return float(told.samples[0].value)


def until_done(journal: Journal, number: int) -> None:
    """The work is told a moment before the journal."""
    end = time.monotonic() + 20
    while journal.counts()["done"] != number:
        assert time.monotonic() < end, journal.counts()
        time.sleep(0.05)


def test_two_processes_share_the_queue_and_one_is_killed(
    platform: OpenCTIDouble,
    rig: Rig,
    worker: Worker,
    processes: Processes,
    postgres_server: Path,
) -> None:
    rig.ledger = new_database(postgres_server)
    rig.ttpscribe |= {"ledger_url": rig.ledger, "write_html": False, "write_navigator": False}
    worker.start()
    registered = rig.open()
    reports, works = asked_for(platform)
    running = [processes.start(rig), processes.start(rig)]
    for kills in range(2):
        until_worked(platform, works, REPORTS * (kills + 1) // 4)
        processes.kill(running.pop(0))
        running.append(processes.start(rig))
    all_done_once(platform, rig, registered.journal, works, reports)


def test_postgresql_crashes_and_comes_back_under_load(
    platform: OpenCTIDouble, rig: Rig, worker: Worker, processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with restartable_server() as server:
        rig.ledger = new_database(server.home)
        monkeypatch.setenv("TTPSCRIBE_LEDGER_URL", rig.ledger)  # for the service's metrics
        rig.ttpscribe |= {"ledger_url": rig.ledger, "write_html": False, "write_navigator": False}
        worker.start()
        registered = rig.open()
        reports, works = asked_for(platform)
        processes.start(rig)
        processes.start(rig)
        for crashes in range(2):
            until_worked(platform, works, REPORTS * (crashes + 1) // 4)
            server.stop()
            time.sleep(1)  # longer than both connectors can do without their ledger
            assert ledger_up() == 0
            assert sum(platform.work(each).processed_time is None for each in works) > 2
            server.start()
            assert ledger_up() == 1
        all_done_once(platform, rig, registered.journal, works, reports)
        # An attempt that the crash cut off is in the ledger once, with the one that ended it.
        for report in reports:
            written = registered.ledger.written("opencti", report.id)
            refs = [each.technique for each in written if each.kind == "ref"]
            assert sorted(map(str, refs)) == ["T1059.001", "T1566.001"]


def test_a_ledger_that_is_away_for_a_moment_fails_no_work(
    platform: OpenCTIDouble, serving: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = once_away(monkeypatch)
    report = platform.create_report("Report", description=STORY)
    work = serving.enrich(report)
    assert away == []
    assert work.errors == []
    assert platform.state(report)["techniques"] == ["T1059.001", "T1566.001"]


def test_a_redelivered_message_is_not_done_twice(platform: OpenCTIDouble, serving: Rig) -> None:
    report = platform.create_report("Once", description=STORY)
    works = platform.works
    sent: list[dict[str, object]] = []
    publish = works.publish
    works.publish = lambda connector, message: (  # type: ignore[method-assign]
        sent.append(message), publish(connector, message)
    )[1]  # fmt: skip
    work = serving.enrich(report)
    works.publish(CONNECTOR_ID, sent[0])  # type: ignore[arg-type]
    other = platform.create_report("Other", description=STORY)
    serving.enrich(other)
    told = [each["message"] for each in work.messages]
    assert len([each for each in told if not each.startswith("Connector ")]) == 1
    until_done(serving.opened[0].journal, 2)


def test_backfill_goes_on_where_it_was(platform: OpenCTIDouble, rig: Rig, worker: Worker) -> None:
    worker.start()
    connector = rig.open()
    for number in range(3):
        platform.create_report(f"Report {number}", description=STORY, labels=["apt"])
    platform.create_report("Without the label", description=STORY)
    listed = list(orders.reports(connector.platform, "Report", "2026-01-01T00:00:00Z", "apt"))
    assert [each.name for each in listed] == ["Report 0", "Report 1", "Report 2"]
    assert orders.enrich_once(connector, listed[0], "series") is not None
    outcomes = [orders.enrich_once(connector, each, "series") for each in listed]
    assert [each is None for each in outcomes] == [True, False, False]
    for each in listed:
        assert platform.state(each.id)["techniques"] == ["T1059.001", "T1566.001"]
    assert {work.name for work in platform.works.works.values()} == {
        f"ttpscribe backfill: Report {number}" for number in range(3)
    }
    later = orders.reports(connector.platform, "Report", "2100-01-01T00:00:00Z", None)
    assert list(later) == []
