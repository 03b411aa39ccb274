"""What counts as a verdict in MISP, and what does not."""

from __future__ import annotations

import pytest

from misp_module.statements import judgement_of

from .harvest_rig import (
    CMD,
    LSASS,
    MAIL,
    POWERSHELL,
    REVIEWED,
    name_of,
    own,
)


def test_what_is_offered_written_and_seen_is_no_verdict(rig):
    """Neither is an object that the analyst left unticked, nor one that was never saved at all."""
    event = rig.enriched(leave_out="T1566.001")
    unsaved = rig.misp.event_with("Another", ("text", "It used T1091."))
    rig.answers.answer({"attribute": unsaved["Attribute"][0], "event_id": unsaved["id"]})
    for _ in range(2):
        rig.misp.pass_time(3600)
        done = rig.harvest()
        assert (done.verdicts, done.curated, done.complete) == (0, 0, True)

    assert rig.ledger.seen_present("misp", event["id"]) == {"T1059.001", "T1003.001"}
    assert rig.told(unsaved) == {}


WRONG = {
    "tag removed": (lambda a, e: a.remove_tag(name_of(e, "T1059.001"), POWERSHELL), "history"),
    "object deleted": (lambda a, e: a.delete(own(e, "T1059.001")), "history"),
    "attribute deleted": (lambda a, e: a.delete(name_of(e, "T1059.001")), "history"),
    "deleted for good": (lambda a, e: a.delete(own(e, "T1059.001"), hard=True), "difference"),
    "sighting": (lambda a, e: a.sighting(name_of(e, "T1059.001")), "sighting"),
    "opinion": (lambda a, e: a.opinion(name_of(e, "T1059.001"), 10), "opinion"),
    "opinion on the object": (lambda a, e: a.opinion(own(e, "T1059.001"), 0), "opinion"),
    "note": (lambda a, e: a.note(own(e, "T1059.001"), "Not supported by the text."), "opinion"),
    "confirmed tag": (
        lambda a, e: a.tag(name_of(e, "T1059.001"), 'false-positive:confirmed="true"'),
        "tag",
    ),
    "local tag": (
        lambda a, e: a.tag(name_of(e, "T1059.001"), 'false-positive:risk="high"', local=True),
        "tag",
    ),
}


@pytest.mark.parametrize("way", WRONG)
def test_ways_to_say_wrong(rig, way):
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    act, known_by = WRONG[way]
    act(rig.misp.analyst, event)
    # A local tag that judges leaves the event's time as it was; it shows at the next look.
    if way == "local tag":
        rig.misp.analyst.edit(event, info="Another title")
    done = rig.harvest()
    again = rig.harvest()

    assert rig.told(event) == {"T1059.001": ("rejected", known_by)}
    found = rig.verdicts(event)["T1059.001"]
    assert found.evidence == "It used PowerShell (T1059.001)."
    assert (found.release, found.attack_version) == ("by-id", "18.1")
    assert abs(found.at.timestamp() - rig.misp.now()) < 60
    assert (done.verdicts, again.verdicts, rig.count) == (1, 0, 1)


def test_an_object_deleted_before_the_first_look_is_a_verdict(rig):
    event = rig.enriched()
    rig.misp.analyst.delete(own(event, "T1059.001"))
    rig.harvest()

    assert rig.told(event) == {"T1059.001": ("rejected", "history")}
    assert rig.verdicts(event)["T1059.001"].who == "3"


def test_a_tag_that_misp_dropped_was_not_taken_off(rig):
    rig.misp.clusters = [c for c in rig.misp.clusters if c.external_id != "T1059.001"]
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.edit(event, info="Another title")
    rig.harvest()

    assert rig.told(event) == {}


def test_a_replaced_technique_is_rejected_and_the_other_added(rig):
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.replace_tag(name_of(event, "T1059.001"), POWERSHELL, CMD)
    rig.harvest()

    assert rig.told(event) == {
        "T1059.001": ("rejected", "history"),
        "T1059.003": ("added", "history"),
    }
    added = rig.verdicts(event)["T1059.003"]
    assert (added.who, added.confidence) == ("3", 1.0)
    assert added.evidence == "It used PowerShell (T1059.001).", "it speaks of the same sentence"


def test_a_name_written_over_is_a_replacement_too(rig):
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    name = name_of(event, "T1059.001")
    rig.misp.analyst.edit(name, value="T1059.003 Windows Command Shell")
    rig.misp.analyst.replace_tag(name, POWERSHELL, CMD)
    rig.harvest()

    assert {t: verdict for t, (verdict, _) in rig.told(event).items()} == {
        "T1059.001": "rejected",
        "T1059.003": "added",
    }


def test_what_an_analyst_moved_is_not_rejected(rig):
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.tag(event, POWERSHELL)
    rig.misp.analyst.delete(own(event, "T1059.001"))
    rig.harvest()

    assert rig.told(event) == {}


def test_our_own_tag_of_the_event_speaks_not_for_a_deleted_object(rig):
    event = rig.enriched(tag_event="1")
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.delete(own(event, "T1059.001"))
    rig.misp.analyst.remove_tag(event, LSASS)
    rig.harvest()

    # Our object of T1003.001 is still there: it was only taken off the event as a whole.
    assert {t: verdict for t, (verdict, _) in rig.told(event).items()} == {"T1059.001": "rejected"}
    assert rig.verdicts(event)["T1059.001"].confidence == 0.8


RIGHT = {
    "opinion": (lambda a, e: a.opinion(name_of(e, "T1059.001"), 90), "opinion", 0.9),
    "note": (lambda a, e: a.note(own(e, "T1059.001"), "Confirmed, see page 2."), "opinion", 0.6),
    "review": (lambda a, e: a.tag(name_of(e, "T1059.001"), REVIEWED), "review", 1.0),
    "no false positive": (
        lambda a, e: a.tag(name_of(e, "T1059.001"), 'false-positive:confirmed="false"'),
        "tag",
        1.0,
    ),
}


@pytest.mark.parametrize("way", RIGHT)
def test_ways_to_say_right(rig, way):
    event = rig.enriched()
    act, known_by, confidence = RIGHT[way]
    act(rig.misp.analyst, event)
    rig.harvest()

    assert rig.told(event) == {"T1059.001": ("confirmed", known_by)}
    assert rig.verdicts(event)["T1059.001"].confidence == pytest.approx(confidence)


def test_what_says_nothing_of_a_technique(rig, set_to):
    set_to(bots="script@example.org")
    event = rig.enriched()
    name, analyst = name_of(event, "T1059.001"), rig.misp.analyst
    analyst.sighting(name, "0")
    analyst.opinion(name, 50)
    analyst.opinion(event["Attribute"][0], 0)
    analyst.opinion(event, 0)
    analyst.note(name, "See also the report of last year.")
    analyst.tag(name, 'false-positive:risk="low"')
    analyst.delete(own(event, "T1059.001")["Attribute"][1])  # the evidence only
    rig.misp.as_script(lambda script: script.opinion(name, 0))
    rig.harvest()

    assert rig.told(event) == {}


@pytest.mark.parametrize(
    ("note", "judgement"),
    [
        ("This is a false positive.", "rejected"),
        ("The sentence does not describe it", "rejected"),
        ("That is not correct.", "rejected"),
        ("Confirmed by the sandbox.", "confirmed"),
        ("I agree", "confirmed"),
        ("Correct technique, wrong sub-technique", None),
        ("Seen in June.", None),
        ("", None),
    ],
)
def test_what_notes_say(note, judgement):
    assert judgement_of(note) == judgement


@pytest.mark.parametrize("tag_event", ["0", "1"])
def test_a_change_of_mind(rig, tag_event):
    event = rig.enriched(tag_event=tag_event)
    rig.harvest()
    name, element = name_of(event, "T1059.001"), own(event, "T1059.001")
    steps = [
        (lambda: rig.misp.analyst.delete(element), "rejected"),
        (lambda: rig.misp.analyst.restore(element), "confirmed"),
        (lambda: rig.misp.analyst.tag(name, 'false-positive:confirmed="true"'), "rejected"),
        (lambda: rig.misp.analyst.opinion(name, 0), "rejected"),
        (lambda: rig.misp.analyst.opinion(name, 100), "confirmed"),
    ]
    for number, (act, verdict) in enumerate(steps, 1):
        rig.misp.pass_time(3600)
        act()
        rig.harvest()
        assert rig.told(event)["T1059.001"][0] == verdict, number
        assert rig.count == number


def test_a_technique_that_a_person_put_on(rig):
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.tag(event, CMD)
    rig.harvest()

    assert rig.told(event) == {"T1059.003": ("added", "history")}
    rig.misp.pass_time(3600)
    rig.misp.analyst.remove_tag(event, CMD)
    rig.harvest()
    assert rig.told(event) == {"T1059.003": ("rejected", "history")}


def test_programs_and_our_own_key_judge_nothing(rig, set_to):
    set_to(bots="script@example.org, key:12")
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.as_script(lambda script: script.tag(event, CMD))
    rig.misp.as_script(lambda script: script.remove_tag(name_of(event, "T1059.001"), POWERSHELL))
    rig.misp.via.api = True
    rig.misp.attach(event, event, 'misp-galaxy:mitre-attack-pattern="Mshta - T1218.005"', False,
                    rig.misp.bot)  # fmt: skip
    rig.misp.person.key_id = "12"
    rig.misp.analyst.remove_tag(name_of(event, "T1003.001"), LSASS)
    rig.misp.via.api = False
    done = rig.harvest()

    assert rig.told(event) == {}
    assert done.skipped == {"bot": 3, "own write": 1}


def test_the_interface_of_our_own_user_is_a_person(rig):
    """Where one user serves for both, what comes without the key is an analyst's."""
    from misp_double.analyst import Analyst

    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    Analyst(rig.misp, rig.misp.bot).delete(own(event, "T1059.001"))
    rig.harvest()

    assert rig.told(event) == {"T1059.001": ("rejected", "history")}


def test_the_removal_of_a_local_tag_shows_in_the_audit_log_only(rig):
    event = rig.enriched(local_tags="1")
    rig.misp.pass_time(3600)
    rig.harvest()
    before = event["timestamp"]
    rig.misp.pass_time(3600)
    rig.misp.analyst.remove_tag(name_of(event, "T1059.001"), POWERSHELL)
    rig.misp.analyst.tag(event, CMD, local=True)
    done = rig.harvest()

    assert event["timestamp"] == before
    assert done.reports == 1
    assert rig.told(event) == {
        "T1059.001": ("rejected", "history"),
        "T1059.003": ("added", "history"),
    }
    assert {each.who for each in rig.verdicts(event).values()} == {"3"}


def test_without_the_right_to_the_audit_log(rig):
    """Events enriched lately are looked at each time; who it was is not known."""
    rig.misp.bot.rights["perm_audit"] = False
    event = rig.enriched(local_tags="1")
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.remove_tag(name_of(event, "T1059.001"), POWERSHELL)
    done = rig.harvest()

    assert rig.told(event) == {"T1059.001": ("rejected", "difference")}
    assert rig.verdicts(event)["T1059.001"].who is None
    assert "perm_audit" in done.notes[0]


def test_many_at_once_are_no_single_judgements(rig, set_to):
    set_to(mass="1")
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    for name in (CMD, 'misp-galaxy:mitre-attack-pattern="Mshta - T1218.005"'):
        rig.misp.analyst.tag(event, name)
    done = rig.harvest()
    assert rig.told(event) == {}
    assert done.skipped == {"mass import": 2}

    rig.misp.pass_time(3600)
    for element in list(event["Object"]):
        rig.misp.analyst.delete(element)
    rig.harvest()
    assert {each.verdict for each in rig.verdicts(event).values()} == {"rejected"}
    assert {each.confidence for each in rig.verdicts(event).values()} == {0.5}


def test_a_sighting_of_a_value_judges_no_single_event(rig):
    """By its value, MISP sights the same technique in all events at once."""
    events = [rig.enriched(f"{number}. It used PowerShell (T1059.001).") for number in range(2)]
    for event in events:
        rig.misp.analyst.sighting(name_of(event, "T1059.001"), at=1_700_000_000)
    done = rig.harvest()
    rig.misp.pass_time(40 * 86_400)
    rig.misp.analyst.edit(events[0], info="Another title")
    rig.harvest()

    assert [rig.told(event) for event in events] == [{}, {}]
    assert done.skipped == {"mass import": 2}


def test_the_first_look_at_an_event_with_tags_of_others(rig):
    """On an event that we enriched they are an analyst's, as far as one can tell; else nobody's."""
    plain = rig.misp.event_with("A feed", ("text", "..."))
    mine = rig.misp.event_with("Ours", ("text", "It used PowerShell (T1059.001)."))
    for event in (plain, mine):
        rig.misp.attach(event, event, CMD, False, rig.misp.person)
    rig.misp.audit.clear()  # written before the log was kept
    rig.click(mine)
    rig.harvest()

    assert rig.told(plain) == {}
    assert rig.told(mine) == {"T1059.003": ("added", "difference")}
    assert rig.verdicts(mine)["T1059.003"].confidence == 0.6


def suggest(rig, event):
    body = {"use_case": "tag_suggest", "data": {"Event": event}, "params": {"suggest_limit": 3}}
    return [tag["name"] for tag in rig.answers.answer(body)["results"]["Tag"]]


def test_what_was_ticked_of_the_suggestions_is_confirmed(rig):
    """What was left unticked says nothing, until the event counts as curated."""
    text = "It used PowerShell (T1059.001). It mailed (T1566.001)."
    event = rig.misp.event_with("A campaign", ("text", text))
    assert suggest(rig, event) == [POWERSHELL, MAIL]
    rig.misp.analyst.tag(event, POWERSHELL)
    rig.misp.analyst.tag(event, CMD)
    rig.harvest()
    assert rig.told(event) == {"T1059.001": ("confirmed", "tag")}
    assert rig.verdicts(event)["T1059.001"].evidence == "It used PowerShell (T1059.001)."

    rig.misp.pass_time(3600)
    rig.misp.analyst.tag(event, REVIEWED)
    rig.harvest()
    assert rig.told(event) == {
        "T1059.001": ("confirmed", "tag"),
        "T1059.003": ("added", "curated"),
    }
    assert rig.ledger.curation("misp", event["id"]).complete


def test_a_harvested_rejection_is_left_out_of_later_answers(rig):
    """Also where the object was deleted for good, of which MISP keeps nothing."""
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.delete(own(event, "T1059.001"), hard=True)
    rig.harvest()
    answer = rig.click(event)

    assert "T1059.001" in answer["comment"]
    assert [o["Attribute"][0]["value"].split()[0] for o in event["Object"]] == [
        "T1003.001",
        "T1566.001",
    ]
    assert suggest(rig, event) == []


def test_a_tag_that_was_taken_off_the_event_is_not_offered_again(rig):
    """The audit log tells at once, before any harvest."""
    event = rig.enriched(tag_event="1")
    rig.misp.analyst.remove_tag(event, MAIL)
    rig.click(event, tag_event="1")

    assert MAIL not in [tag["name"] for tag in event["Tag"]]
    assert POWERSHELL in [tag["name"] for tag in event["Tag"]]
