"""Harvests that break off, clocks that differ, and what else the harvester is asked for."""

from __future__ import annotations

import base64
import json
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from engine.commands.main import build
from engine.documents import from_text, read_bytes
from engine.errors import UsageError
from engine.harvest import Harvester, QueueEntry, harvesters
from misp_module import harvester as harvesting
from misp_module.asking import InstanceError
from misp_module.harvester import MispHarvester, from_settings
from misp_module.harvesting import settings as harvest_settings
from misp_module.report import event_report, imported_text

from .harvest_rig import POWERSHELL, REVIEWED, ById, name_of, own


def texts(number: int) -> str:
    return f"{number}. It used PowerShell (T1059.001)."


def test_a_harvest_that_breaks_off_is_gone_on_with(rig, monkeypatch):
    """Whatever call fails: nothing is skipped, and nothing recorded twice."""
    monkeypatch.setattr(harvesting, "TOGETHER", 1)
    events = [rig.enriched(texts(number)) for number in range(3)]
    rig.misp.pass_time(3600)
    rig.harvest()
    rig.misp.pass_time(3600)
    for event in events:
        rig.misp.analyst.remove_tag(name_of(event, "T1059.001"), POWERSHELL)
        rig.misp.analyst.sighting(name_of(event, "T1059.001"))
        rig.misp.pass_time(5)
    broken = complete = 0
    for fatal in range(30):
        calls = iter(range(100))
        rig.misp.failing = lambda _, calls=calls, fatal=fatal: next(calls) == fatal
        try:
            done = rig.harvest()
        except InstanceError:
            broken += 1
            continue
        complete += done.complete
        broken += not done.complete
        if not done.complete:
            assert "were not looked at" in done.notes[-1]
        if next(calls) <= fatal:
            break

    assert broken >= 5
    assert complete
    assert [rig.told(event)["T1059.001"][0] for event in events] == ["rejected"] * 3
    assert rig.count == 6  # two acts on each
    assert (
        len({each.id for event in events for each in rig.ledger.history("misp", event["id"])}) == 6
    )


def test_only_what_changed_is_looked_at(rig):
    rig.misp.pass_time(-86_400)  # what is new by our own clock is looked at once more, too
    events = [rig.enriched(texts(number)) for number in range(3)]
    rig.misp.pass_time(3600)
    rig.misp.event_with("Newest", ("text", "..."))
    rig.misp.pass_time(3600)
    first = rig.harvest()
    rig.misp.pass_time(3600)
    second = rig.harvest()
    rig.misp.analyst.publish(events[1])  # leaves the event's time as it was
    third = rig.harvest()

    assert first.reports == 4
    assert second.reports == 1, "the newest may have changed again in the same second"
    assert third.reports == 2


def test_two_edits_in_one_second(rig):
    """The index counts whole seconds: a look between the two must not hide the second."""
    event = rig.enriched()
    rig.misp.pass_time(86_400)
    second = rig.misp.now()
    rig.misp.now = lambda: second
    rig.misp.analyst.edit(event, info="First")
    rig.harvest()
    rig.misp.analyst.remove_tag(name_of(event, "T1059.001"), POWERSHELL)
    rig.harvest()

    assert rig.told(event)["T1059.001"][0] == "rejected"


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_clocks_that_differ_lose_nothing(rig, set_to, ahead):
    """MISP's clock is wrong by hours, and it writes local times without a zone."""
    set_to(time_zone="Asia/Tokyo")
    rig.misp.zone = ZoneInfo("Asia/Tokyo")
    rig.misp.ahead = ahead
    event = rig.enriched()
    rig.harvest()
    rig.misp.pass_time(60)
    rig.misp.analyst.remove_tag(name_of(event, "T1059.001"), POWERSHELL)
    rig.misp.analyst.opinion(name_of(event, "T1003.001"), 0)
    rig.harvest()

    found = rig.verdicts(event)
    assert {each.technique for each in found.values()} == {"T1059.001", "T1003.001"}
    assert all(abs(each.at.timestamp() - rig.misp.now()) < 30 for each in found.values())
    assert found["T1059.001"].who == "3"


def test_an_event_that_is_synchronised_with_an_old_time_is_seen(rig):
    event = rig.enriched()
    rig.misp.pass_time(86_400)
    rig.harvest()
    rig.misp.analyst.remove_tag(name_of(event, "T1059.001"), POWERSHELL)
    event["timestamp"] = str(rig.misp.now() - 40 * 86_400)
    rig.harvest()

    assert rig.told(event)["T1059.001"][0] == "rejected"


def test_sightings_are_found_after_a_long_time_without_harvests(rig):
    event = rig.enriched()
    rig.misp.pass_time(-90 * 86_400)
    rig.misp.analyst.sighting(name_of(event, "T1003.001"), "0")
    rig.harvest()
    rig.misp.analyst.sighting(name_of(event, "T1059.001"))
    rig.misp.pass_time(90 * 86_400)
    rig.harvest()

    assert rig.told(event) == {"T1059.001": ("rejected", "sighting")}
    assert rig.verdicts(event)["T1059.001"].who == "org:1"


def test_analyst_data_is_read_in_pages(rig, monkeypatch):
    from misp_module.harvesting import changes

    monkeypatch.setattr(changes, "DATA_PAGE", 2)
    event = rig.enriched()
    rig.misp.pass_time(86_400)
    rig.harvest()
    for technique in ("T1059.001", "T1003.001", "T1566.001"):
        rig.misp.analyst.opinion(own(event, technique), 0)
    rig.harvest()

    assert {each.verdict for each in rig.verdicts(event).values()} == {"rejected"}
    assert rig.count == 3


def test_an_event_that_is_not_understood_holds_up_no_other(rig, caplog):
    caplog.set_level("WARNING")  # Libraries that other tests import raise it.
    odd, event = rig.enriched(texts(1)), rig.enriched(texts(2))
    rig.misp.analyst.opinion(own(odd, "T1059.001"), 0)
    rig.misp.analyst_data["Opinion"][0]["opinion"] = "very bad"
    rig.misp.analyst.opinion(own(event, "T1059.001"), 0)
    done = rig.harvest()
    assert (rig.told(odd), rig.told(event)) == ({}, {"T1059.001": ("rejected", "opinion")})
    assert done.skipped == {"not understood": 1}
    assert f"event {odd['id']}" in done.notes[0]
    assert "very bad" in caplog.text

    rig.misp.analyst_data["Opinion"][0]["opinion"] = "0"
    rig.harvest()
    assert rig.told(odd) == {"T1059.001": ("rejected", "opinion")}


def test_reading_an_event(rig):
    """All of its texts as one document, and files, but nothing of ours."""
    event = rig.enriched()
    page = f"<html><body><p>{texts(7)}</p></body></html>".encode()
    attachment = {"type": "attachment", "value": "a.html", "data": base64.b64encode(page).decode()}
    event["Attribute"].append(rig.misp.add_attribute(event, attachment, rig.misp.person)[0])
    imported = rig.answers.answer(
        {
            "module": "ttpscribe_import", "event_id": event["id"], "filename": "b.txt",
            "data": base64.b64encode(b"Imported: *it* ran [mshta] (T1218.005)! The end.").decode(),
        }
    )  # fmt: skip
    rig.misp.save_module_results(event, imported)
    rig.misp.analyst.tag(event, REVIEWED)
    rig.harvest()
    harvester = from_settings()
    read = harvester.read(event["id"])

    assert isinstance(harvester, Harvester)
    sentences = [sentence.text for sentence in read.document.sentences]
    assert "It used PowerShell (T1059.001)." in sentences
    assert read.document.text.count("It used PowerShell (T1059.001).") == 2
    assert "Imported: *it* ran [mshta] (T1218.005)!" in sentences
    assert "attack.mitre.org" not in read.document.text
    assert "by-id" not in read.document.text
    for sentence in read.document.sentences:
        assert read.document.text[sentence.start : sentence.end] == sentence.text
    assert read.techniques == {"T1059.001", "T1003.001", "T1566.001", "T1218.005"}
    assert read.digest == rig.ledger.curation("misp", event["id"]).digest

    rig.misp.analyst.edit(event["Attribute"][0], value="Another text.")
    assert harvester.read(event["id"]).digest != read.digest
    rig.misp.free_tags.add("tlp:red")
    rig.misp.analyst.tag(event, "tlp:red")
    assert harvester.read(event["id"]) is None
    assert harvester.read("4711") is None
    empty = rig.misp.event_with("Nothing to read", ("ip-dst", "198.51.100.7"))
    assert harvester.read(empty["id"]) is None
    harvester.close()


@pytest.mark.parametrize(
    "text",
    [
        "It used T1059.001, T1003.001 and *stars*. Then (T1566.001) came.\n\nA second paragraph.",
        "Nothing here.",
        "See https://example.org/a_b(c) for T1059. It is **bold** (T1003.001) [x](y).",
    ],
)
def test_an_imported_text_is_read_back_without_our_marks(text):
    analysis = ById().analyse(from_text(text), "balanced", 0)
    content = event_report([("a.txt", analysis)], text=True)
    again = read_bytes(imported_text(content).encode(), "a.md", "text/markdown")
    assert [s.text for s in again.sentences] == [s.text for s in analysis.document.sentences]
    assert imported_text(event_report([("a.txt", analysis)])) == ""


def test_whether_the_text_is_the_one_that_was_judged(rig):
    """Without a curation, single texts were judged: their evidence tells."""
    event = rig.enriched()
    harvester = from_settings()
    assert harvester.read(event["id"]).digest is None
    rig.misp.add_report(event, {"name": "More", "content": "Another text (T1091)."})
    assert harvester.read(event["id"]).digest is None
    rig.misp.analyst.edit(event["Attribute"][0], value="It used nothing.")
    assert harvester.read(event["id"]).digest is not None
    harvester.close()


def entry(event, platform="misp"):
    return QueueEntry(platform=platform, report=event["id"], priority=0.9,
                      techniques=("T1059.001",), why="unsure")  # fmt: skip


def test_marking_events_for_review(rig):
    """Exactly these, and never a mark that an analyst put on."""
    misp = rig.misp
    tag = harvest_settings.load().review_tag
    one, two, theirs = (misp.event_with(f"{n}", ("text", "...")) for n in range(3))
    harvester = from_settings()
    assert "Does the tag ttpscribe:review exist" in harvester.mark([entry(one)])[one["id"]]

    misp.free_tags.add(tag)
    misp.analyst.tag(theirs, tag, local=True)
    before = [event["timestamp"] for event in (one, two, theirs)]
    misp.pass_time(60)
    told = harvester.mark([entry(one), entry(theirs), entry(two, "opencti")])
    assert told == {one["id"]: "marked", theirs["id"]: "an analyst has marked it"}
    assert [t["local"] for t in one["Tag"]] == [True]
    assert harvester.mark([entry(one)]) == {one["id"]: "marked already"}
    assert harvester.mark([entry(two)]) == {two["id"]: "marked", one["id"]: "no longer marked"}
    assert [[t["name"] for t in e["Tag"]] for e in (one, two, theirs)] == [[], [tag], [tag]]
    misp.analyst.remove_tag(two, tag)
    del misp.events[one["id"]]
    assert harvester.mark([]) == {two["id"]: "no longer marked"}
    assert harvester.mark([entry(one)]) == {one["id"]: "gone, or the key may not see it"}
    assert [event["timestamp"] for event in (one, two, theirs)] == before
    harvester.close()


def run(*words: str):
    return CliRunner().invoke(build(), ["misp", "harvest", *words], standalone_mode=False)


def test_the_command(rig):
    event = rig.enriched()
    rig.misp.analyst.delete(own(event, "T1059.001"))
    done = run("--json")
    assert done.return_value == 0
    told = json.loads(done.stdout)
    assert (told["reports"], told["verdicts"], told["complete"]) == (1, 1, True)
    assert "1 of 1 events" in done.stderr
    again = run("--quiet")
    assert "0 new verdicts" in again.stdout
    assert again.stderr == ""


def test_a_misp_that_is_down_is_told(rig, monkeypatch):
    monkeypatch.setattr(harvesting, "TOGETHER", 1)
    for number in range(2):
        rig.enriched(texts(number))
    rig.misp.failing = lambda path: path == "events/index"
    down = run()
    assert isinstance(down.exception, InstanceError)
    calls = iter(range(9))
    rig.misp.failing = lambda path: path == "events/restSearch" and next(calls) > 0
    half = run()
    assert half.return_value == InstanceError.exit_code
    assert "1 events were not looked at" in half.stdout


def test_a_misp_that_is_down_from_the_start_keeps_nobody_from_other_work(rig, set_to):
    """A night learns from what the ledger holds, and the queue is listed."""
    set_to(url="http://127.0.0.1:1")
    harvester = from_settings()
    for ask in (lambda: harvester.harvest(rig.ledger), lambda: harvester.read("1"),
                lambda: harvester.mark([])):  # fmt: skip
        with pytest.raises(InstanceError, match="does not answer"):
            ask()
    harvester.close()


def test_not_set_half_set_and_wrongly_set(rig, set_to):
    with harvesters() as found:
        assert "misp" in [each.platform for each in found]
        assert any(isinstance(each, MispHarvester) for each in found)
    set_to(key=None)
    with pytest.raises(UsageError, match="TTPSCRIBE_MISP_KEY"):
        from_settings()
    set_to(url=None)
    assert from_settings() is None
    assert isinstance(run().exception, UsageError)
    set_to(url=rig.misp.url, key=rig.misp.bot.key)
    for name, value in {
        "curated_when": "review+quiet",
        "mass": "many",
        "max_tlp": "TLP:PINK",
        "time_zone": "Mars/Olympus",
    }.items():
        set_to(**{name: value})
        with pytest.raises(UsageError, match=f"TTPSCRIBE_MISP_{name.upper()}"):
            from_settings()
        set_to(**{name: None})
