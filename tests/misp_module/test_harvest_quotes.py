"""Analysts point at sentences of an event: where a technique shows is known, not only that."""

from __future__ import annotations

import time

import pytest

from misp_module.harvester import from_settings
from misp_module.tags import without_inline_tags

from .harvest_rig import CMD, LSASS, POWERSHELL, TEXT, name_of, own

SHELL = "A batch file was started by the command shell."
LONG = f"It is a story of many things. {SHELL} Then it ended."
MAILED = "It mailed (T1566.001)."


def evidence(rig, event, technique: str) -> list[tuple[str, str | None]]:
    return [(v.verdict, v.evidence) for v in rig.ledger.history("misp", event["id"], technique)]


def later(rig) -> None:
    rig.harvest()
    rig.misp.pass_time(3600)


@pytest.mark.parametrize("where", ["event", "report", "attribute"])
def test_a_note_that_names_a_technique_and_quotes(rig, where):
    event = rig.enriched()
    report = rig.misp.add_report(event, {"name": "Story", "content": LONG})
    element = {"event": event, "report": report, "attribute": event["Attribute"][0]}[where]
    later(rig)
    rig.misp.analyst.tag(event, CMD)
    later(rig)
    note = rig.misp.analyst.note(element, f"T1059.003:\n> {SHELL}")
    rig.harvest()
    assert evidence(rig, event, "T1059.003") == [("added", None), ("added", SHELL)]
    assert rig.verdicts(event)["T1059.003"].who == note["authors"]
    assert rig.harvest().verdicts == 0
    rig.misp.analyst.take_back(note)
    assert rig.harvest().withdrawn == 1
    assert evidence(rig, event, "T1059.003") == [("added", None)]


def test_a_note_on_an_old_report_is_found_and_missed(rig):
    # So old, and beside a newer event, that the note alone lets the event be looked at.
    rig.misp.pass_time(-40 * 86_400)
    event = rig.enriched()
    report = rig.misp.add_report(event, {"name": "Story", "content": LONG})
    rig.harvest()
    rig.misp.pass_time(20 * 86_400)
    newer = rig.enriched("Another one used T1091.")
    rig.misp.analyst.tag(newer, LSASS)  # with a log of tags not all that was enriched is looked at
    rig.harvest()
    note = rig.misp.analyst.note(report, f"T1059.003: “{SHELL}”")
    rig.harvest()
    assert evidence(rig, event, "T1059.003") == [("added", SHELL)]
    rig.misp.pass_time(20 * 86_400)
    rig.misp.analyst.note(newer, "Nothing else.")  # so that the first one is no longer the newest
    rig.harvest()
    rig.misp.analyst.take_back(note)
    assert rig.harvest().withdrawn == 1
    assert rig.told(event) == {}


def test_a_note_elsewhere_judges_what_it_names(rig):
    event = rig.enriched()
    note = rig.misp.analyst.note(
        event, f"T1003.001 is a false positive. T1566.001 confirmed.\nT1059.003: “{SHELL}”"
    )
    rig.misp.analyst.note(event, "Perhaps T1059.001 is wrong?")
    rig.misp.as_script(lambda script: script.note(event, "T1047 is missing."))
    rig.harvest()
    assert {t: said for t, (said, _) in rig.told(event).items()} == {
        "T1003.001": "rejected", "T1566.001": "confirmed", "T1059.003": "added",
        "T1047": "added",  # who writes it by the interface is not known to be a program
    }  # fmt: skip
    rig.misp.pass_time(60)
    rig.misp.analyst.say_again(note, note=f"T1003.001 is a false positive. T1059.003: “{MAILED}”")
    found = rig.harvest()
    assert (found.withdrawn, found.verdicts) == (2, 1)
    assert evidence(rig, event, "T1059.003") == [("added", MAILED)]
    assert evidence(rig, event, "T1566.001") == []


def test_what_was_missing_stays_so_once_we_find_it(rig):
    event = rig.misp.event_with("A campaign", ("text", TEXT))
    rig.misp.analyst.note(event, f"T1566.001: “{MAILED}”")
    later(rig)
    rig.click(event)
    rig.misp.pass_time(5)
    rig.harvest()
    assert evidence(rig, event, "T1566.001") == [("added", MAILED)]


def test_an_answer_rates_the_note_that_it_answers(rig):
    event = rig.enriched()
    first = rig.misp.analyst.note(own(event, "T1059.001"), "Confirmed by the sandbox.")
    rig.misp.analyst.opinion(first, 0)
    rig.misp.analyst.note(first, "Wrong. T1003.001 is a false positive.")
    other = rig.misp.analyst.note(event, "T1566.001 confirmed.")
    rig.misp.analyst.note(other, "T1566.001 is a false positive.")
    rig.harvest()
    assert {t: said for t, (said, _) in rig.told(event).items()} == {
        "T1059.001": "confirmed", "T1566.001": "confirmed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (f"“{MAILED} And more.”", ("confirmed", f"{MAILED} And more.")),
        (f"Wrong: “{MAILED} And more.”", ("rejected", f"{MAILED} And more.")),
        (f"Is it “{MAILED} And more.”?", None),
    ],
)
def test_a_note_beside_our_object_may_quote_another_sentence(rig, note, told):
    event = rig.enriched()
    rig.misp.analyst.note(own(event, "T1059.001"), note)
    rig.harvest()
    assert evidence(rig, event, "T1059.001") == [told] * (told is not None)


def test_the_comment_of_an_opinion_may_quote(rig):
    event = rig.enriched()
    rig.misp.analyst.opinion(name_of(event, "T1059.001"), 100, f"“{MAILED} And more.”")
    rig.harvest()
    assert evidence(rig, event, "T1059.001") == [("confirmed", f"{MAILED} And more.")]


def test_a_tagged_text_says_where(rig):
    event = rig.enriched()
    later(rig)
    rig.misp.analyst.tag(event, CMD)
    later(rig)
    (passage,) = [rig.misp.add_attribute(event, {"type": "text", "value": SHELL}, rig.misp.person)]
    event["Attribute"].append(passage[0])
    rig.misp.analyst.tag(passage[0], CMD)
    rig.harvest()
    assert evidence(rig, event, "T1059.003") == [("added", None), ("added", SHELL)]
    assert rig.harvest().verdicts == 0
    rig.misp.pass_time(60)
    rig.misp.analyst.remove_tag(passage[0], CMD)
    assert rig.harvest().withdrawn == 1
    assert evidence(rig, event, "T1059.003") == [("added", None)]
    rig.misp.pass_time(60)
    rig.misp.analyst.tag(passage[0], CMD)
    rig.harvest()
    assert evidence(rig, event, "T1059.003")[-1] == ("added", SHELL)


def test_a_tag_in_the_line_of_a_report_says_where(rig):
    event = rig.enriched()
    report = rig.misp.add_report(event, {"name": "Story", "content": LONG})
    later(rig)
    content = f"It is a story of many things. {SHELL} @[tag]({CMD}) Then it ended.\n"
    rig.misp.analyst.edit(report, content=content + f"@[tag]({LSASS}) Nothing else was seen.")
    rig.harvest()
    # In the text alone it puts nothing on the event; where our technique stands nobody judged yet.
    assert rig.told(event) == {}
    rig.misp.pass_time(60)
    rig.misp.analyst.tag(event, CMD)
    rig.harvest()
    assert evidence(rig, event, "T1059.003") == [("added", None), ("added", SHELL)]
    rig.misp.analyst.edit(event, analysis="2")
    rig.misp.analyst.tag(event, 'workflow:state="complete"')
    rig.misp.analyst.publish(event)
    rig.harvest()
    assert evidence(rig, event, "T1003.001")[-1] == ("confirmed", "Nothing else was seen.")


def test_a_tag_in_a_line_is_no_part_of_the_text(rig):
    event = rig.misp.event_with("A campaign", analysis="2")
    report = rig.misp.add_report(event, {"name": "Story", "content": LONG})
    rig.misp.analyst.tag(event, 'workflow:state="complete"')
    rig.harvest()
    harvester = from_settings()
    before = harvester.read(event["id"])
    odd = 'misp-galaxy:mitre-attack-pattern="Odd (or not) - T1059.003"'
    rig.misp.analyst.edit(report, content=LONG.replace(SHELL, f"{SHELL} @[tag]({odd})"))
    after = harvester.read(event["id"])
    harvester.close()
    assert after.document.text == before.document.text
    assert after.digest == before.digest is not None
    assert without_inline_tags("See [a](b) @[attribute](c)") == "See [a](b) @[attribute](c)"


def test_a_whole_report_that_is_tagged_points_at_nothing(rig):
    event = rig.enriched("Many words. " * 60 + TEXT)
    later(rig)
    rig.misp.analyst.tag(event["Attribute"][0], CMD)
    rig.harvest()
    assert evidence(rig, event, "T1059.003") == [("added", None)]


def test_a_rejected_technique_is_not_pointed_at(rig):
    event = rig.enriched()
    later(rig)
    rig.misp.analyst.delete(own(event, "T1059.001"))
    rig.misp.add_report(event, {"name": "Story", "content": f"{SHELL} @[tag]({POWERSHELL})"})
    rig.harvest()
    assert [said for said, _ in evidence(rig, event, "T1059.001")] == ["rejected"]
    assert evidence(rig, event, "T1059.001")[0][1] != SHELL


@pytest.mark.parametrize("piece", ["@[tag](", '@[tag]("', '@[tag]("(" ', " ", "@[tag](a) "])
def test_long_and_odd_reports_are_read_at_once(piece):
    begun = time.monotonic()
    without_inline_tags(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - begun < 5
