"""What analysts did, as the harvester finds it on the platform."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from harvest_scene import TEXT, Scene, earlier
from opencti_double import Element

from connector.memory import PLATFORM
from engine.harvest import Harvester, QueueEntry

# -- what is a verdict ---------------------------------------------------------------------------


def test_what_was_taken_off_is_rejected_and_what_was_put_on_added(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", markings=["TLP:AMBER"])
    scene.harvest()
    assert scene.verdicts(report) == {}
    scene.remove(report, "T1047")
    scene.add(report, "T1490")
    found = scene.harvest()
    assert scene.verdicts(report) == {"T1047": "rejected", "T1490": "added"}
    assert (found.platform, found.verdicts, found.complete) == ("opencti", 2, True)
    rejected = scene.verdict(report, "T1047")
    analyst = scene.platform.users["analyst"].id
    assert (rejected.who, rejected.known_by, rejected.confidence) == (analyst, "history", 1.0)
    assert (rejected.evidence, rejected.release, rejected.tlp) == (TEXT, "2026-11", "TLP:AMBER")
    edit = scene.platform.events.logs[-2]
    assert rejected.origin == edit["id"]
    assert rejected.at == datetime.fromisoformat(edit["timestamp"])


def test_nothing_is_recorded_twice(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    scene.remove(report, "T1047")
    scene.add(report, "T1490")
    scene.platform.analyst.say("disagree", report, scene.techniques["T1059"])
    scene.platform.analyst.set_status(report, "ANALYZED")
    assert scene.harvest().verdicts == 4
    before = scene.rows()
    again = scene.harvest()
    assert (again.verdicts, again.curated, scene.rows()) == (0, 0, before)
    assert again.reports == 1  # the overlap looks at it again


def test_a_removal_before_anybody_looked_is_found_in_the_history(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047")
    scene.remove(report, "T1047")
    scene.harvest()
    assert scene.verdicts(report) == {"T1047": "rejected"}


def test_what_the_platform_dropped_is_not_rejected(scene: Scene) -> None:
    report = scene.enriched("T1003.001")
    scene.write(report, "T1047")
    element = scene.platform.element(report)  # as if it had never been imported
    element.refs["objects"].remove(scene.techniques["T1047"].id)
    scene.platform.events.logs.pop()
    scene.harvest()
    assert scene.verdicts(report) == {}


def test_changing_ones_mind_is_a_new_verdict(scene: Scene) -> None:
    report = scene.enriched("T1003.001")
    scene.remove(report, "T1003.001")
    scene.harvest()
    scene.add(report, "T1003.001")
    scene.harvest()
    assert scene.verdicts(report) == {"T1003.001": "confirmed"}
    scene.remove(report, "T1003.001")
    scene.harvest()
    history = scene.ledger.history(PLATFORM, report.id, "T1003.001")
    assert [each.verdict for each in history] == ["rejected", "confirmed", "rejected"]


def test_a_technique_made_more_exact_is_a_weaker_rejection(scene: Scene) -> None:
    report = scene.enriched("T1059")
    scene.remove(report, "T1059")
    scene.add(report, "T1059.001")
    scene.harvest()
    assert scene.verdicts(report) == {"T1059": "rejected", "T1059.001": "added"}
    assert scene.verdict(report, "T1059").confidence == 0.5


def test_a_technique_that_was_deleted_altogether_is_no_verdict(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047")
    scene.harvest()
    scene.platform.admin.delete(scene.techniques["T1047"])
    found = scene.harvest()
    assert scene.verdicts(report) == {}
    assert found.skipped == {"technique deleted": 1}


def test_a_draft_of_ours_that_was_merged_is_not_an_analysts_addition(scene: Scene) -> None:
    report = scene.platform.create_report("A report", description=TEXT)
    scene.write(report, "T1003.001", key=f"{report.id}@draft")
    scene.harvest()
    assert scene.verdicts(report) == {}


# -- who is no analyst ---------------------------------------------------------------------------


def test_connectors_and_named_users_give_no_verdicts(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    scene.harvest()
    feed, script = scene.feed(), scene.platform.person("nightly-script")
    feed.add_ref(report, scene.techniques["T1490"])
    feed.remove_ref(report, scene.techniques["T1047"])
    script.remove_ref(report, scene.techniques["T1059"])
    label = scene.platform.create("Label", value="ttpscribe:curated")
    feed.add_label(report, label)  # nor does a report count as curated by them
    found = scene.harvest(bots=["Nightly-Script"])
    assert scene.verdicts(report) == {}
    assert (found.skipped, found.curated) == ({"bot": 3}, 0)


def test_our_own_writing_that_the_ledger_lost_is_no_verdict(scene: Scene) -> None:
    report = scene.platform.create_report("A report", description=TEXT)
    scene.bot.add_ref(report, scene.techniques["T1047"])
    found = scene.harvest()
    assert scene.verdicts(report) == {}
    assert found.skipped == {"own write": 1}


def test_an_import_of_many_is_no_verdict(scene: Scene) -> None:
    reports = [scene.platform.create_report(f"Report {n}", description=TEXT) for n in range(3)]
    for report in reports:
        scene.add(report, "T1047")
        scene.add(report, "T1490")
    assert scene.harvest(mass_edits=6).skipped == {"mass import": 6}
    assert all(scene.verdicts(each) == {} for each in reports)
    scene.ledger.set_cursor(PLATFORM, "changes Report", "2020-01-01T00:00:00.000Z")
    assert scene.harvest(mass_edits=7).verdicts == 6


def test_without_history_what_is_gone_counts_less_and_what_is_new_waits(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047")
    scene.harvest()
    scene.remove(report, "T1047")
    scene.add(report, "T1490")
    scene.refuse_history()
    found = scene.harvest()
    assert scene.verdicts(report) == {"T1047": "rejected"}
    judged = scene.verdict(report, "T1047")
    assert (judged.known_by, judged.who, judged.confidence) == ("difference", None, 0.7)
    assert found.skipped == {"hand not known": 1}
    assert "history of reports cannot be read" in found.notes[0]


# -- curated reports -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["status", "label"])
def test_what_is_kept_on_a_curated_report_is_confirmed(scene: Scene, how: str) -> None:
    report = scene.enriched("T1003.001", "T1047")
    scene.remove(report, "T1047")
    if how == "status":
        scene.platform.analyst.set_status(report, "Analyzed")
    else:
        label = scene.platform.create("Label", value="ttpscribe:curated")
        scene.platform.analyst.add_label(report, label)
    found = scene.harvest()
    assert found.curated == 1
    assert scene.verdicts(report) == {"T1003.001": "confirmed", "T1047": "rejected"}
    kept = scene.verdict(report, "T1003.001")
    assert (kept.known_by, kept.evidence, kept.confidence) == ("curated", TEXT, 0.9)
    (curation,) = scene.ledger.curations(PLATFORM)
    assert (curation.known_by, curation.tlp) == (how, "TLP:GREEN")
    text = scene.harvester().read(report.id)
    assert text is not None
    assert curation.digest == text.digest


def test_a_curated_report_that_was_never_enriched_teaches_too(scene: Scene) -> None:
    feed = scene.feed()
    report = scene.platform.create(
        "Report", "feed", name="From a feed", published="2026-11-20T00:00:00.000Z",
        description=TEXT, objects=[scene.techniques["T1047"].id],
    )  # fmt: skip
    feed.add_ref(report, scene.techniques["T1490"])
    scene.harvest()
    assert scene.verdicts(report) == {}
    scene.platform.analyst.set_status(report, "CLOSED")
    scene.harvest()
    assert scene.verdicts(report) == {"T1047": "added", "T1490": "added"}
    assert scene.verdict(report, "T1047").known_by == "curated"


def test_what_a_person_put_on_a_report_of_a_feed(scene: Scene) -> None:
    scene.feed()
    report = scene.platform.create(
        "Report", "feed", name="From a feed", published="2026-11-20T00:00:00.000Z",
        objects=[scene.techniques["T1047"].id],
    )  # fmt: skip
    scene.age(report, minutes=5)
    scene.add(report, "T1490")
    scene.harvest()
    assert scene.verdicts(report) == {"T1490": "added"}


def test_what_a_person_made_a_report_with_was_added_by_them(scene: Scene) -> None:
    report = scene.platform.create_report("By hand", objects=[scene.techniques["T1047"]])
    scene.harvest()
    judged = scene.verdict(report, "T1047")
    assert (judged.verdict, judged.who) == ("added", scene.platform.users["analyst"].id)


def test_what_was_written_after_the_last_look_is_not_confirmed(scene: Scene) -> None:
    report = scene.platform.create_report("Closed", objects=[scene.techniques["T1047"]])
    scene.platform.analyst.set_status(report, "CLOSED")
    scene.write(report, "T1003.001")  # by a backfill: nobody has looked at it
    scene.harvest()
    assert scene.verdicts(report) == {"T1047": "added"}
    scene.platform.analyst.set_status(report, "NEW")
    scene.platform.analyst.set_status(report, "CLOSED")
    scene.harvest()
    assert scene.verdicts(report) == {"T1003.001": "confirmed", "T1047": "added"}


def test_a_report_that_is_reopened_no_longer_counts(scene: Scene) -> None:
    report = scene.enriched("T1003.001")
    scene.platform.analyst.set_status(report, "ANALYZED")
    scene.harvest()
    scene.platform.analyst.set_status(report, "NEW")
    scene.harvest()
    assert scene.ledger.curations(PLATFORM) == ()
    scene.platform.analyst.set_status(report, "ANALYZED")
    assert scene.harvest().curated == 1
    scene.platform.analyst.set(report, "description", "Another text altogether.")
    assert scene.harvest().curated == 1  # it was curated anew, with the text as it is now


def test_a_reviewer_has_an_hour(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047")
    scene.remove(report, "T1047")
    scene.harvest(reviewers=["analyst"])
    assert scene.ledger.curations(PLATFORM) == ()
    scene.age(report, hours=2)
    scene.ledger.set_cursor(PLATFORM, "settled Report", scene.platform.element(report).created_at)
    scene.harvest(reviewers=["analyst"])
    (curation,) = scene.ledger.curations(PLATFORM)
    assert (curation.known_by, curation.who) == ("reviewer", scene.platform.users["analyst"].id)
    assert scene.verdicts(report)["T1003.001"] == "confirmed"


def test_quiet_counts_only_after_a_person_was_at_the_techniques(scene: Scene) -> None:
    untouched = scene.enriched("T1003.001", name="Nobody looked")
    corrected = scene.enriched("T1003.001", "T1047", name="Somebody looked")
    scene.remove(corrected, "T1047")
    scene.harvest(quiet_days=14)
    assert scene.ledger.curations(PLATFORM) == ()
    # Two weeks pass: neither report changes, so only the time that has passed finds them.
    for report in (untouched, corrected):
        scene.age(report, days=15)
    before = earlier(scene.platform.element(untouched).created_at, timedelta(days=1))
    scene.ledger.set_cursor(PLATFORM, "quiet Report", before)
    scene.harvest(quiet_days=14)
    assert [each.report for each in scene.ledger.curations(PLATFORM)] == [corrected.id]
    kept = scene.verdict(corrected, "T1003.001")
    assert (kept.verdict, kept.confidence) == ("confirmed", 0.6)
    assert scene.verdicts(untouched) == {}


# -- what may not be read ------------------------------------------------------------------------


def test_a_report_over_the_limit_is_left_alone(scene: Scene) -> None:
    report = scene.enriched("T1047", markings=["TLP:RED"])
    scene.remove(report, "T1047")
    scene.platform.analyst.say("disagree", report, scene.techniques["T1047"])
    scene.platform.analyst.set_status(report, "ANALYZED")
    found = scene.harvest()
    assert (found.verdicts, found.curated, found.skipped) == (0, 0, {"over TLP": 2})
    assert scene.harvester().read(report.id) is None


def test_reading_a_report_as_the_engine_gets_it(scene: Scene) -> None:
    own = "ttpscribe-0123456789ab-annotated.html"
    files = [
        ("a.txt", b"It used WMI to run commands.", "text/plain"),
        (own, b"<p>x</p>", "text/html"),
    ]
    report = scene.platform.create_report(
        "A report", description=TEXT, files=files, objects=[scene.techniques["T1047"]],
        markings=["TLP:AMBER"],
    )  # fmt: skip
    harvester: Harvester = scene.harvester()
    assert isinstance(harvester, Harvester)
    text = harvester.read(report.id)
    assert text is not None
    assert [each.text for each in text.document.sentences] == [TEXT, "It used WMI to run commands."]
    assert (text.report, text.tlp, text.techniques) == (report.id, "TLP:AMBER", {"T1047"})
    scene.platform.analyst.delete(report)
    assert harvester.read(report.id) is None


# -- the review label ----------------------------------------------------------------------------


def entry(report: Element) -> QueueEntry:
    return QueueEntry(
        platform="opencti", report=report.id, priority=0.9, techniques=("T1047",), why="Unsure."
    )


def test_the_review_label_is_ours_only_where_we_put_it(scene: Scene) -> None:
    platform = scene.platform
    first, second, third = (platform.create_report(f"Report {n}") for n in range(3))
    label = platform.create("Label", value="ttpscribe:review")
    platform.analyst.add_label(third, label)

    def marked() -> list[bool]:
        return [bool(platform.state(each)["labels"]) for each in (first, second, third)]

    done = scene.harvester().mark([entry(first), entry(second), entry(third)])
    assert (done[first.id], done[third.id]) == ("marked", "marked already, by somebody else")
    assert marked() == [True, True, True]
    platform.analyst.remove_label(second, label)
    done = scene.harvester().mark([entry(first), entry(second)])
    assert done[second.id] == "not marked: an analyst took the label off"
    assert marked() == [True, False, True]
    scene.harvester().mark([])
    assert marked() == [False, False, True]


def test_marking_that_was_cut_off_is_still_ours(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scene.platform.create_report("A report")
    scene.platform.fail(operation="StixDomainObjectAddRelation", status=502, times=1)
    with pytest.raises(Exception, match="OpenCTI"):
        scene.harvester().mark([entry(report)])
    assert scene.harvester().mark([entry(report)]) == {report.id: "marked"}
    scene.platform.analyst.delete(report)
    assert scene.harvester().mark([]) == {report.id: "gone"}
