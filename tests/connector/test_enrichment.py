"""End to end: from the analyst's click to what stands on the report, and what comes after."""

from __future__ import annotations

import time
from typing import Any

from connector_rig import (
    CONNECTOR_ID,
    DOCX_SENTENCE,
    PDF_SENTENCE,
    STORY,
    Rig,
    docx,
    example,
    pdf,
)
from opencti_double import Element, OpenCTIDouble
from opencti_double.uploads import Upload

NAMED = ["T1003.001", "T1021.002", "T1059.001", "T1566.001"]


def announced(platform: OpenCTIDouble) -> int:
    """Return how many objects connectors have announced for import."""
    return sum(
        call.variables["expectations"]
        for call in platform.calls
        if call.operation == "addExpectations"
    )


def said(work: Any) -> str:
    return str(work.messages[-1]["message"])


def technique(platform: OpenCTIDouble, x_mitre_id: str) -> Element:
    return next(
        each
        for each in platform.store.of_type("Attack-Pattern")
        if each.get("x_mitre_id") == x_mitre_id
    )


def test_a_report_with_everything(platform: OpenCTIDouble, serving: Rig) -> None:
    platform.create_attack_pattern("T1003.001", "LSASS Memory", description="MITRE's own words.")
    files = [
        ("story.pdf", pdf(PDF_SENTENCE), "application/pdf"),
        ("annex.docx", docx(DOCX_SENTENCE), "application/octet-stream"),
    ]
    report = example(platform, files=files, markings=["TLP:AMBER"])
    before = platform.state(report)
    work = serving.enrich(report)
    after = platform.state(report)

    assert after["techniques"] == sorted([*NAMED, "T1047", "T1490"])
    assert work.errors == []
    assert said(work).startswith("6 techniques written, with 6 relationships, 1 note and 2 files.")
    # What the analyst has is as it was.
    for key in ("standard_id", "name", "description", "content", "confidence", "markings"):
        assert after[key] == before[key]
    assert {name: after["files"][name] for name in before["files"]} == before["files"]
    known = technique(platform, "T1003.001")
    assert (known.get("name"), known.get("description")) == ("LSASS Memory", "MITRE's own words.")
    # The note has every technique with its evidence, and says where it stands.
    (note,) = after["notes"]
    assert note["author"] == "ttpscribe"
    assert "Example Spider used WMI" in note["content"]
    assert "story.pdf, p. 1" in note["content"]
    assert "annex.docx" in note["content"]
    assert serving.opened[0].analyser.engine.release.name in note["content"]
    # The relationships come from the threat that the sentences name, with the quote.
    uses = platform.relationships()
    assert {each["target"] for each in uses} == {*NAMED, "T1047", "T1490"}
    assert {each["source"] for each in uses} == {"Example Spider"}
    assert {each["author"] for each in uses} == {"ttpscribe"}
    wmi = next(each for each in uses if each["target"] == "T1047")
    assert PDF_SENTENCE in wmi["description"]
    # Two files of our own, marked as the report is.
    own = sorted(after["files"].keys() - before["files"].keys())
    assert [name.split("-", 2)[2] for name in own] == ["annotated.html", "navigator.json"]
    html = next(f for f in platform.element(report).files.values() if f.name == own[0])
    assert PDF_SENTENCE.encode() in html.data
    assert html.markings == platform.element(report).refs["objectMarking"]


def test_everything_written_has_author_confidence_and_markings(
    platform: OpenCTIDouble, serving: Rig
) -> None:
    report = example(platform, markings=["TLP:AMBER"])
    serving.enrich(report)
    amber = platform.marking("TLP:AMBER").id
    written = [each for each in platform.store if each.created_by is not None]
    ours = [
        each for each in written if platform.element(each.created_by).get("name") == "ttpscribe"
    ]
    kinds = {each.entity_type for each in ours}
    assert kinds == {"uses", "Note", "Attack-Pattern"}
    for each in ours:
        if each.entity_type != "Attack-Pattern":  # facts of MITRE's, which belong to everyone
            assert each.refs["objectMarking"] == [amber]
    uses = [each for each in ours if each.entity_type == "uses"]
    assert all(50 < (each.confidence or 0) < 100 for each in uses)


def test_the_second_time_nothing_is_sent(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    serving.enrich(report)
    state, objects = platform.state(report), announced(platform)
    work = serving.enrich(report)
    assert said(work) == "Nothing new: this text was read before with this release."
    assert announced(platform) == objects
    assert platform.state(report) == state


def test_new_text_is_read_and_replaces_note_and_files(
    platform: OpenCTIDouble, serving: Rig
) -> None:
    report = example(platform)
    serving.enrich(report)
    before = platform.state(report)
    platform.analyst.set(report, "description", f"{STORY} {DOCX_SENTENCE}")
    serving.enrich(report)
    after = platform.state(report)
    assert after["techniques"] == sorted([*NAMED, "T1490"])
    assert len(after["notes"]) == 1
    assert after["notes"][0]["id"] == before["notes"][0]["id"]
    assert "volume shadow copies" in after["notes"][0]["content"]
    assert after["files"].keys() == before["files"].keys()
    assert all(after["files"][name] != before["files"][name] for name in before["files"])
    assert len(platform.relationships()) == 5


def test_an_analysts_edits_stand(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    serving.enrich(report)
    added = platform.create_attack_pattern("T1105", "Ingress Tool Transfer")
    platform.analyst.remove_ref(report, technique(platform, "T1059.001"))
    platform.analyst.add_ref(report, added)
    expected = ["T1003.001", "T1021.002", "T1105", "T1566.001"]
    serving.enrich(report)
    assert platform.state(report)["techniques"] == expected
    # Nor does new text bring it back, which says the same and more.
    platform.analyst.set(report, "description", f"{STORY} {DOCX_SENTENCE}")
    work = serving.enrich(report)
    state = platform.state(report)
    assert state["techniques"] == sorted([*expected, "T1490"])
    assert (
        "Removed by an analyst, and not written again: [T1059.001]" in state["notes"][0]["content"]
    )
    assert said(work).startswith("1 technique written")


def test_what_an_analyst_deleted_is_not_written_again(
    platform: OpenCTIDouble, serving: Rig
) -> None:
    serving.ttpscribe["label"] = "ttpscribe"
    report = example(platform)
    serving.enrich(report)
    (note,) = platform.state(report)["notes"]
    platform.analyst.delete_note(note["id"])
    uses = next(each for each in platform.relationships() if each["target"] == "T1003.001")
    platform.analyst.delete_relationship(uses["id"])
    gone = next(name for name in platform.state(report)["files"] if name.endswith(".html"))
    platform.analyst.delete_file(report, gone)
    platform.analyst.set(report, "description", f"{STORY} {DOCX_SENTENCE}")
    serving.enrich(report)
    state = platform.state(report)
    assert state["notes"] == []
    assert gone not in state["files"]
    targets = sorted(each["target"] for each in platform.relationships())
    assert targets == ["T1021.002", "T1059.001", "T1490", "T1566.001"]
    assert "T1490" in state["techniques"]


def test_the_file_of_an_analyst_is_never_touched(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    names = ["annotated.html", "navigator.json", "ttpscribe.html", "story.pdf"]
    for name in names:
        platform.analyst.upload(report, name, b"mine", "text/plain", ["TLP:RED"])
    serving.enrich(report)
    state = platform.state(report)
    assert [state["files"][name] for name in names] == [b"mine"] * 4
    red = platform.marking("TLP:RED").id
    assert all(platform.element(report).files[name].markings == [red] for name in names)


def test_own_files_are_not_read(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    serving.enrich(report)
    platform.analyst.set(report, "description", f"{STORY} {DOCX_SENTENCE}")
    platform.calls.clear()
    serving.enrich(report)
    assert [call.path for call in platform.calls if call.path.startswith("/storage")] == []


def test_an_existing_relationship_keeps_its_words(platform: OpenCTIDouble, serving: Rig) -> None:
    lsass = platform.create_attack_pattern("T1003.001", "LSASS Memory")
    report = example(platform)
    (spider,) = platform.store.of_type("Intrusion-Set")
    made = platform.relate(spider, "uses", lsass, description="Seen by us.", confidence=40)
    serving.enrich(report)
    assert made.get("description") == "Seen by us."
    assert made.confidence == 40
    assert made.created_by is None
    assert len([each for each in platform.relationships() if each["target"] == "T1003.001"]) == 1
    assert made.id in platform.element(report).refs["objects"]


def test_two_threats_in_a_sentence_give_no_relationship(
    platform: OpenCTIDouble, serving: Rig
) -> None:
    spider = platform.create("Intrusion-Set", name="Some Spider")
    other = platform.create("Intrusion-Set", name="Other Group")
    for each in (spider, other):
        platform.analyst.set(each, "aliases", ["Panda", "Bear"])
    report = example(
        platform,
        description="Panda dumped LSASS memory (T1003.001).",
        content="<p>Other Group deleted shadow copies (T1490).</p>",
        objects=[spider, other],
    )
    serving.enrich(report)
    assert platform.state(report)["techniques"] == ["T1003.001", "T1490"]
    assert [(u["source"], u["target"]) for u in platform.relationships()] == [
        ("Other Group", "T1490")
    ]


def test_the_confidence_gate_is_told(platform: OpenCTIDouble, serving: Rig) -> None:
    platform.users["connector"].max_confidence = 50
    report = example(platform, confidence=90)
    work = serving.enrich(report)
    state = platform.state(report)
    assert state["techniques"] == []
    assert state["confidence"] == 90
    assert "dropped 4: T1003.001, T1021.002, T1059.001, T1566.001" in said(work)
    assert "may give at most 50" in said(work)
    # Once the user may, another click writes what was dropped.
    platform.users["connector"].max_confidence = 100
    serving.enrich(report)
    assert platform.state(report)["techniques"] == NAMED


def test_the_report_keeps_its_confidence(platform: OpenCTIDouble, serving: Rig) -> None:
    for confidence in (15, 100):
        report = example(platform, f"Report at {confidence}", confidence=confidence)
        serving.enrich(report)
        state = platform.state(report)
        assert (state["confidence"], state["techniques"]) == (confidence, NAMED)


def test_a_renamed_report_stays_one(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    serving.enrich(report)
    platform.analyst.rename(report, "Example Spider, second edition")
    platform.analyst.set(report, "description", f"{STORY} {DOCX_SENTENCE}")
    serving.enrich(report)
    assert len(platform.store.of_type("Report")) == 1
    assert "T1490" in platform.state(report)["techniques"]
    assert len(platform.state(report)["notes"]) == 1


def test_automatic_updates_end_by_themselves(
    platform: OpenCTIDouble, rig: Rig, worker: Any
) -> None:
    rig.connector_settings |= {"auto": True, "auto_update": True}
    worker.start()
    rig.serve()
    report = example(platform)
    import time

    quiet = 0.0
    seen = -1
    while quiet < 3:
        time.sleep(0.25)
        works = list(platform.works.works.values())
        busy = any(w.processed_time is None for w in works) or len(works) != seen
        quiet, seen = (0.0 if busy else quiet + 0.25), len(works)
    assert platform.state(report)["techniques"] == NAMED
    assert 1 < len(works) < 12
    assert sum("written" in said(work) for work in works) == 1


def test_other_containers(platform: OpenCTIDouble, rig: Rig, worker: Any) -> None:
    scope = [
        "Report", "Grouping", "Case-Incident", "Case-Rfi", "Case-Rft", "Note", "Malware-Analysis",
    ]  # fmt: skip
    rig.connector_settings["scope"] = scope
    worker.start()
    rig.serve()
    text = {"description": STORY, "confidence": 60}
    grouping = platform.create("Grouping", name="G", context="suspicious-activity", **text)
    case = platform.create("Case-Incident", name="C", **text)
    rfi = platform.create("Case-Rfi", name="R", **text)
    rft = platform.create("Case-Rft", name="T", **text)
    note = platform.create("Note", content=STORY, attribute_abstract="N", confidence=60)
    for each in (grouping, case, rfi, rft, note):
        work = rig.enrich(each)
        assert platform.state(each)["techniques"] == ["T1059.001", "T1566.001"], work
        assert len(platform.store.of_type(each.entity_type)) == (6 if each is note else 1)
        assert len(platform.state(each)["notes"]) == 1
    assert note.get("content") == STORY


def test_a_malware_analysis_gets_note_and_files(
    platform: OpenCTIDouble, rig: Rig, worker: Any
) -> None:
    rig.connector_settings["scope"] = ["Malware-Analysis"]
    worker.start()
    rig.serve()
    analysis = platform.create(
        "Malware-Analysis", result_name="Sample 1", product="sandbox", confidence=60,
        submitted="2026-11-01T00:00:00.000Z",
        files=[Upload("story.txt", STORY.encode(), "text/plain")],
    )  # fmt: skip
    work = rig.enrich(analysis)
    assert work.errors == []
    after = platform.state(analysis)
    assert len(platform.store.of_type("Malware-Analysis")) == 1
    (note,) = after["notes"]
    assert "T1566.001" in note["content"]
    assert len(after["files"]) == 3
    # It cannot refer to techniques, but the note does.
    assert after["objects"] == []
    held = [platform.element(each).get("x_mitre_id") for each in note["objects"]]
    assert {"T1059.001", "T1566.001"} <= set(held)
    assert said(rig.enrich(analysis)).startswith("Nothing new")


def test_workers_that_import_the_report_before_what_it_refers_to(
    platform: OpenCTIDouble, rig: Rig, worker: Any
) -> None:
    worker.containers_first = True
    rig.serve()
    report = example(platform)
    work_id = platform.ask_enrichment(report, CONNECTOR_ID)
    end = time.monotonic() + 60
    while not platform.work(work_id).expected or platform.queue_size(CONNECTOR_ID, "push") < 9:
        assert time.monotonic() < end
        time.sleep(0.05)
    worker.drain()
    assert platform.state(report)["techniques"] == []  # what OpenCTI does then
    worker.start()
    work = rig.wait(work_id)
    after = platform.state(report)
    assert after["techniques"] == NAMED
    assert sorted(kind for kind, _ in after["objects"]) == sorted(
        ["Intrusion-Set", *["Attack-Pattern"] * 4, *["uses"] * 4]
    )
    assert work.errors == []
    assert "dropped" not in said(work)
    assert len(platform.store.of_type("Report")) == 1


def test_inferences_as_relationships(platform: OpenCTIDouble, rig: Rig, worker: Any) -> None:
    from engine.types import Because, Inference

    class Guessing(type(rig.analyser)):  # type: ignore[misc]
        def analyse(self, *args: Any) -> Any:
            from dataclasses import replace

            guess = Inference("T1105", "Ingress Tool Transfer", 0.4, (Because("T1059.001", 1.0),))
            return replace(super().analyse(*args), inferences=(guess,))

    rig.analyser = Guessing(rig.analyser.engine)
    worker.start()
    rig.serve()
    report = example(platform)
    rig.enrich(report)
    assert "T1105" in platform.state(report)["notes"][0]["content"]
    assert "T1105" not in [each["target"] for each in platform.relationships()]

    rig.ttpscribe["inferences"] = "relationships"
    connector = rig.open()
    rig.connector_settings["id"] = CONNECTOR_ID
    from connector import orders

    outcome = orders.enrich(connector, orders.find(connector.platform, report.id))
    assert not outcome.failed, outcome
    (guess,) = [each for each in platform.relationships() if each["target"] == "T1105"]
    assert guess["confidence"] == 15
    assert guess["description"].startswith("Inferred, not stated in the report")
    assert "T1105" not in platform.state(report)["techniques"]


def test_drafts(platform: OpenCTIDouble, serving: Rig) -> None:
    report = example(platform)
    draft = platform.add_draft("A draft")["id"]
    work = platform.analyst.ask_enrichment(report, CONNECTOR_ID, draft_id=draft)
    serving.wait(work)
    assert platform.state(report)["techniques"] == []
    assert platform.state(report, draft)["techniques"] == NAMED
    assert platform.work(work).errors == []
    # What is in the draft is not in the report yet: that is for a run of its own.
    serving.enrich(report)
    assert platform.state(report)["techniques"] == NAMED


def test_results_wait_in_a_draft_where_the_admin_says_so(
    platform: OpenCTIDouble, rig: Rig, worker: Any
) -> None:
    rig.connector_settings["validate_before_import"] = True
    worker.start()
    rig.serve()
    report = example(platform)
    work = rig.enrich(report)
    assert platform.state(report)["techniques"] == []
    assert platform.state(report, work.draft_context)["techniques"] == NAMED
    assert "waits in a draft for approval" in said(work)


def test_attack_patterns_of_ones_own_are_left_alone(platform: OpenCTIDouble, serving: Rig) -> None:
    own = platform.create_attack_pattern("OUR-CATALOGUE-0000000000042", "Our own")
    old = platform.create_attack_pattern("T1086", "PowerShell")  # revoked long ago
    spider = platform.create("Intrusion-Set", name="Example Spider")
    report = example(platform, objects=[spider, own, old])
    work = serving.enrich(report)
    assert work.errors == []
    assert platform.state(report)["techniques"] == sorted(
        [*NAMED, "OUR-CATALOGUE-0000000000042", "T1086"]
    )
