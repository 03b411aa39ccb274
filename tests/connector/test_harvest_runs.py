"""Runs of the harvester: broken off, by another clock, live, by command."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from connector_rig import CONNECTOR_ID, DOCX_SENTENCE, LSASS, Rig, example
from harvest_scene import Scene
from opencti_double import Element, OpenCTIDouble

from connector import changes
from connector.commands import connector
from connector.errors import SettingsError, Unavailable
from connector.harvester import OpenCTIHarvester, from_settings
from connector.history import parse_history
from connector.memory import PLATFORM
from connector.stream import understand
from engine.ledger import Ledger


def several(scene: Scene, number: int) -> list[Element]:
    """Give reports, each with a removal to find."""
    made = []
    for n in range(number):
        made.append(scene.enriched("T1003.001", "T1047", name=f"Report {n}"))
        scene.remove(made[-1], "T1047")
    return made


# -- broken off ----------------------------------------------------------------------------------


def test_half_a_harvest_is_kept_and_the_next_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PAGE", 2)
    reports = several(scene, 5)
    scene.platform.fail(operation="LogList", status=502)  # from the fourth history on
    monkeypatch.setattr(
        scene.platform.faults, "take", _after(3, "LogList", scene.platform.faults.take)
    )
    found = scene.harvest()
    assert (found.complete, found.verdicts) == (False, 2)
    assert "goes on there" in found.notes[-1]
    monkeypatch.undo()
    scene.platform.faults.clear()
    found = scene.harvest(overlap=0)
    assert (found.complete, found.verdicts, found.reports) == (True, 3, 3)
    assert all(scene.verdicts(each) == {"T1047": "rejected"} for each in reports)
    assert scene.rows()[0] == 5


def _after(number: int, operation: str, take: Any) -> Any:
    """Let the first requests of an operation pass the faults."""
    passed = iter(range(number))

    def decide(path: str, asked: str) -> Any:
        if asked == operation and next(passed, None) is not None:
            return None
        return take(path, asked)

    return decide


def test_a_platform_that_is_down_is_said_and_nothing_is_lost(scene: Scene) -> None:
    (report,) = several(scene, 1)
    scene.platform.down()
    with pytest.raises(Unavailable, match="could not be reached"):
        scene.harvest()
    assert scene.rows() == (0, 0, 0)
    scene.platform.up()
    scene.harvest()
    assert scene.verdicts(report) == {"T1047": "rejected"}


def test_a_crash_while_recording_leaves_neither_findings_nor_cursor(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (report,) = several(scene, 1)
    with monkeypatch.context() as patch:

        def die(_self: Ledger, platform: str, name: str, value: str) -> None:
            raise KeyboardInterrupt

        patch.setattr(Ledger, "set_cursor", die)
        with pytest.raises(KeyboardInterrupt):
            scene.harvest()
    assert scene.rows() == (0, 0, 0)
    assert scene.harvest().verdicts == 1
    assert scene.verdicts(report) == {"T1047": "rejected"}


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_another_clock_loses_no_edit(scene: Scene, ahead: int) -> None:
    clock = scene.platform.clock
    clock._last = 0
    clock.ahead = ahead
    report = scene.enriched("T1003.001", "T1047", "T1059")
    scene.remove(report, "T1047")
    clock.ahead += 60
    assert scene.harvest(delay=30).verdicts == 1
    scene.remove(report, "T1059")
    clock.ahead += 60
    assert scene.harvest(delay=30, overlap=0).verdicts == 1
    judged = scene.verdict(report, "T1059").at - datetime.now(UTC)
    assert abs(judged - timedelta(seconds=ahead)) < timedelta(minutes=5)


def test_what_just_happened_waits_for_its_history(scene: Scene) -> None:
    (report,) = several(scene, 1)
    assert scene.harvest(delay=30).reports == 0
    scene.platform.clock.ahead += 60
    assert scene.harvest(delay=30).verdicts == 1
    assert scene.verdicts(report) == {"T1047": "rejected"}


def test_what_came_in_late_is_found_in_the_overlap(scene: Scene) -> None:
    early, _ = several(scene, 2)
    scene.harvest()
    scene.remove(early, "T1003.001")  # by another node of the platform, whose clock is behind
    scene.age(early, minutes=5)
    assert scene.harvest(overlap=600).verdicts == 1


# -- live ----------------------------------------------------------------------------------------


class Following:
    """A harvester that follows the stream in a thread, with a ledger connection of its own."""

    def __init__(self, scene: Scene) -> None:
        scene.ttpscribe["retries"] = 8
        self._harvester = scene.harvester()
        self._scene = scene
        self.stopped = False
        self.verdicts = 0
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with Ledger.open(self._scene.ttpscribe["ledger_url"]) as ledger:
            for found in self._harvester.follow(ledger, stopped=lambda: self.stopped):
                self.verdicts += found.verdicts

    def until(self, report: Element, expected: dict[str, str]) -> None:
        end = time.monotonic() + 30
        while self._scene.verdicts(report) != expected:
            assert time.monotonic() < end, self._scene.verdicts(report)
            assert self._thread.is_alive()
            time.sleep(0.02)

    def stop(self) -> None:
        self.stopped = True
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_following_the_stream(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    scene.remove(report, "T1047")
    following = Following(scene)
    following.until(report, {"T1047": "rejected"})  # what was before it began
    scene.add(report, "T1490")
    following.until(report, {"T1047": "rejected", "T1490": "added"})
    scene.platform.analyst.say("strongly-disagree", report, scene.techniques["T1003.001"])
    known = {"T1003.001": "rejected", "T1047": "rejected", "T1490": "added"}
    following.until(report, known)
    # The stream breaks off; what happens meanwhile is not lost.
    scene.platform.down()
    scene.remove(report, "T1059")
    scene.platform.up()
    following.until(report, {**known, "T1059": "rejected"})
    following.stop()
    assert following.verdicts == 4
    position = scene.ledger.cursor(PLATFORM, "stream")
    assert position in {each["id"] for each in scene.platform.events.stream}
    assert scene.harvest().verdicts == 0


def test_the_recorded_stream_tells_what_was_taken_off(project: Path) -> None:
    folder = project.parent / "shared" / "contracts" / "recordings"
    if not folder.is_dir():
        pytest.skip("the recordings of a real platform are not on this machine")
    recorded = json.loads((folder / "f1_remove_ref_containerEdit.json").read_text())
    (event,) = recorded["live_stream_events"]
    told = understand(
        {"event": event["event"], "id": event["id"], "data": json.dumps(event["data"])}
    )
    assert told is not None
    (edit,) = told.edits  # the patch beside it names four objects
    assert (edit.technique, edit.present) == ("T1047", False)
    answer = recorded["logs_as_connector_user"]["data"]["logs"]["edges"]
    history = parse_history(each["node"] for each in reversed(answer))
    assert history.last("T1047") is not None
    # The same edit under the same id, time and person, whichever tells it.
    assert history.joined([edit]).edits == history.edits
    last = history.edits[-1]
    assert (last.origin, last.at, last.who.id) == (edit.origin, edit.at, edit.who.id)
    every = json.loads((folder / "06_sse_live_all.json").read_text())["events"]
    told_all = [
        understand({"event": e["event"], "id": e.get("id", ""), "data": json.dumps(e["data"])})
        for e in every
        if "event" in e
    ]
    reports = [each for each in told_all if each is not None and each.entity_type == "Report"]
    assert len([edit for each in reports for edit in each.edits]) >= 8


# -- with the connector, and by command ----------------------------------------------------------


def test_from_the_enrichment_to_the_verdict(
    platform: OpenCTIDouble, serving: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = example(platform)
    serving.enrich(report)
    lsass = _technique(platform, "T1003.001")
    platform.analyst.remove_ref(report, lsass)
    platform.analyst.add_ref(report, platform.create_attack_pattern("T1047", "WMI"))
    platform.analyst.note("T1490 is a false positive here.", report)
    platform.analyst.set_status(report, "ANALYZED")
    for name, value in serving.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TTPSCRIBE_HARVEST_DELAY", "0")
    result = CliRunner().invoke(connector, ["harvest"], standalone_mode=False)
    assert result.return_value == 0
    assert result.output.splitlines()[0] == "1 reports looked at, 6 verdicts, 1 newly curated."
    ledger = serving.opened[0].ledger
    held = ledger.current_verdicts(PLATFORM, report.id)
    assert {technique: each.verdict for technique, each in held.items()} == {
        "T1003.001": "rejected", "T1021.002": "confirmed", "T1047": "added",
        "T1059.001": "confirmed", "T1490": "rejected", "T1566.001": "confirmed",
    }  # fmt: skip
    assert "LSASS" in (held["T1003.001"].evidence or "")
    assert held["T1003.001"].release == serving.opened[0].analyser.engine.release.name
    # And the next enrichment keeps to it.
    platform.analyst.set(report, "description", f"{LSASS} {DOCX_SENTENCE}")
    serving.enrich(report)
    assert not {"T1003.001", "T1490"} & set(platform.state(report)["techniques"])
    assert CONNECTOR_ID in platform.works.connectors


def _technique(platform: OpenCTIDouble, x_mitre_id: str) -> Element:
    found = platform.store.of_type("Attack-Pattern")
    return next(each for each in found if each.get("x_mitre_id") == x_mitre_id)


def test_the_command_says_where_it_broke_off(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    several(scene, 1)
    monkeypatch.setenv("OPENCTI_URL", scene.platform.url)
    monkeypatch.setenv("OPENCTI_TOKEN", scene.platform.token)
    monkeypatch.setenv("TTPSCRIBE_LEDGER_URL", scene.ttpscribe["ledger_url"])
    monkeypatch.setenv("TTPSCRIBE_RETRIES", "0")
    monkeypatch.setenv("TTPSCRIBE_HARVEST_DELAY", "0")
    scene.platform.fail(operation="Opinions", status=502)
    result = CliRunner().invoke(connector, ["harvest"], standalone_mode=False)
    assert result.return_value == 21
    assert "1 reports looked at, 1 verdicts" in result.output
    assert "the next harvest goes on there" in result.output


def test_the_harvester_of_a_machine(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENCTI_URL", "OPENCTI_TOKEN", "TTPSCRIBE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    assert from_settings() is None
    monkeypatch.setenv("OPENCTI_URL", scene.platform.url)
    with pytest.raises(SettingsError, match="OPENCTI_TOKEN"):
        from_settings()
    monkeypatch.setenv("OPENCTI_TOKEN", scene.platform.token)
    monkeypatch.setenv("TTPSCRIBE_HARVEST_STATUSES", "Done, Closed")
    found = from_settings()
    assert isinstance(found, OpenCTIHarvester)
    assert found.settings.harvest.statuses == ("Done", "Closed")
