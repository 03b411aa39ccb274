"""Killed at any moment and started again, the result is as if nothing had happened."""

from __future__ import annotations

import time
from typing import Any

import pytest
from connector_rig import CONNECTOR_ID, Processes, Rig, example
from opencti_double import Element, OpenCTIDouble, RabbitMQ, Worker

from connector.analyser import LocalAnalyser
from connector.enrichment import STEPS
from engine.ledger import Ledger

BETWEEN = ("before the acknowledgement", *STEPS, "announced", "half sent")


def outcome(platform: OpenCTIDouble, report: Element) -> dict[str, Any]:
    """Return what a reader of the report sees, without ids and times."""
    state = platform.state(report)
    return {
        "techniques": state["techniques"],
        "objects": state["objects"],
        "confidence": state["confidence"],
        "notes": [note["content"] for note in state["notes"]],
        "files": sorted(state["files"].values()),
        "uses": sorted(
            (each["source"], each["target"], each["description"])
            for each in platform.relationships()
        ),
        "patterns": len(platform.store.of_type("Attack-Pattern")),
        "reports": len(platform.store.of_type("Report")),
    }


def wait_for_registration(platform: OpenCTIDouble, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while CONNECTOR_ID not in platform.works.connectors:
        assert time.monotonic() < end, "the connector did not register"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def expected(rabbitmq: RabbitMQ, analyser: LocalAnalyser, tmp_path_factory: Any) -> dict[str, Any]:
    """What an enrichment comes to that nobody disturbs."""
    ledger = f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'ledger.sqlite'}"
    with OpenCTIDouble(rabbitmq) as platform, Worker(platform):
        rig = Rig(platform, ledger)
        rig.analyser = analyser
        report = example(platform)
        rig.serve()
        work = rig.enrich(report)
        rig.close()
        told = [each["message"] for each in work.messages]
        told = [each for each in told if not each.startswith("Connector ")]
        return {"outcome": outcome(platform, report), "told": told}


@pytest.mark.parametrize("kill_at", BETWEEN)
def test_killed_and_started_again(
    platform: OpenCTIDouble,
    rig: Rig,
    worker: Worker,
    processes: Processes,
    expected: dict[str, Any],
    kill_at: str,
) -> None:
    worker.start()
    report = example(platform)
    first = processes.start(rig, kill_at)
    wait_for_registration(platform)
    work = platform.ask_enrichment(report, CONNECTOR_ID)
    processes.wait_for_death(first)
    processes.start(rig)
    done = rig.wait(work)
    with Ledger.open(rig.ledger) as ledger:
        end = time.monotonic() + 10
        while ledger.journal("opencti", CONNECTOR_ID).counts()["done"] == 0:
            assert time.monotonic() < end
            time.sleep(0.05)
    assert outcome(platform, report) == expected["outcome"]
    assert done.errors == []
    told = [each["message"] for each in done.messages]
    assert [each for each in told if not each.startswith("Connector ")] == expected["told"]
