"""An analyst quotes the report: where a technique shows is known, and not only that it does."""

from __future__ import annotations

from harvest_scene import TEXT, Scene

from connector.memory import PLATFORM

BODY = "A scheduled task started the loader at every logon. Backups were deleted by a script."
TASK = "A scheduled task started the loader at every logon."
BACKUPS = "Backups were deleted by a script."


def history(scene: Scene, report, technique: str) -> list[tuple[str, str | None]]:
    found = scene.ledger.history(PLATFORM, report.id, technique)
    return [(each.verdict, each.evidence) for each in found]


def test_a_note_that_quotes_says_where_an_added_technique_shows(scene: Scene) -> None:
    report = scene.enriched("T1003.001", description=BODY)
    scene.add(report, "T1490")
    scene.harvest()
    assert history(scene, report, "T1490") == [("added", None)]
    scene.platform.analyst.note(f"T1490:\n> {BACKUPS}", report)
    found = scene.harvest()
    assert found.verdicts == 1
    assert history(scene, report, "T1490") == [("added", None), ("added", BACKUPS)]
    verdict = scene.verdict(report, "T1490")
    assert (verdict.known_by, verdict.confidence) == ("opinion", 0.9)
    assert scene.harvest().verdicts == 0


def test_a_quotation_counts_though_the_technique_was_put_on_after_it(scene: Scene) -> None:
    report = scene.enriched("T1003.001", description=BODY)
    scene.platform.analyst.note(f"T1490: “{BACKUPS}”", report)
    scene.add(report, "T1490")
    scene.harvest()
    assert ("added", BACKUPS) in history(scene, report, "T1490")


def test_what_was_missing_stays_so_once_we_find_it(scene: Scene) -> None:
    report = scene.enriched("T1003.001", description=BODY)
    scene.platform.analyst.note(f"T1490: “{BACKUPS}”", report)
    scene.harvest()
    scene.write(report, "T1490")
    scene.harvest()
    assert history(scene, report, "T1490") == [("added", BACKUPS)]


def test_a_note_may_name_another_sentence_for_what_was_found(scene: Scene) -> None:
    report = scene.enriched("T1059", "T1047", description=BODY)
    scene.platform.analyst.note(f"T1059 confirmed: “{TASK}”", report)
    scene.platform.analyst.note(f"T1047 is a false positive: “{BACKUPS}”", report)
    scene.harvest()
    assert history(scene, report, "T1059") == [("confirmed", TASK)]
    assert history(scene, report, "T1047") == [("rejected", BACKUPS)]


def test_a_note_on_a_technique_and_its_report_needs_no_id(scene: Scene) -> None:
    report = scene.enriched("T1003.001", description=BODY)
    techniques = scene.techniques
    scene.platform.analyst.note(f"> {BACKUPS}", report, techniques["T1490"])
    scene.platform.analyst.note(f"> {TASK}", report, techniques["T1059"], techniques["T1047"])
    scene.platform.analyst.note(f"Is it this one?\n> {TASK}", report, techniques["T1021.002"])
    scene.harvest()
    assert scene.verdicts(report) == {"T1490": "added"}
    assert history(scene, report, "T1490") == [("added", BACKUPS)]


def test_the_explanation_of_an_opinion_may_quote(scene: Scene) -> None:
    report = scene.enriched("T1059", description=BODY)
    scene.platform.analyst.say(
        "strongly-agree", report, scene.techniques["T1059"], explanation=f"“{TASK}”"
    )
    scene.harvest()
    assert history(scene, report, "T1059") == [("confirmed", TASK)]


def test_an_id_that_the_report_names_is_not_named_by_who_quotes_it(scene: Scene) -> None:
    report = scene.enriched("T1059", "T1047", description=BODY)
    scene.platform.analyst.say("disagree", report, explanation="T1059: “It names T1047 itself.”")
    scene.platform.analyst.say("agree", report, explanation="“It names T1047 by its id itself.”")
    scene.harvest()
    assert scene.verdicts(report) == {"T1059": "rejected"}


def test_without_a_quotation_the_evidence_is_what_we_wrote(scene: Scene) -> None:
    report = scene.enriched("T1059", description=BODY)
    scene.write(report, "T1047")
    scene.platform.analyst.note("T1059 confirmed. T1490 and T1047 are missing.", report)
    scene.harvest()
    assert history(scene, report, "T1059") == [("confirmed", TEXT)]
    # Who calls missing what we wrote has not seen our sentence.
    assert history(scene, report, "T1047") == [("added", None)]
    assert history(scene, report, "T1490") == [("added", None)]


def test_what_a_note_no_longer_quotes_is_taken_back(scene: Scene) -> None:
    report = scene.enriched("T1003.001", description=BODY)
    note = scene.platform.analyst.note(f"T1490 is missing: “{TASK}”", report)
    scene.harvest()
    scene.platform.analyst.set(note, "content", f"T1490 is missing: “{BACKUPS}”")
    found = scene.harvest()
    assert (found.withdrawn, found.verdicts) == (1, 1)
    assert history(scene, report, "T1490") == [("added", BACKUPS)]
    scene.platform.analyst.delete_note(note)
    assert scene.harvest().withdrawn == 1
    assert scene.verdicts(report) == {}


def test_a_quotation_is_taken_back_where_the_rest_still_stands(scene: Scene) -> None:
    report = scene.enriched("T1059", description=BODY)
    note = scene.platform.analyst.note(f"T1059 confirmed: “{TASK}”", report)
    scene.harvest()
    scene.platform.analyst.set(note, "content", "T1059 confirmed.")
    found = scene.harvest()
    assert (found.withdrawn, found.verdicts) == (1, 1)
    assert history(scene, report, "T1059") == [("confirmed", TEXT)]
    scene.platform.analyst.set(note, "content", "T1059 confirmed, once more.")
    assert scene.harvest().withdrawn == 0


def test_what_a_program_quotes_is_no_verdict(scene: Scene) -> None:
    report = scene.enriched("T1003.001", description=BODY)
    scene.feed().note(f"T1490: “{BACKUPS}”", report)
    found = scene.harvest()
    assert scene.verdicts(report) == {}
    assert found.skipped == {"bot": 1}
