"""A step of a playbook: bundle in, bundle out."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from connector_rig import CONNECTOR_ID, Rig, example, once_away
from opencti_double import Element, OpenCTIDouble

AUTHOR = {"type": "identity", "id": "identity--1", "name": "CERT", "identity_class": "organization"}


def bundle_of(report: Element) -> dict[str, Any]:
    return {
        "type": "bundle",
        "id": "bundle--1",
        "objects": [
            AUTHOR,
            {
                "type": "report",
                "spec_version": "2.1",
                "id": report.standard_id,
                "name": report.get("name"),
                "published": report.get("published"),
                "created_by_ref": AUTHOR["id"],
                "object_refs": ["intrusion-set--kept"],
            },
        ],
    }


def play(platform: OpenCTIDouble, report: Element, bundle: dict[str, Any]) -> dict[str, Any]:
    """Send a bundle through the step; return what comes out."""
    before = len(platform.playbook_steps)
    platform.ask_playbook(report, CONNECTOR_ID, bundle)
    end = time.monotonic() + 60
    while len(platform.playbook_steps) == before:
        assert time.monotonic() < end, "the playbook was not answered"
        time.sleep(0.02)
    step = platform.playbook_steps[-1]
    assert json.loads(step["previous_bundle"]) == bundle
    answer: dict[str, Any] = json.loads(step["bundle"])
    return answer


def test_the_bundle_comes_out_with_the_additions(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    given = bundle_of(report)
    out = play(platform, report, copy.deepcopy(given))
    by_id = {each["id"]: each for each in out["objects"]}
    assert by_id[AUTHOR["id"]] == AUTHOR
    written = by_id[report.standard_id]
    assert written["object_refs"][0] == "intrusion-set--kept"
    techniques = {
        each["x_mitre_id"]: each["id"]
        for each in out["objects"]
        if each["type"] == "attack-pattern"
    }
    assert sorted(techniques) == ["T1003.001", "T1021.002", "T1059.001", "T1566.001"]
    assert set(techniques.values()) <= set(written["object_refs"])
    kinds = sorted(each["type"] for each in out["objects"])
    assert kinds.count("relationship") == 4
    assert kinds.count("note") == kinds.count("report") == 1
    unchanged = {k: v for k, v in written.items() if k not in ("object_refs", "x_opencti_files")}
    assert unchanged == {k: v for k, v in given["objects"][1].items() if k != "object_refs"}
    assert platform.state(report)["techniques"] == []  # the playbook writes, not the connector


def test_the_bundle_comes_back_as_it_was(platform: OpenCTIDouble, serving: Rig) -> None:
    spider = platform.create("Intrusion-Set", name="Example Spider")
    given = bundle_of(spider)
    assert play(platform, spider, given) == given  # out of scope
    red = example(platform, "Red", markings=["TLP:RED"])
    given = bundle_of(red)
    assert play(platform, red, given) == given  # above the highest marking
    empty = platform.create_report("Empty")
    given = bundle_of(empty)
    assert play(platform, empty, given) == given  # nothing to read


def test_a_failure_gives_the_bundle_back(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    platform.fail(operation="AttackPatterns", status=500)
    given = bundle_of(report)
    assert play(platform, report, given) == given
    # The same bundle again is a new message, not one that was done.
    platform.faults.clear()
    assert play(platform, report, given) != given


def test_a_ledger_that_is_away_for_a_moment_costs_no_additions(
    platform: OpenCTIDouble, serving: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = once_away(monkeypatch)
    report = example(platform)
    given = bundle_of(report)
    assert play(platform, report, given) != given
    assert away == []
