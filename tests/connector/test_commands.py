"""The command line: check, enrich, backfill, run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from connector_rig import CONNECTOR_ID, STORY, Rig, example
from opencti_double import OpenCTIDouble, Worker

from connector.commands import connector
from engine.errors import TtpscribeError

FAILED = 20


@pytest.fixture
def call(rig: Rig, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call ``ttpscribe connector`` with the rig's settings."""
    worker.start()

    def run(*arguments: str) -> Result:
        for name, value in rig.environment().items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(connector, arguments, standalone_mode=False)

    return run


def lines(result: Result) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in result.output.splitlines():
        state, part, says = line.split(None, 2)
        found.setdefault(part, []).append(f"{state} {says}")
    return found


def test_check_with_everything_there(platform: OpenCTIDouble, call: Any) -> None:
    result = call("check")
    assert result.return_value == 0
    found = lines(result)
    assert set(found) == {"settings", "engine", "ledger", "OpenCTI", "version", "user", "harvest"}
    assert found["version"] == ["ok OpenCTI 7.260817.0, as pycti"]
    assert found["engine"][0].startswith("ok release ")
    assert "ok confidence up to 100" in found["user"]
    assert found["harvest"][0].startswith("ok the history can be read")
    assert platform.token not in result.output


def test_check_tells_what_is_wrong(
    platform: OpenCTIDouble, rig: Rig, call: Any, tmp_path: Path
) -> None:
    platform.users["connector"].max_confidence = 60
    assert "warning confidence up to 60" in "\n".join(lines(call("check"))["user"])
    platform.expire_token()
    old = rig.environment
    rig.environment = lambda: {**old(), "OPENCTI_TOKEN": "another"}  # type: ignore[method-assign]
    result = call("check")
    assert result.return_value == FAILED
    assert lines(result)["OpenCTI"][0].startswith("failed OpenCTI did not accept the connector's")
    platform.down()
    assert lines(call("check"))["OpenCTI"][0].startswith("failed OpenCTI could not be reached")
    rig.ttpscribe["ledger_url"] = f"sqlite:///{tmp_path}"
    assert lines(call("check"))["ledger"][0].startswith("failed ")
    platform.up()


def test_enrich(platform: OpenCTIDouble, call: Any) -> None:
    report = example(platform)
    result = call("enrich", report.id)
    assert result.return_value == 0
    assert result.output.startswith("4 techniques written")
    assert len(platform.state(report)["techniques"]) == 4
    assert "Nothing new" in call("enrich", report.standard_id).output


def test_enrich_something_that_is_not_there(platform: OpenCTIDouble, call: Any) -> None:
    result = call("enrich", "report--00000000-0000-4000-8000-000000000000")
    assert isinstance(result.exception, TtpscribeError)
    assert "There is no report" in str(result.exception)


def test_backfill(platform: OpenCTIDouble, call: Any) -> None:
    for number in range(2):
        platform.create_report(f"Report {number}", description=f"{number} {STORY}")
    platform.create_report("Red", description=STORY, markings=["TLP:RED"])
    result = call("backfill", "--since", "2026-01-01", "--per-minute", "6000")
    assert "2 enriched, 1 failed, 0 done before." in result.output
    assert "Red: It is marked TLP:RED" in result.output
    assert result.return_value == FAILED
    again = call("backfill", "--since", "2026-01-01", "--per-minute", "6000")
    assert "0 enriched, 0 failed, 3 done before." in again.output


def test_backfill_with_a_label_that_is_not_there(platform: OpenCTIDouble, call: Any) -> None:
    result = call("backfill", "--since", "2026-01-01", "--label", "nope")
    assert "OpenCTI has no label 'nope'." in str(result.exception)


def test_settings_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENCTI_URL", "OPENCTI_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(connector, ["check"], standalone_mode=False)
    assert "OPENCTI_TOKEN (opencti: token in config.yml): it is missing" in str(result.exception)
    assert isinstance(result.exception, TtpscribeError)
    assert result.exception.exit_code == 2


def test_run_serves_until_it_is_told_to_stop(
    platform: OpenCTIDouble, rig: Rig, worker: Worker
) -> None:
    worker.start()
    process = subprocess.Popen(
        [sys.executable, "-m", "connector"],
        env={**os.environ, **rig.environment()},
        stderr=subprocess.PIPE,
        text=True,
    )
    import time

    end = time.monotonic() + 90
    while CONNECTOR_ID not in platform.works.connectors:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)
    report = example(platform)
    work = rig.enrich(report)
    assert work.errors == []
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    # Stopped, not unregistered: what is asked now waits for the next start.
    assert platform.queue_size(CONNECTOR_ID) == 0
    platform.ask_enrichment(report, CONNECTOR_ID)
    assert platform.queue_size(CONNECTOR_ID) == 1
