"""The engine at a URL: the same findings as in process, and nothing lost where it is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from connector_rig import CONNECTOR_ID, PDF_SENTENCE, STORY, Rig, example, pdf
from opencti_double import OpenCTIDouble, Worker
from service_rig import InThread, serving

from connector.analyser import LocalAnalyser, RemoteAnalyser
from connector.check import check


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InThread]:
    with InThread(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def remote(rig: Rig, worker: Worker, service: InThread) -> Rig:
    """A connector that has no engine of its own."""
    rig.analyser = None
    rig.ttpscribe["engine_url"] = service.url
    worker.start()
    return rig


def told(platform: OpenCTIDouble, report: Any) -> dict[str, Any]:
    """What an enrichment wrote, without the ids of the report."""
    state = platform.state(report)
    note = re.sub(r"\b[0-9a-f-]{36}\b", "", state["notes"][0]["content"])
    return {"techniques": state["techniques"], "note": note, "files": len(state["files"])}


def test_the_same_findings_as_in_process(
    platform: OpenCTIDouble, remote: Rig, analyser: LocalAnalyser
) -> None:
    files = [("story.pdf", pdf(PDF_SENTENCE), "application/pdf")]
    far = example(platform, "Read far away", files=files)
    near = example(platform, "Read nearby", files=files)
    remote.serve()
    remote.enrich(far)
    assert isinstance(remote.opened[0].analyser, RemoteAnalyser)
    remote.opened[0].enrichment.analyser = analyser
    remote.enrich(near)
    assert told(platform, far) == told(platform, near)
    assert "T1047" in platform.state(far)["techniques"]


def test_an_engine_that_is_away_fails_the_work_and_can_be_asked_again(
    platform: OpenCTIDouble, remote: Rig, service: InThread
) -> None:
    report = example(platform)
    connector = remote.serve()
    away = RemoteAnalyser(type(connector.analyser.client)("http://127.0.0.1:9", retries=1))
    here, connector.enrichment.analyser = connector.analyser, away
    work = remote.enrich(report)
    (error,) = work.errors
    assert "The engine at http://127.0.0.1:9 does not answer" in error["message"]
    assert platform.state(report)["techniques"] == []
    connector.enrichment.analyser = here
    assert remote.enrich(report).errors == []
    assert "T1566.001" in platform.state(report)["techniques"]


def test_an_engine_killed_under_load_and_started_again_fails_no_work(
    platform: OpenCTIDouble, rig: Rig, worker: Worker, tmp_path: Path
) -> None:
    environment = {"TTPSCRIBE_SERVICE_KEYS_FILE": str(tmp_path / "keys.json")}
    worker.start()
    reports = [
        platform.create_report(f"Report {n}", description=f"Case {n}. {STORY}") for n in range(8)
    ]
    with serving(environment) as first:
        rig.analyser = None
        rig.ttpscribe |= {"engine_url": first.url, "retries": 5}
        rig.serve()
        works = [platform.ask_enrichment(each, CONNECTOR_ID) for each in reports]
        rig.wait(works[1])
        first.kill()
    assert sum(platform.work(each).processed_time is None for each in works) > 2
    with serving(environment, first.port):
        for report, work in zip(reports, works, strict=True):
            assert rig.wait(work).errors == []
            state = platform.state(report)
            assert state["techniques"] == ["T1059.001", "T1566.001"]
            assert len(state["notes"]) == 1


def test_check_tells_of_the_service(remote: Rig, service: InThread) -> None:
    lines = {line.part: line for line in check(remote.settings())}
    assert lines["engine"].state == "ok"
    assert lines["engine"].says.startswith(f"{service.url} serves release ")
    service.service.keys.add("other")
    try:
        failed = {line.part: line for line in check(remote.settings())}["engine"]
        assert failed.state == "failed"
        assert "needs a valid key" in failed.says
    finally:
        service.settings.keys_path.unlink()
