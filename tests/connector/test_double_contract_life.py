"""The double behaves as the real platform did: edits, works, queue, reading, traps (f, h-k).

Everything goes through real pycti: bundles through ``send_stix2_bundle``, RabbitMQ and the
worker's import. The names in the test names are those of the recorded experiments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filigran_sseclient import SSEClient
from opencti_double import OpenCTIDouble, RabbitMQ
from opencti_double.probe import Probe
from opencti_double.story import (
    AMBER,
    GREEN,
    NAME,
    PUBLISHED,
    Story,
    attack_pattern,
    identity,
    note,
    report,
    uses,
)
from pycti import OpenCTIApiClient

FIXED = "note--3f0a1b2c-0000-4000-8000-000000000001"
LSASS = attack_pattern("T1003.001", "LSASS Memory", confidence=60)
WMI = attack_pattern("T1047", "Windows Management Instrumentation", confidence=60)


# -- f: an analyst's edits, as stream and history show them --


def test_f1_f2_removed_ref(platform: OpenCTIDouble, story: Story) -> None:
    before = platform.state(story.report)
    platform.analyst.remove_ref(story.report, story.interpreter)
    after = platform.state(story.report)
    assert after["techniques"] == ["T1566"]
    assert after["updated_at"] == after["modified"] > before["modified"]
    event = platform.events.stream[-1]
    assert event["event"] == "update"
    assert event["data"]["origin"]["user_id"] == platform.users["analyst"].id
    (change,) = event["data"]["context"]["changes"]
    assert change["field"] == "Report--objects"
    assert [each["raw"] for each in change["changes_removed"]] == [story.interpreter.id]
    # The reverse patch is positional: it names refs that were not removed.
    values = [each.get("value") for each in event["data"]["context"]["reverse_patch"]]
    assert story.phishing.standard_id in values
    log = platform.events.logs[-1]["context_data"]
    expected = "removes `[T1059] Command and Scripting Interpreter` in `Contains`"
    assert log["message"] == expected
    assert story.interpreter.id not in json.dumps(log["changes"])


def test_f3_added_ref(platform: OpenCTIDouble, story: Story) -> None:
    lsass = platform.create_attack_pattern("T1003.001", "LSASS Memory")
    platform.analyst.add_ref(story.report, lsass)
    assert platform.state(story.report)["techniques"] == ["T1003.001", "T1059", "T1566"]
    (change,) = platform.events.stream[-1]["data"]["context"]["changes"]
    assert [each["raw"] for each in change["changes_added"]] == [lsass.id]


def test_f_stream_through_pyctis_own_client(platform: OpenCTIDouble, story: Story) -> None:
    headers = {"authorization": f"Bearer {platform.token}", "listen-delete": "true"}
    already = len(platform.events.stream)
    messages = iter(SSEClient(f"{platform.url}/stream/live", "0-0", headers=headers, verify=False))
    assert next(messages).event == "connected"
    history = [next(messages) for _ in range(already)]
    assert {each.event for each in history} == {"create"}
    platform.analyst.remove_ref(story.report, story.interpreter)
    change = next(each for each in messages if each.event != "heartbeat")
    assert change.event == "update"
    assert json.loads(change.data)["context"]["changes"][0]["field"] == "Report--objects"
    platform.analyst.delete_relationship(story.uses)
    gone = next(each for each in messages if each.event not in ("heartbeat", "update"))
    assert gone.event == "delete"
    # From an event on: what came before it is not sent again.
    later = iter(SSEClient(f"{platform.url}/stream/live", change.id, headers=headers, verify=False))
    assert [next(later).event for _ in range(2)] == ["connected", "delete"]


# -- h and i: works and the queue --


def test_enrichment_round_trip(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    probe.listen(lambda data: "Nothing to send")
    work = platform.wait_for_work(platform.ask_enrichment(story.report, probe.id))
    assert [each["message"] for each in work.messages] == [
        "Connector ready to process the operation",
        "Nothing to send",
    ]
    assert work.tracking == {"import_expected_number": 1, "import_processed_number": 1}
    (data,) = probe.received
    assert set(data) == {
        "enrichment_entity", "entity_id", "entity_type", "event_type", "stix_entity",
        "stix_objects",
    }  # fmt: skip
    # pycti replaced the message's entity by its own export: files in, rich text out.
    assert "content" not in data["stix_entity"]
    assert data["stix_entity"]["x_opencti_files"][0]["name"] == "story.pdf"


def test_h_exception_ends_the_work_with_its_text(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    def fail(data: object) -> str:
        raise ValueError("deliberate failure in the callback")

    probe.listen(fail)
    work = platform.wait_for_work(platform.ask_enrichment(story.report, probe.id))
    assert [each["message"] for each in work.errors] == ["deliberate failure in the callback"]


CONNECTOR = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pycti import OpenCTIConnectorHelper
helper = OpenCTIConnectorHelper({
    "opencti": {"url": sys.argv[2], "token": sys.argv[3]},
    "connector": {"id": sys.argv[4], "type": "INTERNAL_ENRICHMENT", "name": "TTP probe",
                  "scope": "Report", "log_level": "critical"}})
def callback(data):
    print("in callback", flush=True)
    time.sleep(float(sys.argv[5]))
    return "Nothing to send"
helper.listen(callback)
"""


def test_i1_killed_in_the_callback_the_message_is_gone(
    platform: OpenCTIDouble, story: Story
) -> None:
    connector_id = "22222222-aaaa-4aaa-8aaa-222222222222"
    arguments = [str(Path(__file__).parent), platform.url, platform.token, connector_id, "60"]
    with subprocess.Popen(
        [sys.executable, "-c", CONNECTOR, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ),
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while connector_id not in platform.works.connectors and time.monotonic() < deadline:
                time.sleep(0.05)
            work_id = platform.ask_enrichment(story.report, connector_id)
            assert process.stdout is not None
            assert process.stdout.readline() == "in callback\n"
        finally:
            process.kill()
    assert platform.work(work_id).status == "progress"
    time.sleep(0.5)
    assert platform.queue_size(connector_id) == 0


def test_i2_unacknowledged_message_comes_again(
    platform: OpenCTIDouble, story: Story, probe: Probe, rabbitmq: RabbitMQ
) -> None:
    platform.ask_enrichment(story.report, probe.id)
    connection = rabbitmq.connect()
    method, _, _ = connection.channel().basic_get(f"listen_{probe.id}")
    assert method is not None
    connection.close()  # as when the process dies before the ack
    connection = rabbitmq.connect()
    again, _, body = connection.channel().basic_get(f"listen_{probe.id}", auto_ack=True)
    connection.close()
    assert again is not None
    assert again.redelivered
    assert json.loads(body or b"")["event"]["entity_id"] == story.report.standard_id


def test_i3_asked_while_the_connector_is_down_waits(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    work_id = platform.ask_enrichment(story.report, probe.id)
    assert platform.work(work_id).status == "wait"
    assert platform.queue_size(probe.id) == 1
    probe.listen(lambda data: "Nothing to send")
    assert platform.wait_for_work(work_id).errors == []


# -- j: reading with attributes of one's own --


def test_j_custom_attributes_and_time_filter(platform: OpenCTIDouble, story: Story) -> None:
    api = OpenCTIApiClient(platform.url, platform.token, log_level="critical")
    attributes = """
      id name content updated_at importFiles(first: 50) { edges { node { id name } } }
      objects(first: 500, types: ["Attack-Pattern"]) {
        edges { types node { ... on AttackPattern { id x_mitre_id } } } }
    """

    def list_since(moment: str) -> list[dict[str, object]]:
        filters = {
            "mode": "and",
            "filters": [{"key": "updated_at", "operator": "gt", "values": [moment]}],
            "filterGroups": [],
        }
        found: list[dict[str, object]] = api.report.list(
            filters=filters, orderBy="updated_at", getAll=True, first=1,
            customAttributes=attributes,
        )  # fmt: skip
        return found

    (found,) = list_since("2020-01-01T00:00:00.000Z")
    assert [each["x_mitre_id"] for each in found["objects"]] == ["T1059", "T1566"]  # type: ignore[attr-defined]
    assert found["content"]
    assert list_since(str(found["updated_at"])) == []


# -- k: what the analyst did comes back, and other traps --


def test_k1_ref_removed_by_the_analyst_comes_back_when_sent(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    platform.analyst.remove_ref(story.report, story.interpreter)
    probe.send(report([story.interpreter.standard_id]))
    assert platform.state(story.report)["techniques"] == ["T1059", "T1566"]


def test_k2_report_without_a_name_is_a_work_error(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    nameless = report([story.interpreter.standard_id])
    del nameless["name"], nameless["published"]
    work = probe.send(nameless)
    assert work.status == "complete"
    assert [each["message"] for each in work.errors] == ["'name'"]
    assert json.loads(work.errors[0]["source"])["id"] == nameless["id"]


def test_k3_report_without_published_changes_nothing(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    before = platform.state(story.report)
    unpublished = report([WMI["id"]])
    del unpublished["published"]
    work = probe.send(WMI, unpublished)
    assert (work.status, work.errors) == ("complete", [])
    assert platform.state(story.report) == before


def test_k4_k6_stale_name_makes_a_second_report(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    old_id = story.report.standard_id
    platform.analyst.rename(story.report, f"{NAME} (renamed by analyst)")
    renamed = platform.state(story.report)
    assert renamed["standard_id"] == "report--b7d3542e-375f-5671-a3d0-3be4d34c1b6b"
    with pytest.raises(KeyError):
        platform.element(old_id)
    work = probe.send(WMI, report([WMI["id"]]))
    assert work.errors == []
    assert platform.state(story.report) == renamed
    assert platform.state(old_id)["techniques"] == ["T1047"]
    assert len(platform.store.of_type("Report")) == 2


def test_k4_changing_published_changes_the_id(platform: OpenCTIDouble, story: Story) -> None:
    platform.analyst.rename(story.report, f"{NAME} (renamed by analyst)")
    platform.analyst.set(story.report, "published", "2026-11-19T00:00:00.000Z")
    expected = "report--aef463c4-57f5-522d-97cf-e64e5f3c7400"
    assert platform.state(story.report)["standard_id"] == expected


def test_k5_other_tlp_replaces_the_markings(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(report([], object_marking_refs=[AMBER]))
    assert platform.state(story.report)["markings"] == ["TLP:AMBER"]
    probe.send(report([], 60, object_marking_refs=[GREEN]))
    assert platform.state(story.report)["markings"] == ["TLP:AMBER"]


RELATION_ADD = """
mutation A($id: ID!, $input: StixRefRelationshipAddInput!) {
  containerEdit(id: $id) { relationAdd(input: $input) { id } }
}
"""


def test_k7_k8_relation_add_by_a_capped_user_is_an_error(
    platform: OpenCTIDouble, story: Story
) -> None:
    api = OpenCTIApiClient(platform.url, platform.token, log_level="critical")
    lsass = platform.create_attack_pattern("T1003.001", "LSASS Memory")
    variables = {
        "id": story.report.id,
        "input": {"toId": lsass.id, "relationship_type": "object"},
    }
    platform.users["connector"].max_confidence = 50
    with pytest.raises(ValueError, match="max confidence level is insufficient"):
        api.query(RELATION_ADD, variables)
    platform.users["connector"].max_confidence = 100
    assert api.query(RELATION_ADD, variables)["data"]["containerEdit"]["relationAdd"]["id"]
    assert "T1003.001" in platform.state(story.report)["techniques"]


def test_k9_deleted_note_is_created_again(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    probe.send(identity(), note(FIXED, "delete me"))
    platform.analyst.delete_note(FIXED)
    assert platform.state(story.report)["notes"] == []
    assert platform.events.stream[-1]["data"]["message"] == "deletes a Note `Fixed id note`"
    probe.send(identity(), note(FIXED, "delete me"))
    assert len(platform.state(story.report)["notes"]) == 1


def test_k10_deleted_relationship_is_created_again(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    before = platform.state(story.report)
    platform.analyst.delete_relationship(story.uses)
    after = platform.state(story.report)
    assert after["updated_at"] > before["updated_at"]
    assert ("uses", "Original analyst text on T1059") not in after["objects"]
    assert platform.events.stream[-1]["data"]["message"] == (
        "deletes the relation uses from `EXAMPLE SPIDER` (Intrusion-Set) "
        "to `[T1059] Command and Scripting Interpreter` (Attack-Pattern)"
    )
    relation = uses(story.spider, story.interpreter, 60, description="Report says (probe)")
    probe.send(identity(), relation)
    assert len(platform.relationships(story.spider)) == 1
    # It is not in the report again: a ref was not sent.
    assert platform.state(story.report)["objects"] == after["objects"]


def test_published_is_the_reports_creation(platform: OpenCTIDouble, story: Story) -> None:
    assert platform.element(story.report).get("created") == PUBLISHED
