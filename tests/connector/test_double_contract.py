"""The double behaves as the real platform did in experiments a-k.

Everything goes through real pycti: bundles through ``send_stix2_bundle``, RabbitMQ and the
worker's import. The names in the test names are those of the recorded experiments.
"""

from __future__ import annotations

import pytest
from opencti_double import OpenCTIDouble
from opencti_double.probe import Probe
from opencti_double.story import (
    Story,
    attachment,
    attack_pattern,
    identity,
    note,
    report,
    uses,
)

FIXED = "note--3f0a1b2c-0000-4000-8000-000000000001"
LSASS = attack_pattern("T1003.001", "LSASS Memory", confidence=60)
WMI = attack_pattern("T1047", "Windows Management Instrumentation", confidence=60)


# -- a: references are only added --


@pytest.mark.parametrize("update", [False, True], ids=["a1", "a2_update_true"])
def test_a1_a2_one_ref_sent_keeps_the_others(
    platform: OpenCTIDouble, story: Story, probe: Probe, update: bool
) -> None:
    work = probe.send(WMI, report([WMI["id"]]), update=update)
    assert (work.status, work.completed_number, work.errors) == ("complete", 2, [])
    assert platform.state(story.report)["techniques"] == ["T1047", "T1059", "T1566"]


def test_a3_unknown_ref_is_dropped_without_an_error(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    unknown = "attack-pattern--00000000-0000-4000-8000-000000000000"
    work = probe.send(WMI, report([unknown, WMI["id"]]))
    assert work.errors == []
    assert platform.state(story.report)["techniques"] == ["T1047", "T1059", "T1566"]


def test_a4_empty_refs_change_nothing(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    probe.send(report([]))  # the first touch adds the connector to the creators
    before = platform.state(story.report)
    work = probe.send(report([]))
    assert work.errors == []
    assert platform.state(story.report) == before


# -- b: the gate of confidence --


def test_b1_lower_confidence_drops_refs_and_uploads_files(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    files = [attachment("evidence.txt", "bGluZSAxCg==")]
    work = probe.send(LSASS, report([LSASS["id"]], 60, x_opencti_files=files))
    state = platform.state(story.report)
    assert (work.status, work.errors) == ("complete", [])
    assert state["techniques"] == ["T1059", "T1566"]
    assert state["files"]["evidence.txt"] == b"line 1\n"
    assert platform.users["connector"].id in platform.element(story.report).creators


def test_b2_b8_equal_confidence_adds(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    probe.send(LSASS, report([LSASS["id"]], 75))
    state = platform.state(story.report)
    assert state["techniques"] == ["T1003.001", "T1059", "T1566"]
    assert state["confidence"] == 75


def test_b3_b4_left_out_confidence_raises_the_report_and_shuts_out_75(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(LSASS, report([LSASS["id"]], None))
    state = platform.state(story.report)
    assert state["techniques"] == ["T1003.001", "T1059", "T1566"]
    assert state["confidence"] == 100
    work = probe.send(WMI, report([WMI["id"]], 75))
    assert work.errors == []
    assert platform.state(story.report)["techniques"] == state["techniques"]


@pytest.mark.parametrize("confidence", [None, 100], ids=["b5_left_out", "b6_100"])
def test_b5_b6_user_capped_below_is_dropped(
    platform: OpenCTIDouble, story: Story, probe: Probe, confidence: int | None
) -> None:
    platform.users["connector"].max_confidence = 50
    work = probe.send(LSASS, report([LSASS["id"]], confidence))
    assert (work.status, work.errors) == ("complete", [])
    assert platform.state(story.report)["techniques"] == ["T1059", "T1566"]


# -- c: notes --


def test_c1_another_generated_id_makes_a_second_note(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(identity(), note("note--df22c802-9b50-5c64-bf71-d18b88c55c2b", "one"))
    probe.send(identity(), note("note--2228f390-6b74-5407-b8b4-d8a8ad0fed4b", "two"))
    assert len(platform.state(story.report)["notes"]) == 2


def test_c2_c3_c4_c11_fixed_id_with_abstract_is_updated_in_place(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(identity(), note(FIXED, "uuid4 note v1"))
    (first,) = platform.state(story.report)["notes"]
    assert first["standard_id"] == "note--1c16fe36-f758-5f40-96df-3c78960b3f8f"
    assert first["stix_ids"] == [FIXED]
    later = "2026-11-22T03:41:00.000Z"
    probe.send(identity(), note(FIXED, "uuid4 note v2", created=later, modified=later))
    (second,) = platform.state(story.report)["notes"]
    assert (second["id"], second["content"]) == (first["id"], "uuid4 note v2")
    assert second["created"] == first["created"]
    assert second["standard_id"] == "note--d0582326-0716-5b13-ac96-8b1204c5b347"
    assert second["stix_ids"] == [FIXED]


def test_c5_lower_confidence_leaves_the_note(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(identity(), note(FIXED, "v1"))
    before = platform.state(story.report)["notes"]
    work = probe.send(identity(), note(FIXED, "v2", 20))
    assert work.errors == []
    assert platform.state(story.report)["notes"] == before


def test_c6_refs_of_a_note_are_only_added(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    both = [story.report.standard_id, story.interpreter.standard_id]
    probe.send(identity(), note(FIXED, "v1", object_refs=both))
    probe.send(identity(), note(FIXED, "v2", object_refs=both[:1]))
    (only,) = platform.state(story.report)["notes"]
    assert only["content"] == "v2"
    assert only["objects"] == sorted(both)


def test_c7_c8_c10_without_abstract_the_id_is_lost(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    own = "note--78896792-d95e-5c94-bbc4-b00dfb2cfab6"
    created = "2026-11-22T03:45:00.000Z"

    def send(text: str) -> list[tuple[str, list[str]]]:
        probe.send(identity(), note(own, text, abstract=None, created=created, modified=created))
        notes = platform.state(story.report)["notes"]
        return sorted((each["standard_id"], each["stix_ids"]) for each in notes)

    assert send("No abstract note") == [(own, [])]
    changed = "note--eb4f29d2-f727-52c2-8f9d-fe919ea1d707"
    assert send("No abstract note, text changed under same id") == [(changed, [])]
    assert send("No abstract note, third text under the first id") == [
        ("note--2b18afb2-ff38-543b-ab45-b0474242598b", [own]),
        (changed, []),
    ]


def test_c9_left_out_confidence_raises_the_note(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(identity(), note(FIXED, "v1"))
    probe.send(identity(), note(FIXED, "v2", None))
    (only,) = platform.state(story.report)["notes"]
    assert (only["content"], only["confidence"]) == ("v2", 100)


# -- d: relationships --


def sent_uses(
    platform: OpenCTIDouble, story: Story, probe: Probe, confidence: int | None, **more: str
) -> list[tuple[str, int, str | None]]:
    relation = uses(story.spider, story.interpreter, confidence, **more)
    work = probe.send(identity(), relation)
    assert work.errors == []
    return [
        (each["description"], each["confidence"], each["author"])
        for each in platform.relationships(story.spider)
    ]


def test_d1_lower_confidence_keeps_the_text_and_fills_the_author(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    assert sent_uses(platform, story, probe, 60, description="probe") == [
        ("Original analyst text on T1059", 75, "TTP probe")
    ]


@pytest.mark.parametrize(
    ("confidence", "after"), [(75, 75), (80, 80), (None, 100)], ids=["d2", "d3", "d4"]
)
def test_d2_d3_d4_the_analysts_text_is_overwritten(
    platform: OpenCTIDouble, story: Story, probe: Probe, confidence: int | None, after: int
) -> None:
    assert sent_uses(platform, story, probe, confidence, description="probe") == [
        ("probe", after, "TTP probe")
    ]


def test_d5_no_text_leaves_the_old_one(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    ((text, _, _),) = sent_uses(platform, story, probe, 75)
    assert text == "Original analyst text on T1059"


def test_d6_to_d10_start_times(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    def texts(**more: str) -> list[str]:
        return [each[0] for each in sent_uses(platform, story, probe, 100, **more)]

    first = "Original analyst text on T1059"
    d6 = texts(description="d6", start_time="2026-11-01T00:00:00.000Z")
    assert sorted(d6) == [first, "d6"]
    d7 = texts(description="d7", start_time="2026-11-05T00:00:00.000Z")
    assert sorted(d7) == [first, "d7"]  # within 30 days: the same
    d8 = texts(description="d8", start_time="2025-01-05T00:00:00.000Z")
    assert sorted(d8) == [first, "d7", "d8"]
    # Without times the first hit is taken, whatever the id: here the one of d6.
    assert texts(description="d9")[0] == "d9"
    hit = platform.relationships(story.spider)[0]
    assert hit["start_time"] == "2026-11-01T00:00:00.000Z"
    sent_uses(platform, story, probe, 10, description="d10")
    assert platform.relationships(story.spider)[0]["description"] == "d9"
    assert story.uses.standard_id in platform.element(hit["id"]).stix_ids


# -- e: attack-patterns --


@pytest.mark.parametrize(
    ("confidence", "name", "aliases"),
    [
        (50, "Phishing", None),
        (100, "Renamed", ["Phishing"]),
        (None, "Renamed", ["Phishing"]),
    ],
    ids=["e1_lower", "e2_equal", "e3_left_out"],
)
@pytest.mark.parametrize("other_id", [False, True], ids=["same_id", "e4_e5_other_id"])
def test_e1_to_e5_renaming(
    platform: OpenCTIDouble,
    story: Story,
    probe: Probe,
    confidence: int | None,
    name: str,
    aliases: list[str] | None,
    other_id: bool,
) -> None:
    number = len(platform.store.of_type("Attack-Pattern"))
    sent = attack_pattern("T1566", "Renamed")
    if confidence is not None:
        sent["confidence"] = confidence
    if other_id:
        sent["id"] = "attack-pattern--a62a8db3-f23a-4d8f-afd6-9dbc77e7813b"
    probe.send(sent)
    stored = platform.element(story.phishing)
    assert (stored.get("name"), stored.get("aliases")) == (name, aliases)
    assert stored.standard_id == "attack-pattern--d041e624-3991-5138-9544-d3ba2ce68ff7"
    assert len(platform.store.of_type("Attack-Pattern")) == number
    if other_id and confidence == 50:
        assert stored.stix_ids == [sent["id"]]


def test_e6_own_id_without_mitre_id_matches(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    sent = attack_pattern(None, "Phishing", id=story.phishing.standard_id, confidence=100)
    probe.send(sent)
    assert platform.element(story.phishing).get("x_mitre_id") == "T1566"
    assert len(platform.store.of_type("Attack-Pattern")) == 2


def test_e7_name_alone_makes_a_duplicate(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(attack_pattern(None, "Phishing", confidence=100))
    assert len(platform.store.of_type("Attack-Pattern")) == 3


# -- g: files --


def test_g_files_are_keyed_by_name(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    def send(file: dict[str, object], confidence: int = 75) -> dict[str, bytes]:
        probe.send(report([], confidence, x_opencti_files=[file]))
        files: dict[str, bytes] = platform.state(story.report)["files"]
        return files

    send(attachment("evidence.txt", "bGluZSAxCg=="))
    before = platform.state(story.report)
    send(attachment("evidence.txt", "bGluZSAxCg=="))
    assert platform.state(story.report) == before  # g1: same bytes, no change at all
    assert send(attachment("evidence.txt", "bGluZSAyCg=="))["evidence.txt"] == b"line 2\n"  # g2
    assert platform.state(story.report)["updated_at"] > before["updated_at"]
    assert "evidence-2.txt" in send(attachment("evidence-2.txt", "c2Vjb25k"))  # g3
    assert "evidence-3.txt" in send(attachment("evidence-3.txt", "dGhpcmQ="), 20)  # g4
    for version in ("2030-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"):  # g5, g6
        again = attachment("evidence.txt", "bGluZSAx" + ("Cg==" if version < "2025" else ""))
        assert send({**again, "version": version})["evidence.txt"].startswith(b"line 1")
        stored = platform.element(story.report).files["evidence.txt"]
        assert stored.version != version


def test_g7_the_analysts_file_is_overwritten_and_loses_its_marking(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    assert platform.element(story.report).files["story.pdf"].markings
    files = [{"name": "story.pdf", "data": "JVBERi0xLjQgb3RoZXI=", "mime_type": "application/pdf"}]
    probe.send(report([], x_opencti_files=files))
    stored = platform.element(story.report).files["story.pdf"]
    assert (stored.data, stored.markings) == (b"%PDF-1.4 other", [])
