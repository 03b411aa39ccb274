"""What analysts take back in MISP: sightings, opinions, notes and tags."""

from __future__ import annotations

import pytest

from .harvest_rig import LSASS, POWERSHELL, REVIEWED, name_of, own

TAKEN_BACK = {
    "deleted": {
        "T1059.001": (lambda a, o, n: a.sighting(n), lambda a, n, said: a.take_back(said)),
        "T1003.001": (lambda a, o, n: a.opinion(o, 0), lambda a, n, said: a.take_back(said)),
        "T1566.001": (lambda a, o, n: a.note(o, "Wrong."), lambda a, n, said: a.take_back(said)),
    },
    "said no longer": {
        "T1059.001": (
            lambda a, o, n: a.opinion(n, 0),
            lambda a, n, said: a.say_again(said, opinion="50"),
        ),
        "T1003.001": (
            lambda a, o, n: a.note(o, "Wrong."),
            lambda a, n, said: a.say_again(said, note="See page 2."),
        ),
    },
    "tag taken off": {
        "T1059.001": (
            lambda a, o, n: a.tag(n, 'false-positive:confirmed="true"'),
            lambda a, n, said: a.remove_tag(n, 'false-positive:confirmed="true"'),
        ),
        "T1003.001": (
            lambda a, o, n: a.tag(n, REVIEWED),
            lambda a, n, said: a.remove_tag(n, REVIEWED),
        ),
    },
}


@pytest.mark.parametrize("way", TAKEN_BACK)
def test_what_is_taken_back_is_no_verdict_any_more(rig, way):
    # So old, and beside a newer one, that only what was taken back lets an event be looked at.
    rig.misp.pass_time(-40 * 86_400)
    ways, analyst = TAKEN_BACK[way], rig.misp.analyst
    events = {technique: rig.enriched(f"It used {technique}.") for technique in ways}

    def say() -> dict[str, object]:
        return {
            t: ways[t][0](analyst, own(event, t), name_of(event, t)) for t, event in events.items()
        }

    def told() -> list[str]:
        return [technique for event in events.values() for technique in rig.told(event)]

    said = say()
    rig.harvest()
    assert told() == list(ways)
    rig.misp.pass_time(20 * 86_400)
    later = rig.enriched("Another one used T1091.")
    analyst.sighting(name_of(later, "T1091"))
    analyst.tag(later, LSASS)  # with a log of tags not all that was enriched is looked at
    rig.harvest()
    for technique, event in events.items():
        ways[technique][1](analyst, name_of(event, technique), said[technique])
    done = rig.harvest()

    assert told() == []
    assert (done.withdrawn, rig.count) == (len(ways), len(ways) + 2)
    for technique, event in events.items():
        ((verdict, withdrawal),) = rig.ledger.withdrawn("misp", event["id"])
        assert verdict.technique == withdrawal.technique == technique
    # Said again, it counts again.
    rig.misp.pass_time(60)
    say()
    assert rig.harvest().withdrawn == 0
    assert told() == list(ways)


def test_what_was_done_before_holds_again_where_words_are_taken_back(rig):
    event = rig.enriched()
    rig.harvest()
    name = name_of(event, "T1059.001")
    rig.misp.analyst.remove_tag(name, POWERSHELL)
    rig.harvest()
    rig.misp.pass_time(60)
    praise = rig.misp.analyst.opinion(name, 100)
    rig.harvest()
    assert rig.told(event)["T1059.001"] == ("confirmed", "opinion")
    rig.misp.analyst.take_back(praise)
    rig.harvest()

    assert rig.told(event)["T1059.001"] == ("rejected", "history")


def test_words_on_an_object_that_is_deleted_are_not_taken_back_by_that(rig, set_to):
    event = rig.enriched()
    rig.harvest()
    rig.misp.analyst.sighting(name_of(event, "T1059.001"))
    rig.misp.analyst.opinion(own(event, "T1003.001"), 0)
    evidence = own(event, "T1566.001")["Attribute"][1]
    rig.misp.analyst.opinion(evidence, 0)
    rig.harvest()
    rig.misp.pass_time(60)
    rig.misp.analyst.delete(own(event, "T1059.001"))
    rig.misp.analyst.delete(evidence)
    set_to(bots="analyst@example.org")  # who is called a bot later has spoken all the same
    rig.misp.analyst.edit(event, info="Another title")
    done = rig.harvest()

    assert (done.withdrawn, rig.ledger.withdrawn("misp", event["id"])) == (0, ())
    assert [verdict for verdict, _ in rig.told(event).values()] == ["rejected"] * 3
