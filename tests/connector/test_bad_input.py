"""What goes wrong ends in a sentence, and never in silence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pika.exceptions
import pytest
from connector_rig import (
    CONNECTOR_ID,
    DOCX_SENTENCE,
    PDF_SENTENCE,
    Rig,
    docx,
    example,
    pdf,
)
from opencti_double import OpenCTIDouble, RabbitMQ, Worker

from connector import orders
from connector.connector import Connector
from connector.errors import Unavailable


def problem(work: Any) -> str:
    return str(work.errors[-1]["message"])


@pytest.fixture
def at_hand(rig: Rig, worker: Worker) -> Connector:
    """A connector that is asked by hand, without the queue."""
    worker.start()
    return rig.open()


def enrich(connector: Connector, report: Any) -> orders.Outcome:
    return orders.enrich(connector, orders.Listed(report.id, report.entity_type, "x"))


# -- the report --


def test_no_text(platform: OpenCTIDouble, at_hand: Connector) -> None:
    report = platform.create_report("Empty")
    before = platform.state(report)
    outcome = enrich(at_hand, report)
    assert outcome.message == "There is no text to read in this report."
    assert platform.state(report) == before


def test_only_unreadable_files(platform: OpenCTIDouble, at_hand: Connector) -> None:
    files = [("scan.pdf", b"%PDF-1.4 nonsense", "application/pdf")]
    outcome = enrich(at_hand, platform.create_report("Scan", files=files))
    assert outcome.message.startswith("There is no text to read in this report. scan.pdf: ")


def test_an_unreadable_file_beside_a_good_one(platform: OpenCTIDouble, at_hand: Connector) -> None:
    files = [
        ("bad.pdf", b"%PDF-1.4 nonsense", "application/pdf"),
        ("good.docx", docx(DOCX_SENTENCE), "application/octet-stream"),
    ]
    report = platform.create_report("Two files", files=files)
    outcome = enrich(at_hand, report)
    assert not outcome.failed
    state = platform.state(report)
    assert state["techniques"] == ["T1490"]
    assert "Not read: bad.pdf" in state["notes"][0]["content"]


def test_a_file_that_cannot_be_fetched(platform: OpenCTIDouble, at_hand: Connector) -> None:
    report = example(platform, files=[("story.pdf", pdf(PDF_SENTENCE), "application/pdf")])
    platform.storage_down()
    assert not enrich(at_hand, report).failed
    state = platform.state(report)
    assert "T1566.001" in state["techniques"]
    assert "T1047" not in state["techniques"]
    assert "story.pdf: it could not be fetched" in state["notes"][0]["content"]
    # The storage is back: the file is new to us, and is read.
    platform.faults.clear()
    enrich(at_hand, report)
    assert "T1047" in platform.state(report)["techniques"]


def test_200_megabytes_are_not_fetched(platform: OpenCTIDouble, at_hand: Connector) -> None:
    report = example(platform, files=[("large.pdf", b"%PDF-1.4", "application/pdf")])
    large = next(iter(platform.element(report).files.values()))
    large.data = bytes(200_000_000)
    assert not enrich(at_hand, report).failed
    assert not [call for call in platform.calls if call.path.startswith("/storage")]
    content = platform.state(report)["notes"][0]["content"]
    assert "large.pdf: not read, it has 200 MB" in content


def test_a_marking_above_the_limit(platform: OpenCTIDouble, rig: Rig, worker: Worker) -> None:
    rig.ttpscribe["max_tlp"] = "TLP:GREEN"
    connector = rig.open()
    report = example(
        platform, markings=["TLP:AMBER"], files=[("a.pdf", pdf(PDF_SENTENCE), "application/pdf")]
    )
    platform.calls.clear()
    outcome = enrich(connector, report)
    assert outcome.failed
    assert "TLP:AMBER, above the highest TLP that this connector may read (TLP:GREEN)" in (
        outcome.message
    )
    assert {call.operation for call in platform.calls if call.user == "connector"} <= {
        "Report", "workAdd", "workToReceived", "WorkQuery", "workToProcessed", "PingConnector",
    }  # fmt: skip
    assert not [call for call in platform.calls if "content" in json.dumps(call.variables)]
    assert not [call for call in platform.calls if call.path.startswith("/storage")]


def test_a_report_deleted_meanwhile(platform: OpenCTIDouble, rig: Rig) -> None:
    connector = rig.open()
    report = example(platform)
    work = platform.ask_enrichment(report, CONNECTOR_ID)
    platform.analyst.delete(report)
    rig.serve(connector)
    assert "It is not there any more" in problem(rig.wait(work))


def test_another_type_than_the_scope(platform: OpenCTIDouble, serving: Rig) -> None:
    spider = platform.create("Intrusion-Set", name="Example Spider")
    work = serving.enrich(spider)
    assert problem(work).startswith("This connector enriches Report, not Intrusion-Set.")


def test_a_message_that_is_none(platform: OpenCTIDouble, serving: Rig) -> None:
    platform.works.publish(CONNECTOR_ID, {"nonsense": True})
    report = example(platform)
    assert serving.enrich(report).errors == []


# -- the platform --


@pytest.mark.parametrize("fault", [{"status": 500, "body": "<html>"}, {"status": 502}])
def test_errors_that_pass(platform: OpenCTIDouble, at_hand: Connector, fault: Any) -> None:
    report = example(platform)
    platform.fail(operation="Report", times=1, **fault)
    assert not enrich(at_hand, report).failed
    assert platform.state(report)["techniques"]


def test_errors_that_stay(platform: OpenCTIDouble, at_hand: Connector) -> None:
    report = example(platform)
    platform.fail(operation="Report", status=500)
    outcome = enrich(at_hand, report)
    assert outcome.failed
    assert "error of its server while reading the Report" in outcome.message
    (work,) = platform.works.works.values()
    assert problem(work) == outcome.message


def test_a_platform_that_is_too_slow(platform: OpenCTIDouble, rig: Rig, worker: Worker) -> None:
    rig.ttpscribe |= {"request_timeout": 0.5, "retries": 0}
    connector = rig.open()
    report = example(platform)
    platform.fail(operation="Report", delay=2.0)
    outcome = enrich(connector, report)
    assert "did not answer in time while reading the Report" in outcome.message


def test_an_expired_token(platform: OpenCTIDouble, at_hand: Connector) -> None:
    report = example(platform)
    platform.expire_token()
    outcome = enrich(at_hand, report)
    assert outcome.failed
    assert "did not accept the connector's token" in outcome.message


def test_a_failure_that_cannot_be_told_is_told_later(platform: OpenCTIDouble, rig: Rig) -> None:
    falls = iter([True])
    connector = rig.open(
        at=lambda step: (
            platform.fail(status=500) if step == "taken" and next(falls, False) else None
        )
    )
    work = platform.ask_enrichment(example(platform), CONNECTOR_ID)
    rig.serve(connector)
    end = time.monotonic() + 30
    while not any("failed" in entry.steps for entry in connector.journal.entries()):
        assert time.monotonic() < end
        time.sleep(0.1)
    platform.faults.clear()
    assert "error of its server while reading the Report" in problem(rig.wait(work))


def test_not_there_at_the_start(platform: OpenCTIDouble, rig: Rig) -> None:
    platform.down()
    with pytest.raises(Unavailable, match="ttpscribe connector check"):
        rig.open()
    platform.up()


def test_a_bundle_that_is_refused(platform: OpenCTIDouble, at_hand: Connector) -> None:
    report = example(platform)
    platform.fail(operation="ReportAdd", status=500, body="no")
    outcome = enrich(at_hand, report)
    assert "The platform dropped 4" in outcome.message
    assert "It said:" in outcome.message


def test_rabbitmq_restarted(platform: OpenCTIDouble, rabbitmq: RabbitMQ, serving: Rig) -> None:
    first = example(platform, "First")
    assert serving.enrich(first).errors == []
    rabbitmq.restart()
    second = example(platform, "Second")
    assert serving.enrich(second).errors == []
    assert platform.state(second)["techniques"]


def test_the_queue_goes_away_while_sending(
    platform: OpenCTIDouble, rig: Rig, at_hand: Connector
) -> None:
    report = example(platform)
    send, calls = at_hand.helper._send_bundle, iter(range(1000))

    def falter(*given: Any, **named: Any) -> None:
        if next(calls) == 3:
            raise pika.exceptions.ConnectionClosedByBroker(320, "shutdown")
        send(*given, **named)

    at_hand.helper._send_bundle = falter
    assert not enrich(at_hand, report).failed
    (work,) = platform.works.works.values()
    assert rig.wait(work.id).errors == []  # it ends, though objects were announced twice
    assert len(platform.state(report)["techniques"]) == 4
    assert len(platform.state(report)["notes"]) == 1


def test_the_queue_stays_away(platform: OpenCTIDouble, rig: Rig, at_hand: Connector) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise pika.exceptions.AMQPConnectionError

    at_hand.helper._send_bundle = fail
    outcome = enrich(at_hand, example(platform))
    assert outcome.failed
    (work,) = platform.works.works.values()
    assert problem(rig.wait(work.id)) == outcome.message
    assert "could not be reached while sending the result" in outcome.message


# -- the ledger --


def test_a_locked_ledger_keeps_the_message_in_the_queue(
    platform: OpenCTIDouble, serving: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.errors import LedgerError

    connector = serving.opened[0]
    take, calls = connector.journal.take, []

    def locked(*given: Any, **named: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise LedgerError("The ledger is locked.")
        return take(*given, **named)

    monkeypatch.setattr(connector.journal, "take", locked)
    report = example(platform)
    assert serving.enrich(report).errors == []
    assert len(calls) == 2
    assert platform.state(report)["techniques"]


def test_a_ledger_that_cannot_be_opened(platform: OpenCTIDouble, rig: Rig, tmp_path: Path) -> None:
    from engine.errors import LedgerError

    rig.ttpscribe["ledger_url"] = f"sqlite:///{tmp_path}"
    with pytest.raises(LedgerError):
        rig.open()
    (tmp_path / "damaged").write_bytes(b"no database" * 100)
    rig.ttpscribe["ledger_url"] = f"sqlite:///{tmp_path / 'damaged'}"
    with pytest.raises(LedgerError):
        rig.open()


# -- what nobody foresaw --


def test_something_unforeseen(platform: OpenCTIDouble, rig: Rig, worker: Worker) -> None:
    def stumble(step: str) -> None:
        if step == "read":
            raise ZeroDivisionError("secret detail")

    outcome = enrich(rig.open(at=stumble), example(platform))
    assert outcome.failed
    assert "unforeseen (ZeroDivisionError)" in outcome.message
    assert "secret" not in outcome.message


def test_a_message_that_ends_its_process_again_and_again(platform: OpenCTIDouble, rig: Rig) -> None:
    connector = rig.open()
    report = example(platform)
    work = platform.ask_enrichment(report, CONNECTOR_ID)
    body = {
        "internal": {"work_id": work, "applicant_id": None, "draft_id": None, "mode": "manual"},
        "event": {"entity_id": report.standard_id, "entity_type": "Report"},
    }
    for _ in range(3):  # taken, and given back by its death
        claim = connector.journal.take(work, json.dumps(body), work=work)
        assert claim is not None
        claim.give_back(counts=True)
    last = connector.journal.claim()
    assert last is not None
    connector.process(last)
    assert "stopped 3 times while working on this" in problem(platform.work(work))
    assert connector.journal.counts()["failed"] == 1


def test_a_file_uploaded_while_it_ran(platform: OpenCTIDouble, rig: Rig, worker: Worker) -> None:
    """The report changes between reading and writing: what counts is what is there then."""
    worker.start()
    report = example(platform)

    def rename(step: str) -> None:
        if step == "analysed":
            platform.analyst.rename(report, "Renamed while it was read")
            platform.analyst.upload(report, "late.txt", b"late")

    outcome = enrich(rig.open(at=rename), report)
    assert not outcome.failed
    assert len(platform.store.of_type("Report")) == 1
    state = platform.state(report)
    assert len(state["techniques"]) == 4
    assert state["files"]["late.txt"] == b"late"
