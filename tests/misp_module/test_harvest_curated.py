"""Which events count as curated, and what that says of their techniques."""

from __future__ import annotations

import pytest

from misp_module.harvesting.curating import sure
from misp_module.tlp import tlp_of

from .harvest_rig import CMD, LSASS, OLD_POWERSHELL, REVIEWED, name_of, own

COMPLETE = 'workflow:state="complete"'


def finish(rig, event, sign):
    match sign:
        case "review":
            rig.misp.analyst.tag(event, REVIEWED)
        case "workflow":
            rig.misp.analyst.tag(event, COMPLETE)
        case "analysis":
            rig.misp.analyst.edit(event, analysis="2")
        case "published":
            rig.misp.analyst.publish(event)


@pytest.mark.parametrize(
    ("signs", "setting", "reason"),
    [
        (("review",), None, "review"),
        (("workflow",), None, "workflow"),
        (("analysis", "published"), None, "published+analysis"),
        (("analysis",), None, None),
        (("published",), None, None),
        (("published",), "review, published", "published"),
        (("review",), "published", None),
    ],
)
def test_signs(rig, set_to, signs, setting, reason):
    if setting:
        set_to(curated_when=setting)
    event = rig.enriched()
    rig.misp.pass_time(3600)
    rig.harvest()
    rig.misp.pass_time(3600)
    for sign in signs:
        finish(rig, event, sign)
    done = rig.harvest()
    again = rig.harvest()

    curation = rig.ledger.curation("misp", event["id"])
    if reason is None:
        assert (curation, rig.told(event), done.curated) == (None, {}, 0)
        return
    assert (curation.known_by, curation.complete, done.curated) == (reason, True, 1)
    kept = dict.fromkeys(["T1059.001", "T1003.001", "T1566.001"], ("confirmed", "curated"))
    assert rig.told(event) == kept
    assert {each.confidence for each in rig.verdicts(event).values()} == {sure(reason)}
    assert (again.verdicts, again.curated) == (0, 0)


def test_two_signs_are_surer_than_each():
    assert sure("published") < sure("analysis") < sure("published+analysis") < sure("review") == 1


def test_curated_events_that_were_never_enriched_are_labels_too(rig):
    event = rig.misp.event_with("By hand", ("text", "It used some shell."))
    rig.misp.pass_time(3600)
    rig.misp.free_tags.add(OLD_POWERSHELL)  # of a galaxy and an id that are no longer
    rig.misp.free_tags.add("tlp:green")
    for name in (OLD_POWERSHELL, LSASS, "tlp:green", COMPLETE):
        rig.misp.analyst.tag(event, name)
    rig.harvest()

    assert rig.told(event) == {
        "T1059.001": ("added", "curated"),
        "T1003.001": ("added", "curated"),
    }
    assert rig.verdicts(event)["T1059.001"].tlp == "TLP:GREEN"
    curation = rig.ledger.curation("misp", event["id"])
    assert (curation.tlp, curation.attack_version) == ("TLP:GREEN", "18.1")


def test_a_rejection_outlives_curation_and_a_confirmation_does_not_hide_one(rig):
    event = rig.enriched()
    rig.misp.analyst.opinion(name_of(event, "T1059.001"), 0)
    rig.misp.analyst.delete(own(event, "T1003.001"))
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.tag(event, REVIEWED)
    rig.harvest()
    told = {technique: verdict for technique, (verdict, _) in rig.told(event).items()}
    assert told == {"T1059.001": "rejected", "T1003.001": "rejected", "T1566.001": "confirmed"}

    rig.misp.pass_time(3600)
    rig.misp.analyst.delete(own(event, "T1566.001"))
    rig.harvest()
    assert rig.told(event)["T1566.001"] == ("rejected", "history")


def test_an_event_that_was_reopened_counts_no_longer(rig):
    event = rig.enriched()
    rig.misp.analyst.tag(event, COMPLETE)
    rig.harvest()
    rig.misp.pass_time(3600)
    rig.misp.analyst.remove_tag(event, COMPLETE)
    rig.harvest()
    assert rig.ledger.curations("misp") == ()

    rig.misp.pass_time(3600)
    rig.misp.analyst.tag(event, COMPLETE)
    rig.misp.analyst.tag(event, CMD)
    done = rig.harvest()
    assert done.curated == 1
    assert rig.told(event)["T1059.003"] == ("added", "history")


@pytest.mark.parametrize(
    ("orgs", "counts"),
    [(None, False), ("all", True), ("OTHERS", True), ("own", False), ("own,NOBODY", False)],
)
def test_whose_events_count(rig, set_to, orgs, counts):
    if orgs:
        set_to(curated_orgs=orgs)
    event = rig.misp.event_with("Pulled", ("text", "..."), orgc_id="2")
    rig.misp.pass_time(3600)
    rig.misp.analyst.tag(event, CMD)
    rig.misp.analyst.tag(event, COMPLETE)
    rig.harvest()

    assert bool(rig.told(event)) == counts


def test_an_event_made_and_published_at_once_was_made_by_a_program(rig):
    event = rig.misp.event_with("A feed", ("text", "..."), analysis="2")
    rig.misp.analyst.tag(event, CMD)
    rig.misp.analyst.publish(event)
    done = rig.harvest()

    assert (rig.told(event), done.skipped) == ({}, {"mass import": 1})


@pytest.mark.parametrize(
    ("names", "tlp"),
    [
        ([], None),
        (["tlp:white"], "TLP:CLEAR"),
        (["TLP:AMBER", "tlp:green", "pap:red"], "TLP:AMBER"),
        (["tlp:amber", "tlp:amber+strict"], "TLP:AMBER+STRICT"),
        (["tlp:unclear"], "TLP:RED"),
    ],
)
def test_the_strictest_marking_counts(names, tlp):
    assert tlp_of({"Tag": [{"name": name} for name in names]}) == tlp


def test_what_is_marked_too_high_is_left_alone(rig):
    event = rig.enriched()
    rig.misp.free_tags.add("tlp:red")
    rig.misp.analyst.tag(event, "tlp:red")
    rig.misp.analyst.tag(event, REVIEWED)
    done = rig.harvest()

    assert (rig.told(event), done.skipped) == ({}, {"over TLP": 1})
    assert rig.ledger.curations("misp") == ()
