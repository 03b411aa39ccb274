"""The recorded experiments a-k, each sent again to the double, its end state compared."""

from __future__ import annotations

import json
from typing import Any

from opencti_double import Element, OpenCTIDouble
from opencti_double.probe import Probe
from opencti_double.recorded_day import REPORT
from opencti_double.replay import Replay


def summary(platform: OpenCTIDouble, report: Element) -> dict[str, Any]:
    """Return a report's state in the recordings' own short form."""

    def label(each: Element) -> list[str]:
        if each.is_relationship:
            return [each.entity_type, each.get("description")]
        return [each.entity_type, each.get("x_mitre_id") or each.get("name")]

    held = [platform.element(each) for each in report.refs["objects"]]
    return {
        "confidence": report.confidence,
        "name": report.get("name"),
        "objects": sorted(label(each) for each in held),
        "files": sorted([each.name, len(each.data)] for each in report.files.values()),
    }


def recorded_summary(recorded: dict[str, Any]) -> dict[str, Any]:
    return {
        "confidence": recorded["confidence"],
        "name": recorded["name"],
        "objects": sorted(recorded["objects"]),
        "files": sorted(each[:2] for each in recorded["files"]),
    }


def align(platform: OpenCTIDouble, report: Element, recorded: dict[str, Any]) -> None:
    """Bring the report into the recorded state before a step; edits between are not recorded."""
    report.attributes["confidence"] = recorded["confidence"]
    wanted = sorted(recorded["objects"])
    for kind, name in wanted:
        if [kind, name] in summary(platform, report)["objects"]:
            continue
        found = [
            each
            for each in platform.store.of_type(kind)
            if name in (each.get("x_mitre_id"), each.get("description"), each.get("name"))
        ]
        if kind == "Attack-Pattern" and not found:
            found = [platform.create_attack_pattern(name, name)]
        if kind == "uses" and not found:
            # An earlier step changed the text of the report's only `uses` of T1059.
            found = [platform.element("relationship--a0a9dbab-1284-53f2-8134-e3ef174b451a")]
            found[0].attributes["description"] = name
        if found[0].id not in report.refs["objects"]:
            report.refs["objects"].append(found[0].id)
    report.refs["objects"] = [
        each for each in report.refs["objects"] if _listed(platform, each, wanted)
    ]
    for name, size, *_ in recorded["files"]:
        if name not in report.files or len(report.files[name].data) != size:
            platform.analyst.upload(report, name, b"x" * size)


def _listed(platform: OpenCTIDouble, any_id: str, wanted: list[list[str]]) -> bool:
    each = platform.element(any_id)
    text = each.get("description") if each.is_relationship else None
    return [each.entity_type, text or each.get("x_mitre_id") or each.get("name")] in wanted


REPORT_STEPS = [
    "b3_refs_with_confidence_omitted", "b4_refs_with_lower_confidence_admin_worker",
    "a3_note_id_in_refs_missing_object", "b5_refs_confidence_omitted_user_max_50",
    "b6_refs_confidence_100_user_max_50", "a1_only_one_ref_sent",
    "a2_only_one_ref_sent_update_true", "a3_ref_to_object_that_does_not_exist",
    "a4_empty_object_refs", "k1_resend_ref_removed_by_analyst",
    "k2_report_without_name_and_published", "k3_report_with_id_name_only",
    "k5_report_with_TLP_AMBER_equal_confidence", "b7_lower_confidence_after_proxy_fix",
    "b8_equal_confidence_after_proxy_fix",
]  # fmt: skip


def compare_work(recorded: dict[str, Any], work: Any) -> None:
    assert work.status == recorded["status"]
    assert work.completed_number == recorded["completed_number"]
    assert work.tracking == recorded["tracking"]
    assert len(work.errors) == len(recorded["errors"])
    for theirs, ours in zip(recorded["errors"], work.errors, strict=True):
        assert ours["message"] == theirs["message"]
        assert json.loads(ours["source"]) == json.loads(theirs["source"])


def test_experiments_on_the_report(platform: OpenCTIDouble, imported: Replay, probe: Probe) -> None:
    experiments = imported.load("05_experiments_a_to_k.json")
    report = platform.element(imported.translate(REPORT))
    for name in REPORT_STEPS:
        step = experiments[name]
        align(platform, report, step["report_before"])
        before = recorded_summary(step["report_before"])
        assert summary(platform, report) == before, name
        stamp = report.updated_at
        platform.users["connector"].max_confidence = 50 if "user_max_50" in name else 100
        work = probe.send(*step["sent"], update="update_true" in name)
        compare_work(step["work"], work)
        assert summary(platform, report) == recorded_summary(step["report_after"]), name
        changed = step["report_before"]["updated_at"] != step["report_after"]["updated_at"]
        assert (report.updated_at != stamp) == changed, name
        if "extra" in step:
            markings = platform.state(report)["markings"]
            assert markings == step["extra"]["markings_after"]


def test_experiments_on_notes(platform: OpenCTIDouble, imported: Replay, probe: Probe) -> None:
    experiments = imported.load("05_experiments_a_to_k.json")
    steps = [
        key for key in experiments if key.startswith("c") and "notes_after" in experiments[key]
    ]
    fields = ("standard_id", "x_opencti_stix_ids", "attribute_abstract", "content", "confidence",
              "created", "objects")  # fmt: skip
    for name in sorted(steps, key=lambda key: int(key[1:].split("_")[0])):
        step = experiments[name]
        compare_work(step["work"], probe.send(*_with_author(step["sent"])))
        ours = [
            {**each, "x_opencti_stix_ids": each["stix_ids"],
             "attribute_abstract": each["abstract"]}
            for each in platform.state(imported.translate(REPORT))["notes"]
        ]  # fmt: skip
        theirs = [{key: each[key] for key in fields} for each in step["notes_after"]]
        assert [{key: each[key] for key in fields} for each in ours] == theirs, name


def test_experiments_on_attack_patterns(
    platform: OpenCTIDouble, imported: Replay, probe: Probe
) -> None:
    experiments = imported.load("05_experiments_a_to_k.json")
    for name in (key for key in experiments if key.startswith("e")):
        step = experiments[name]
        before, after = step["before"], step["after"]
        stored = platform.element(before["standard_id"])
        for key in ("name", "aliases", "description", "confidence"):
            stored.attributes[key] = before[key]
        stored.stix_ids = list(before["x_opencti_stix_ids"])
        platform.store.reindex(stored)
        stamp, number = stored.updated_at, len(platform.store.of_type("Attack-Pattern"))
        compare_work(step["work"], probe.send(*step["sent"]))
        for key in ("name", "aliases", "description", "x_mitre_id", "confidence"):
            assert stored.get(key) == after[key], f"{name}: {key}"
        assert stored.standard_id == after["standard_id"]
        assert stored.stix_ids == after["x_opencti_stix_ids"], name
        new = step["attack_pattern_count"][1] - step["attack_pattern_count"][0]
        assert len(platform.store.of_type("Attack-Pattern")) - number == new, name
        if name[:2] not in ("e1", "e6", "e7"):  # there the first touch of the probe counts
            assert (stored.updated_at != stamp) == (before["updated_at"] != after["updated_at"])


def test_experiments_on_relationships(
    platform: OpenCTIDouble, imported: Replay, probe: Probe
) -> None:
    experiments = imported.load("05_experiments_a_to_k.json")

    def rows() -> list[dict[str, Any]]:
        return [
            {
                "standard_id": each.standard_id,
                "x_opencti_stix_ids": list(each.stix_ids),
                "description": each.get("description"),
                "confidence": each.confidence,
                "start_time": each.get("start_time") or "1970-01-01T00:00:00.000Z",
            }
            for each in platform.store.of_type("stix-core-relationship")
        ]

    steps = sorted(
        (key for key in experiments if key.startswith("d")),
        key=lambda key: int(key[1:].split("_")[0]),
    )
    for name in steps:
        step = experiments[name]
        sent = step["sent"] if isinstance(step["sent"], list) else [step["sent"]]
        number = len(rows())
        compare_work(step["work"], probe.send(*_with_author(sent)))
        if "uses_count" in step:
            assert len(rows()) - number == step["uses_count"][1] - step["uses_count"][0], name
        after = step["after"] if isinstance(step["after"], list) else [step["after"]]
        for theirs in after:
            ours = next(each for each in rows() if each["standard_id"] == theirs["standard_id"])
            if theirs["standard_id"].endswith("f3e923a1-5ec6-5501-82de-724a5cbb7c38"):
                continue  # deleted and sent again with another text between d6 and d7
            assert ours == {key: theirs[key] for key in ours}, name


def _with_author(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects with the author in front, who was not always recorded."""
    if any(each["type"] == "identity" for each in sent):
        return sent
    author = {"type": "identity", "spec_version": "2.1", "name": "TTP probe",
              "id": sent[0]["created_by_ref"], "identity_class": "organization"}  # fmt: skip
    return [author, *sent]


def test_experiments_on_files(platform: OpenCTIDouble, imported: Replay, probe: Probe) -> None:
    experiments = imported.load("05_experiments_a_to_k.json")
    report = platform.element(imported.translate(REPORT))
    base = experiments["a4_empty_object_refs"]["sent"][-1]
    probe.send(base)  # the first touch
    for name in (key for key in experiments if key.startswith("g")):
        step = experiments[name]
        sent = {**base, "confidence": step["confidence"], "x_opencti_files": step["sent_files"]}
        stamp = report.updated_at
        work = probe.send(experiments["a4_empty_object_refs"]["sent"][0], sent)
        compare_work(step["work"], work)
        newest_first = sorted(report.files.values(), key=lambda each: each.last_modified)[::-1]
        ours = [
            [each.name, each.id, len(each.data),
             [platform.element(one).get("definition") for one in each.markings]]
            for each in newest_first
        ]  # fmt: skip
        theirs = [
            [each[0], imported.translate(each[1]), each[2], each[5]] for each in step["after"]
        ]
        assert ours == theirs, name
        changed = step["updated_at"][0] != step["updated_at"][1]
        assert (report.updated_at != stamp) == changed, name
