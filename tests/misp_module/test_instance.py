"""Commands and the workflow action on a MISP instance: the double, through PyMISP."""

from __future__ import annotations

import base64
import json

import pytest
from click.testing import CliRunner

from engine.commands.main import build
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from misp_module import settings
from misp_module.asking import InstanceError
from misp_module.audit import AuditLog
from misp_module.cluster_names import known_clusters
from misp_module.instance import connect
from misp_module.verdicts import rejected, tagged

from .conftest import STORY, check_answer, enrich, serve, tags, techniques, wait_until

pytestmark = pytest.mark.usefixtures("instance_environment")
T1566 = 'misp-galaxy:mitre-attack-pattern="Spearphishing Attachment - T1566.001"'


def run(*words: str):
    return CliRunner().invoke(build(), ["misp", *words], standalone_mode=False)


def written(event) -> set[str]:
    return {o["Attribute"][0]["value"].split()[0] for o in event["Object"] if not o["deleted"]}


def test_enriching_an_event_writes_objects_tags_and_a_report(misp):
    event = misp.event_with("A campaign", ("text", STORY), ("ip-dst", "198.51.100.7"))
    done = run("enrich", event["id"])

    assert done.return_value == 0, done.output
    assert {"T1566.001", "T1053.005"} <= written(event)
    assert T1566 in tags(event)
    assert 'ai-computer-assisted:review-level="unreviewed"' in tags(event)
    (report,) = event["EventReport"]
    assert "T1566.001" in report["content"]
    for element in event["Object"]:
        assert len(element["Attribute"][0]["Tag"]) == 4
    assert "object T1566.001" in done.output


def test_the_ledger_knows_what_was_written(misp):
    event = misp.event_with("A campaign", ("text", STORY))
    misp.free_tags.add("tlp:amber")
    misp.analyst.tag(event, "tlp:amber")
    run("enrich", event["id"])
    run("enrich", event["id"])
    with Ledger.open() as ledger:
        rows = ledger.written("misp", event["id"])
        enrichment = ledger.last_enrichment("misp", event["id"])

    objects = {row.object: row for row in rows if row.kind == "object"}
    assert set(objects) == {element["uuid"] for element in event["Object"]}
    (row,) = [row for row in objects.values() if row.technique == "T1566.001"]
    assert "spearphishing" in row.evidence
    assert row.recognizer
    assert enrichment.release in event["Object"][0]["comment"]
    assert enrichment.tlp == "TLP:AMBER"
    assert enrichment.outcome == "done"
    assert len(rows) == len({row.id for row in rows}) == 3 * len(objects) + 1


def test_enriching_twice_changes_nothing(misp):
    event = misp.event_with("A campaign", ("text", STORY))
    run("enrich", event["id"])
    before = json.dumps(event)
    done = run("enrich", event["uuid"])

    assert json.dumps(event) == before
    assert "nothing new" in done.output


def test_what_an_analyst_did_is_never_undone(misp):
    event = misp.event_with("A campaign", ("text", STORY))
    run("enrich", event["id"])
    by_name = {o["Attribute"][0]["value"].split()[0]: o for o in event["Object"]}
    misp.analyst.delete(by_name["T1053.005"])
    misp.analyst.remove_tag(event, T1566)
    before = json.dumps(event["Object"]), json.dumps(event["Tag"])
    run("enrich", event["id"])

    assert (json.dumps(event["Object"]), json.dumps(event["Tag"])) == before


def test_local_tags(misp):
    event = misp.event_with("A campaign", ("text", STORY))
    run("enrich", event["id"], "--local-tags")

    assert event["Tag"]
    assert all(tag["local"] for tag in event["Tag"])


def test_a_key_that_may_not_tag_is_told(misp):
    misp.bot.rights["perm_tagger"] = False
    event = misp.event_with("A campaign", ("text", STORY))
    done = run("enrich", event["id"])

    assert written(event)
    assert event["Tag"] == []
    assert f"no tag {T1566}" in done.output
    assert all("may not tag" in element["comment"] for element in event["Object"])


def test_files_of_an_event_are_read_but_no_samples(misp):
    page = base64.b64encode(f"<html><body><p>{STORY}</p></body></html>".encode()).decode()
    event = misp.event_with("A campaign")
    for kind, name in (("attachment", "report.html"), ("malware-sample", "evil.exe|0123")):
        values = {"type": kind, "value": name, "data": page}
        event["Attribute"].append(misp.add_attribute(event, values, misp.person)[0])
    done = run("enrich", event["id"])

    assert {"T1566.001", "T1053.005"} <= written(event)
    assert done.return_value == 0
    assert [path for _, path in misp.requests].count("attributes/restSearch") == 1


def test_an_instance_without_the_galaxy_and_a_taxonomy(misp):
    misp.clusters = []
    misp.enabled.discard("estimative-language")
    event = misp.event_with("A campaign", ("text", STORY))
    done = run("enrich", event["id"])

    comments = [o["comment"] for o in event["Object"]]
    assert all("no galaxy cluster for" in comment for comment in comments)
    assert all("estimative-language" in comment for comment in comments)
    assert "no tag" in done.output
    assert tags(event["Object"][0]["Attribute"][0]) == [
        'ai-computer-assisted:assistance-level="ai-generated"',
        'ai-computer-assisted:review-level="unreviewed"',
    ]


def test_backfill_reads_what_changed(misp):
    for number in range(3):
        misp.event_with(f"Campaign {number}", ("text", f"{STORY} Number {number}."))
    old = misp.event_with("Old", ("text", STORY))
    old["timestamp"] = "1500000000"
    done = run("backfill", "--since", "7d", "--limit", "2")

    assert done.return_value == 0
    assert "3 events changed" in done.output
    assert [bool(event["Object"]) for event in misp.events.values()] == [True, True, False, False]


def test_an_event_that_is_not_there_is_told_and_the_others_are_read(misp):
    event = misp.event_with("A campaign", ("text", STORY))
    done = run("enrich", "999", event["id"])

    assert done.return_value == InstanceError.exit_code
    assert "Invalid event" in done.output
    assert written(event)


def test_what_cannot_be_read_is_told(misp):
    event = misp.event_with("A campaign", ("text", STORY), ("text", "  "))
    done = run("enrich", event["id"])

    assert "is empty" in done.output
    assert written(event)


def test_a_wrong_key_is_told(misp, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_MISP_KEY", "wrong" * 8)
    settings.load.cache_clear()
    done = run("enrich", "1")

    assert isinstance(done.exception, InstanceError)
    assert "Authentication failed" in str(done.exception)
    assert "wrong" * 8 not in str(done.exception)


def test_an_instance_that_is_down_is_told(monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_MISP_URL", "http://127.0.0.1:9")
    settings.load.cache_clear()
    done = run("enrich", "1")

    assert isinstance(done.exception, InstanceError)


def test_a_key_from_a_file(misp, monkeypatch, tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{misp.bot.key}\n")
    monkeypatch.delenv("TTPSCRIBE_MISP_KEY")
    monkeypatch.setenv("TTPSCRIBE_MISP_KEY_FILE", str(path))
    settings.load.cache_clear()

    assert connect(settings.load()).version()
    assert misp.bot.key not in repr(settings.load())


def test_the_names_of_tags_are_kept(misp):
    first = known_clusters(settings.load())
    asked = len(misp.requests)
    again = known_clusters(settings.load())

    assert first == again
    assert len(misp.requests) == asked
    assert first.source == "instance"


def test_an_instance_that_is_down_is_not_asked_each_time(monkeypatch, misp):
    monkeypatch.setenv("TTPSCRIBE_MISP_TAGS_HOURS", "0.0000001")
    settings.load.cache_clear()
    old = known_clusters(settings.load())
    misp.users.clear()  # the key is refused from now on
    connect.cache_clear()
    again = known_clusters(settings.load())
    asked = len(misp.requests)

    assert again == known_clusters(settings.load()) == old
    assert len(misp.requests) == asked


def test_an_instance_that_was_never_there_leaves_the_shipped_names(monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_MISP_URL", "http://127.0.0.1:9")
    settings.load.cache_clear()

    assert known_clusters(settings.load()).source == "pymispgalaxies"


def test_check_says_what_is_wrong(misp, server, root, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_MISP_MODULES_URL", server.url)
    settings.load.cache_clear()
    good = run("check", "--root", str(root), "--json")
    assert good.return_value == 0, good.output
    assert {one["state"] for one in json.loads(good.output)} == {"good"}

    misp.clusters = [c for c in misp.clusters if c.galaxy != "mitre-ics-techniques"]
    misp.enabled.discard("ai-computer-assisted")
    misp.bot.rights["perm_tagger"] = False
    connect.cache_clear()
    bad = run("check", "--root", str(root / "none"), "--json")
    wrong = {one["subject"] for one in json.loads(bad.output) if one["state"] == "wrong"}
    assert bad.return_value == 1
    assert wrong == {"files", "rights", "galaxy mitre-ics-techniques", "taxonomies"}


def test_check_without_server_and_instance(monkeypatch):
    for name in ("TTPSCRIBE_MISP_URL", "TTPSCRIBE_MISP_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TTPSCRIBE_MISP_MODULES_URL", "http://127.0.0.1:9")
    settings.load.cache_clear()
    done = run("check")

    assert done.return_value == 1
    assert "start misp-modules" in " ".join(done.output.split())


def test_the_server_with_a_key(misp, root, instance_environment):
    """Tags by the instance's names; a workflow's event is enriched in the background."""
    for number, cluster in enumerate(misp.clusters):
        if cluster.external_id == "T1566.001":
            renamed = "Spearphishing by Attachment - T1566.001"
            misp.clusters[number] = type(cluster)(cluster.galaxy, renamed, cluster.external_id)
    event = misp.event_with("A campaign", ("text", STORY))
    body = {
        "module": "ttpscribe_tag",
        "params": {"operating_point": {"type": "string", "value": ""}},
        "data": {"Event": {"id": event["id"], "uuid": event["uuid"], "info": event["info"]}},
    }
    with serve(root, instance_environment) as server:
        answer = server.ask(enrich(STORY))
        assert server.query(body, timeout=2) == {"data": True}
        wait_until(lambda: event["EventReport"])
        audited = misp.event_with("Another", ("text", STORY))
        misp.analyst.tag(audited, 'misp-galaxy:mitre-attack-pattern="Scheduled Task - T1053.005"')
        misp.analyst.remove_tag(audited, tags(audited)[0])
        hook = {"module": "ai_connector", "use_case": "tag_suggest", "data": {"Event": audited}}
        suggested = str(server.ask(hook)["results"]["Tag"])

    check_answer(answer)
    named = tags(answer["results"]["Object"][techniques(answer).index("T1566.001")]["Attribute"][0])
    assert 'misp-galaxy:mitre-attack-pattern="Spearphishing by Attachment - T1566.001"' in named
    assert {"T1566.001", "T1053.005"} <= written(event)
    assert "T1053.005" not in suggested, "an analyst took it off, as the audit log tells"
    assert "T1566.001" in suggested


def test_what_is_late_for_a_job_is_written_by_the_worker(misp, stand_in_root, instance_environment):
    event = misp.event_with("A campaign", ("text", "SLEEP 2 then write"))
    body = {**enrich("SLEEP 2 then write"), "event_id": event["id"], "timeout": 1}
    with serve(stand_in_root, instance_environment) as server:
        assert server.query({**body, "attribute_uuid": "5f0f"}) == {"results": {}}
        wait_until(lambda: written(event) and event["EventReport"])

    assert written(event) == {"T1059.001"}


def test_how_an_analyst_says_wrong(misp):
    knowledge = Knowledge.load()
    event = misp.event_with("A campaign", ("text", STORY))
    run("enrich", event["id"])
    by_name = {o["Attribute"][0]["value"].split()[0]: o for o in event["Object"]}
    one, other = by_name["T1566.001"]["Attribute"][0], by_name["T1053.005"]["Attribute"][0]
    instance = connect(settings.load())

    def wrong():
        return rejected(instance.event(event["id"]), [], knowledge)

    assert wrong() == frozenset()
    assert {"T1566.001", "T1053.005"} <= tagged(event, knowledge)
    misp.analyst.sighting(one, "0")
    misp.analyst.opinion(other, 80)
    misp.analyst.tag(one, 'false-positive:risk="low"')
    misp.analyst.delete(by_name["T1053.005"]["Attribute"][1])  # the evidence, which names others
    assert wrong() == frozenset()
    misp.analyst.sighting(one)
    misp.analyst.opinion(other, 10)
    assert wrong() == {"T1566.001", "T1053.005"}
    misp.pass_time(60)
    misp.analyst.note(event, "T1053.005 confirmed. T1059.001 is a false positive.")
    assert wrong() == {"T1566.001", "T1059.001"}  # the last word of each


def test_who_took_a_tag_off_tells_people_from_programs(misp):
    """Local tags too, whose removal shows in the audit log only; and rows beyond the first page."""
    knowledge = Knowledge.load()
    powershell = 'misp-galaxy:mitre-attack-pattern="PowerShell - T1059.001"'
    mimikatz = 'misp-galaxy:mitre-attack-pattern="LSASS Memory - T1003.001"'
    event = misp.event_with("A campaign", ("text", "Nothing."))
    for name in (powershell, mimikatz):
        misp.analyst.tag(event, name, local=True)
    misp.analyst.remove_tag(event, powershell)
    misp.as_script(lambda script: script.remove_tag(event, mimikatz))
    for _ in range(70):
        misp.analyst.tag(event, T1566)
        misp.analyst.remove_tag(event, T1566)
    instance = connect(settings.load())
    rows = AuditLog(instance, knowledge).of_event(event["id"])
    people = instance.people(["script@example.org"])

    assert rejected(event, rows, knowledge, people) == {"T1059.001", "T1566.001"}
    assert rejected(event, rows, knowledge, instance.people()) > {"T1003.001"}
    assert {row.user for row in rows if row.technique == "T1003.001"} == {"3", "4"}
    misp.analyst.tag(event, powershell)
    rows = AuditLog(instance, knowledge).of_event(event["id"])
    assert rejected(event, rows, knowledge, people) == {"T1566.001"}
