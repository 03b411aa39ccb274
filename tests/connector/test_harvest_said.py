"""What analysts say in opinions and notes, and take back."""

from __future__ import annotations

from harvest_scene import Scene

from connector.changes import iso
from connector.memory import PLATFORM

# -- said in so many words -----------------------------------------------------------------------


def test_opinions_on_a_technique_of_a_report(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    lsass, wmi = scene.techniques["T1003.001"], scene.techniques["T1047"]
    scene.platform.analyst.say("strongly-agree", report, lsass)
    opinion = scene.platform.analyst.say("disagree", report, wmi)
    scene.platform.analyst.say("neutral", report, scene.techniques["T1059"])
    scene.platform.analyst.say("disagree", report)  # of the report, not of a technique
    scene.platform.analyst.say("agree", report, explanation="T1490 fits as well.")
    scene.platform.analyst.say("disagree", wmi)  # of the technique, on no report
    scene.harvest()
    assert scene.verdicts(report) == {
        "T1003.001": "confirmed", "T1047": "rejected", "T1490": "added",
    }  # fmt: skip
    assert scene.verdict(report, "T1047").known_by == "opinion"
    assert scene.verdict(report, "T1003.001").confidence == 1.0
    # A change of mind.
    scene.platform.analyst.set(opinion, "opinion", "agree")
    scene.harvest()
    assert scene.verdicts(report)["T1047"] == "confirmed"


def test_an_opinion_on_a_relationship_is_about_the_reports_that_hold_it(scene: Scene) -> None:
    spider = scene.platform.create("Intrusion-Set", name="Example Spider")
    uses = scene.platform.relate(spider, "uses", scene.techniques["T1047"])
    report = scene.enriched("T1047", objects=[spider, uses])
    scene.platform.analyst.say("strongly-disagree", uses)
    scene.harvest()
    assert scene.verdicts(report) == {"T1047": "rejected"}


def test_notes_count_where_they_are_plain(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    scene.platform.analyst.note(
        "T1047 is a false positive: the text quotes a vendor.\nT1003.001 confirmed.\n"
        "T1490 is missing.\nT1059 is perhaps wrong. Is T1021.002 correct?",
        report,
    )
    scene.bot.note("T1003.001 is a false positive", report)
    found = scene.harvest()
    assert scene.verdicts(report) == {
        "T1003.001": "confirmed", "T1047": "rejected", "T1490": "added",
    }  # fmt: skip
    assert found.skipped == {"own write": 1}


# -- taken back ----------------------------------------------------------------------------------


def test_what_was_said_in_an_opinion_or_a_note_that_is_deleted_is_taken_back(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    analyst = scene.platform.analyst
    opinion = analyst.say("strongly-disagree", report, scene.techniques["T1047"])
    note = analyst.note("T1059 is a false positive.\nT1490 is missing.", report)
    analyst.say("agree", report, scene.techniques["T1003.001"])
    scene.harvest()
    assert scene.ledger.removed(PLATFORM, report.id) == {"T1047", "T1059"}
    analyst.delete(opinion)
    analyst.delete_note(note)
    found = scene.harvest()
    assert (found.verdicts, found.withdrawn) == (0, 3)
    assert scene.verdicts(report) == {"T1003.001": "confirmed"}
    taken = {verdict.technique: one for verdict, one in scene.withdrawn(report)}
    assert taken.keys() == {"T1047", "T1059", "T1490"}
    edit = scene.platform.events.logs[-2]  # the note's is the last
    assert taken["T1047"].who == analyst.user.id
    assert (taken["T1047"].origin, iso(taken["T1047"].at)) == (edit["id"], edit["timestamp"])
    before = scene.rows()
    assert (scene.harvest().withdrawn, scene.rows()) == (0, before)


def test_what_an_opinion_outweighed_counts_once_it_is_taken_back(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047")
    analyst, other = scene.platform.analyst, scene.platform.person("second")
    scene.harvest()
    against = analyst.say("strongly-disagree", report, scene.techniques["T1047"])
    scene.harvest()
    other.say("disagree", report, scene.techniques["T1047"])  # no news
    scene.remove(report, "T1003.001")
    scene.harvest()
    assert scene.verdict(report, "T1047").confidence == 1.0
    analyst.delete(against)
    scene.harvest()
    kept = scene.verdict(report, "T1047")
    assert (kept.verdict, kept.confidence, kept.who) == ("rejected", 0.8, other.user.id)
    # What was done to the report itself is not taken back by it.
    praise = analyst.say("agree", report, scene.techniques["T1003.001"])
    scene.harvest()
    assert scene.verdicts(report)["T1003.001"] == "confirmed"
    analyst.delete(praise)
    scene.harvest()
    assert scene.verdicts(report)["T1003.001"] == "rejected"


def test_a_removal_that_an_opinion_said_before_counts_once_that_is_deleted(scene: Scene) -> None:
    report = scene.enriched("T1047")
    opinion = scene.platform.analyst.say("disagree", report, scene.techniques["T1047"])
    scene.harvest()
    scene.remove(report, "T1047")
    scene.harvest()
    assert scene.verdict(report, "T1047").known_by == "opinion"
    scene.platform.analyst.delete(opinion)
    scene.harvest()
    assert scene.verdict(report, "T1047").known_by == "history"


def test_what_an_opinion_or_a_note_says_no_longer_is_taken_back(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047", "T1059")
    analyst = scene.platform.analyst
    opinion = analyst.say("disagree", report, scene.techniques["T1047"])
    note = analyst.note("T1059 is wrong.\nT1003.001 confirmed.", report)
    scene.harvest()
    analyst.set(opinion, "opinion", "neutral")
    analyst.set(note, "content", "T1003.001 confirmed.")
    found = scene.harvest()
    assert (found.verdicts, found.withdrawn) == (0, 2)
    assert scene.verdicts(report) == {"T1003.001": "confirmed"}
    analyst.set(opinion, "opinion", "strongly-disagree")
    scene.harvest()
    assert scene.verdicts(report) == {"T1003.001": "confirmed", "T1047": "rejected"}


def test_what_a_service_deletes_or_hides_is_not_taken_back(scene: Scene) -> None:
    report = scene.enriched("T1003.001", "T1047")
    old = scene.platform.analyst.say("disagree", report, scene.techniques["T1047"])
    hidden = scene.platform.analyst.say("disagree", report, scene.techniques["T1003.001"])
    scene.harvest()
    scene.platform.person("RETENTION MANAGER").delete(old)
    scene.platform.admin.delete(hidden)
    scene.platform.events.logs.pop()  # as where neither list nor history may be seen
    assert scene.harvest().withdrawn == 0
    assert scene.verdicts(report) == {"T1003.001": "rejected", "T1047": "rejected"}


def test_without_history_what_is_not_there_any_more_is_taken_back(scene: Scene) -> None:
    report = scene.enriched("T1047")
    opinion = scene.platform.analyst.say("disagree", report, scene.techniques["T1047"])
    scene.harvest()
    scene.platform.analyst.delete(opinion)
    scene.refuse_history()
    found = scene.harvest()
    assert (found.withdrawn, scene.verdicts(report)) == (1, {})
    assert "history" in " ".join(found.notes)
