"""Several connectors on one queue, killed now and then: nothing lost, nothing twice."""

from __future__ import annotations

import time
from pathlib import Path

from connector_rig import CONNECTOR_ID, STORY, Processes, Rig
from opencti_double import OpenCTIDouble, Worker
from postgres import new_database

from connector import orders
from engine.ledger import Journal

# A full run of 200 is in bench/enrichment.py.
REPORTS = 16


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
    reports = [
        platform.create_report(f"Report {n}", description=f"Case {n}. {STORY}")
        for n in range(REPORTS)
    ]
    works = [platform.ask_enrichment(each, CONNECTOR_ID) for each in reports]
    running = [processes.start(rig), processes.start(rig)]
    for kills in range(2):
        share = REPORTS * (kills + 1) // 4
        end = time.monotonic() + 120
        while sum(platform.work(each).processed_time is not None for each in works) < share:
            assert time.monotonic() < end
            time.sleep(0.02)
        processes.kill(running.pop(0))
        running.append(processes.start(rig))
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
    until_done(registered.journal, REPORTS)
    assert registered.journal.claim() is None


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
