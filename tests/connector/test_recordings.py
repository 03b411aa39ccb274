"""The double answers recorded requests of a real platform as that platform did.

The recorded day is told from its beginning: registration, creation of the report, two
enrichments with their imports, then edits, errors, a draft, lookups; the experiments are in
test_recorded_experiments. Compared are answers, queue messages, the worker's requests and the
states after each step, ids and times aside.

Not compared, and not claimed: event streams (06_sse: the double's own are tested by what the
contract calls reliable), raw data of the history, message texts of GraphQL's own validation,
vocabulary categories of types that the double does not have, the values of 05_j and 08 that
depend on edits made between recordings (fields, order and emptiness are), 03_callback_data (that
is pycti's work, not the platform's), 03b and 06_amqp (the message of 03 again), and experiments
i, k4, k6, k7 to k10 (each has a test of its own in test_double_contract_life).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from opencti_double import OpenCTIDouble, Worker
from opencti_double.probe import PROBE_ID, Probe
from opencti_double.recorded_day import REPORT, ask, compare_message, compare_work, take
from opencti_double.replay import Replay
from pycti import OpenCTIApiClient


def test_registration_and_creation(day: Replay) -> None:
    assert REPORT in day.ours


def test_first_enrichment(platform: OpenCTIDouble, day: Replay) -> None:
    ask(platform, day)
    recorded = day.load("03_amqp_listen_message.json")
    method, properties, body = take(platform)
    assert method.exchange == recorded["delivery"]["exchange"]
    assert method.routing_key == recorded["delivery"]["routing_key"]
    assert properties.delivery_mode == recorded["properties"]["delivery_mode"]
    assert properties.headers == recorded["properties"]["headers"]
    compare_message(day, recorded["body"], body)
    http = day.load("03_http_until_callback_and_after.json")
    for call in http["calls"]:
        day.call(call, http["queries"])
    work = day.load("03_ask_enrichment.json")["work_after"]
    compare_work(platform, day, work)


READ_BACK = """
query R($id: String!) { report(id: $id) {
  id standard_id x_opencti_stix_ids name description content confidence created modified
  created_at updated_at published report_types createdBy { id name } creators { id name }
  objectMarking { definition }
  objects(all: true) { edges { types node {
    ... on BasicObject { id entity_type standard_id }
    ... on BasicRelationship { id entity_type standard_id }
    ... on AttackPattern { name x_mitre_id confidence }
    ... on IntrusionSet { name }
    ... on StixCoreRelationship { relationship_type description confidence
      from { ... on BasicObject { id } } to { ... on BasicObject { id } } } } } }
  notes { edges { node { id standard_id x_opencti_stix_ids attribute_abstract content confidence
    created modified createdBy { name }
    objects { edges { node { ... on BasicObject { id standard_id entity_type } } } } } } }
  importFiles { edges { node { id name size uploadStatus lastModified
    objectMarking { definition } metaData { mimetype version } } } }
} }
"""


def test_two_imports_and_the_report_read_back(platform: OpenCTIDouble, imported: Replay) -> None:
    recorded = imported.load("04_report_read_back.json")
    answer = imported.ask(READ_BACK, {"id": REPORT}, platform.users["analyst"].token)
    imported.compare(recorded, answer, "read back")


@pytest.mark.parametrize(
    "name",
    [
        "f1_remove_ref_containerEdit.json",
        "f2_remove_ref_stixDomainObjectEdit.json",
        "f3_add_ref_containerEdit_relationAdd.json",
    ],
)
def test_edits_of_an_analyst(platform: OpenCTIDouble, imported: Replay, name: str) -> None:
    recorded = imported.load(name)
    event = recorded["report_stream_events"][0]["data"]
    (change,) = event["context"]["changes"]
    ((action, values),) = (
        (key, change[key]) for key in ("changes_added", "changes_removed") if change[key]
    )
    technique = json.loads(values[0]["translated"])[values[0]["raw"]]
    x_mitre_id, label = technique.removeprefix("[").split("] ")
    element = platform.create_attack_pattern(x_mitre_id, label)
    imported.know(values[0]["raw"], element.id)
    if action == "changes_removed":
        platform.analyst.add_ref(platform.element(imported.translate(REPORT)), element)
    before = platform.state(imported.translate(REPORT))
    token = platform.users["analyst"].token
    answer = imported.ask("\n".join(recorded["mutation"]), recorded["variables"], token)
    imported.compare(recorded["response"], answer, "mutation")
    after = platform.state(imported.translate(REPORT))
    assert (x_mitre_id in after["techniques"]) == (action == "changes_added")
    assert after["updated_at"] == after["modified"] > before["modified"]
    ours = platform.events.stream[-1]
    assert ours["event"] == recorded["report_stream_events"][0]["event"]
    assert sorted(ours["data"]) == sorted(event)
    assert sorted(ours["data"]["context"]) == sorted(event["context"])
    imported.compare(change, ours["data"]["context"]["changes"][0], "changes")
    assert ours["data"]["message"] == event["message"]
    newest = {**recorded["logs_variables"], "first": 1}
    answer = imported.ask(recorded["logs_query"], newest, platform.token)
    edges = recorded["logs_as_connector_user"]["data"]["logs"]["edges"][:1]
    edges[0]["node"].pop("id"), answer["data"]["logs"]["edges"][0]["node"].pop("id")
    imported.compare(edges, answer["data"]["logs"]["edges"], "logs")


ERROR_CASES = [
        "bad_token", "no_token", "bad_token_about", "unknown_report", "unknown_stixCoreObject",
        "reportAdd_missing_reference", "reportAdd_missing_name", "uses_missing_reference",
        "uses_wrong_direction", "unknown_field", "unknown_work_toReceived",
        "unknown_work_addExpectations", "unknown_work_read", "ping_unknown_connector",
        "register_without_capability_no_token", "ask_unknown_connector",
        "ask_wrong_type_for_scope",
    ]  # fmt: skip


def test_errors_have_the_recorded_shape(platform: OpenCTIDouble, imported: Replay) -> None:
    recorded = imported.load("07_error_shapes.json")
    for case in ERROR_CASES:
        each = recorded[case]
        tokens = {"bad_token": "nobody", "bad_token_about": "nobody"}
        token = tokens.get(case, platform.users["analyst"].token)
        answer = imported.ask(
            each["query"], each["variables"], None if "no_token" in case else token
        )
        theirs = each["body"]
        if case in ("reportAdd_missing_name", "unknown_field"):
            # The words are those of GraphQL's library, not the platform's.
            theirs["errors"][0].pop("message"), answer["errors"][0].pop("message")
        imported.compare(theirs, answer, case)
    # The two that the schema refused were meant to be.
    assert len(platform.refusals) == 2
    platform.refusals.clear()


def test_storage_answers(platform: OpenCTIDouble, imported: Replay) -> None:
    recorded = imported.load("07_error_shapes.json")
    report = platform.element(imported.translate(REPORT))
    platform.analyst.upload(report, "evidence.txt", recorded["storage_ok"]["body"].encode())
    for case in ("storage_ok", "storage_missing", "storage_no_token"):
        each = recorded[case]
        headers = {"authorization": f"Bearer {platform.token}"}
        answer = requests.get(
            platform.url + imported.translate(each["path"]),
            headers={} if case == "storage_no_token" else headers,
            timeout=10,
        )
        assert (answer.status_code, answer.text) == (each["status"], each["body"])
        for key, value in each["headers"].items():
            assert answer.headers[key] == value


def test_draft(platform: OpenCTIDouble, imported: Replay) -> None:
    recorded = imported.load("09_draft_enrichment.json")
    draft_id = recorded["ask_headers"]["opencti-draft-id"]
    imported.know(draft_id, platform.add_draft("a draft")["id"])
    work = ask(platform, imported, **recorded["ask_headers"])
    _, _, body = take(platform)
    assert body["internal"]["draft_id"] == imported.translate(draft_id)
    assert sorted(body["internal"]) == sorted(recorded["amqp"]["body"]["internal"])
    imported.know(recorded["amqp"]["body"]["internal"]["work_id"], work["id"])
    queries = imported.load("03_http_until_callback_and_after.json")["queries"]
    for call in recorded["calls"]:
        if (call.get("op") or "").startswith("work"):
            imported.call(call, queries)
    assert platform.work(work["id"]).status == "complete"


def test_reading_with_own_attributes(platform: OpenCTIDouble, imported: Replay) -> None:
    recorded = imported.load("05_j_custom_attributes.json")
    filters = recorded["filters"]
    filters["filters"][0]["values"] = ["2020-01-01T00:00:00.000Z"]
    found = OpenCTIListing(platform).reports(recorded, filters)
    theirs, ours = recorded["pycti_list_result"][0], found[0]
    assert sorted(ours) == sorted(theirs)
    for key in ("name", "description", "content", "published", "createdBy", "objectMarking"):
        imported.compare(theirs[key], ours[key], key)
    for key in ("importFiles", "objects"):
        assert sorted(ours[key][0]) == sorted(theirs[key][0])
    none = [{**each, "values": ["2100-01-01T00:00:00.000Z"]} for each in filters["filters"]]
    assert OpenCTIListing(platform).reports(recorded, {**filters, "filters": none}) == []


class OpenCTIListing:
    """pycti's own listing, as the recording's script used it."""

    def __init__(self, platform: OpenCTIDouble) -> None:
        self._api = OpenCTIApiClient(platform.url, platform.token, log_level="critical")

    def reports(self, recorded: dict[str, Any], filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.report.list(
            filters=filters, orderBy="updated_at", orderMode="asc", first=50, getAll=True,
            customAttributes="\n".join(recorded["customAttributes"]),
        )  # fmt: skip
        return found


def test_lookups(platform: OpenCTIDouble, imported: Replay) -> None:
    recorded = imported.load("08_lookups.json")["http"]
    for call in recorded["calls"]:
        query = "\n".join(recorded["queries"][call["op"]])
        answer = imported.ask(query, call["variables"], platform.token)
        ((field, theirs),) = call["response"]["body"]["data"].items()
        ours = answer["data"][field]
        if not isinstance(theirs, dict):
            assert ours == theirs
            continue
        assert sorted(ours["pageInfo"]) == sorted(theirs["pageInfo"])
        ids = {each["node"]["standard_id"]: each["node"] for each in theirs["edges"]}
        for edge in ours["edges"]:
            node = edge["node"]
            assert any(sorted(node) == sorted(each) for each in ids.values())
        order = [each["node"]["standard_id"] for each in ours["edges"]]
        assert order == sorted(order)
        assert bool(ours["edges"]) == bool(theirs["edges"])


def test_automatic_runs(platform: OpenCTIDouble, worker: Worker, replay: Replay) -> None:
    recorded = replay.load("05_auto_enrichment_messages.json")
    connector = Probe(platform, worker, auto=True)
    report = platform.create_report("Auto enrichment probe", published="2026-11-21T00:00:00.000Z",
                                    description="d")  # fmt: skip
    platform.analyst.set(report, "description", "changed by analyst")
    _, _, body = take(platform)
    theirs = recorded["auto_on_create"][0]
    assert {**body["internal"], "work_id": ""} == {**theirs["internal"], "work_id": ""}
    entity, ours = (json.loads(each["event"]["stix_entity"]) for each in (theirs, body))
    assert sorted(ours) == sorted({*entity} - {"object_refs"})
    assert ours["published"] == ours["created"] == entity["published"] == entity["created"]
    assert platform.queue_size(PROBE_ID) == len(recorded["auto_on_update_without_auto_update"])
    platform.works.connectors[PROBE_ID].given["auto_update"] = True
    platform.analyst.set(report, "description", "changed by analyst again")
    _, _, body = take(platform)
    theirs = recorded["auto_update_on_update"][0]
    assert {**body["internal"], "work_id": ""} == {**theirs["internal"], "work_id": ""}
    connector.stop()
