"""The double's other sides: faults, playbooks, automatic runs, drafts, rights, pycti's reach."""

from __future__ import annotations

import inspect
import json
import time
from typing import Any

import pytest
import requests
from graphql import parse, validate
from opencti_double import OpenCTIDouble, RabbitMQ, Worker
from opencti_double.probe import Probe
from opencti_double.schema import load_schema
from opencti_double.story import (
    LSASS_ID,
    NAME,
    PUBLISHED,
    Story,
    attack_pattern,
    report,
)
from pycti import OpenCTIApiClient

LSASS = attack_pattern("T1003.001", "LSASS Memory", confidence=60)


@pytest.fixture
def api(platform: OpenCTIDouble) -> OpenCTIApiClient:
    return OpenCTIApiClient(platform.url, platform.token, log_level="critical")


# -- what pycti sends is in the schema --

READ = {
    "attack_pattern", "campaign", "case_incident", "case_rfi", "case_rft", "grouping", "identity",
    "intrusion_set", "kill_chain_phase", "label", "malware", "malware_analysis",
    "marking_definition", "note", "opinion", "report", "stix_core_relationship", "threat_actor",
    "threat_actor_group", "threat_actor_individual", "tool", "vocabulary", "external_reference",
}  # fmt: skip
KEYWORDS: dict[str, Any] = {
    "id": "x", "name": "n", "description": "d", "content": "c", "published": PUBLISHED,
    "created": PUBLISHED, "objects": ["a"], "fromId": "a", "toId": "b", "context": "c",
    "relationship_type": "uses", "stixObjectOrStixRelationshipId": "s", "type": "Organization",
    "value": "v", "color": "#fff", "kill_chain_name": "k", "phase_name": "p", "opinion": "o",
    "x_opencti_order": 1, "definition_type": "TLP", "definition": "TLP:X", "source_name": "s",
    "url": "u", "product": "p", "result_name": "r", "category": "note_types_ov",
    "element_id": "e", "connector_id": "c",
}  # fmt: skip


class Listener(OpenCTIApiClient):
    """A pycti that keeps what it would send."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}
        self.doing = ""
        super().__init__(
            "http://nowhere", "token", log_level="critical", perform_health_check=False
        )

    def query(self, query: str, variables: Any = None, disable_impersonate: bool = False) -> Any:
        self.sent.setdefault(query, self.doing)
        raise LookupError


def test_the_schema_has_what_pycti_sends_for_reading_and_creating() -> None:
    client = Listener()
    for name in sorted(READ):
        kind = getattr(client, name)
        for method in ("list", "read", "create"):
            client.doing = f"{name}.{method}"
            function = getattr(kind, method, None)
            if function is None or client.doing == "threat_actor.create":
                continue  # deprecated: it asks one of the two others
            for more in ({}, {"withFiles": True}):
                if more and "withFiles" not in inspect.getsource(function):
                    continue
                with pytest.raises(LookupError):
                    function(**KEYWORDS, **more)
    refused = {
        doing: [each.message for each in errors]
        for query, doing in client.sent.items()
        if (errors := validate(load_schema(), parse(query)))
    }
    assert refused == {}
    assert len(client.sent) > 80


# -- faults --


def test_unknown_fields_are_refused_with_http_200(
    platform: OpenCTIDouble, api: OpenCTIApiClient
) -> None:
    with pytest.raises(ValueError, match="GRAPHQL_VALIDATION_FAILED"):
        api.query("{ reports { edges { node { nope } } } }")
    with pytest.raises(ValueError, match="GRAPHQL_VALIDATION_FAILED"):
        api.query("mutation { reportRemove(id: 1) }")
    assert len(platform.refusals) == 2
    platform.refusals.clear()


def test_500_a_number_of_times(platform: OpenCTIDouble, api: OpenCTIApiClient) -> None:
    platform.fail(status=500, body="broken", times=2, operation="Report")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            api.report.read(id="x")
    assert api.report.read(id="x") is None
    assert api.health_check()


def test_slow_answers(platform: OpenCTIDouble, api: OpenCTIApiClient) -> None:
    platform.fail(delay=0.3, times=1)
    began = time.monotonic()
    assert api.health_check()
    assert time.monotonic() - began >= 0.3


def test_expired_token(platform: OpenCTIDouble, api: OpenCTIApiClient) -> None:
    platform.expire_token()
    with pytest.raises(ValueError, match="AUTH_REQUIRED"):
        api.report.read(id="x")


def test_down_and_up_again(platform: OpenCTIDouble, story: Story, api: OpenCTIApiClient) -> None:
    platform.down()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(platform.url, timeout=5)
    platform.up()
    client = OpenCTIApiClient(platform.url, platform.token, log_level="critical")
    assert client.report.read(id=story.report.id)["name"] == NAME


def test_storage_down(platform: OpenCTIDouble, story: Story, api: OpenCTIApiClient) -> None:
    file = api.report.read(id=story.report.id, withFiles=True)["importFiles"][0]
    url = f"{platform.url}/storage/get/{file['id']}"
    assert api.fetch_opencti_file(url, binary=True) == b"%PDF-1.4 by hand"
    fault = platform.storage_down()
    assert api.fetch_opencti_file(url, binary=True) is None
    assert fault.hits == 1


def test_queues_survive_a_restart_of_rabbitmq(
    platform: OpenCTIDouble, story: Story, probe: Probe, rabbitmq: RabbitMQ
) -> None:
    platform.ask_enrichment(story.report, probe.id)
    rabbitmq.restart()
    assert platform.queue_size(probe.id) == 1


# -- playbooks, automatic runs, drafts --


def test_playbook_step(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    def answer(data: dict[str, Any]) -> str:
        objects = [*data["stix_objects"], LSASS]
        probe.helper.send_stix2_bundle(probe.helper.stix2_create_bundle(objects))
        return "done"

    probe.listen(answer)
    bundle = {"type": "bundle", "id": "bundle--fbc422ac-2093-45c6-8e61-e83b5fc6ba2b",
              "objects": [report([], id=story.report.standard_id)]}  # fmt: skip
    platform.ask_playbook(story.report, probe.id, bundle)
    deadline = time.monotonic() + 10
    while not platform.playbook_steps and time.monotonic() < deadline:
        time.sleep(0.02)
    (step,) = platform.playbook_steps
    assert [each["id"] for each in json.loads(step["bundle"])["objects"]] == [
        story.report.standard_id,
        LSASS_ID,
    ]
    assert json.loads(step["previous_bundle"]) == bundle
    assert platform.queue_size(probe.id, "push") == 0


def messages(platform: OpenCTIDouble, connector_id: str) -> list[dict[str, Any]]:
    connection = platform.broker.connect()
    channel = connection.channel()
    found = []
    while (body := channel.basic_get(f"listen_{connector_id}", auto_ack=True)[2]) is not None:
        found.append(json.loads(body)["internal"])
    connection.close()
    return found


def test_auto_fires_on_creation_only(platform: OpenCTIDouble, worker: Worker) -> None:
    probe = Probe(platform, worker, auto=True)
    created = platform.create_report("Auto enrichment probe")
    platform.analyst.set(created, "description", "changed by analyst")
    (message,) = messages(platform, probe.id)
    assert (message["mode"], message["trigger"]) == ("auto", "create")
    probe.stop()


def test_auto_update_fires_on_the_connectors_own_bundle(
    platform: OpenCTIDouble, story: Story, worker: Worker
) -> None:
    probe = Probe(platform, worker, auto=True, auto_update=True)
    probe.send(LSASS, report([LSASS["id"]]))
    (message,) = messages(platform, probe.id)
    assert (message["mode"], message["trigger"]) == ("auto", "update")
    probe.stop()


def test_a_draft_is_apart_and_silent(platform: OpenCTIDouble, story: Story, probe: Probe) -> None:
    draft_id = platform.add_draft("draft")["id"]
    before, events = platform.state(story.report), len(platform.events.stream)
    work = probe.send(LSASS, report([LSASS["id"]]), draft_id=draft_id)
    assert work.errors == []
    assert platform.state(story.report) == before
    assert "T1003.001" in platform.state(story.report, draft_id)["techniques"]
    assert len(platform.events.stream) == events


def test_validation_before_import_opens_a_draft(
    platform: OpenCTIDouble, story: Story, worker: Worker
) -> None:
    probe = Probe(platform, worker, validate_before_import=True)
    before = platform.state(story.report)
    work = probe.send(LSASS, report([LSASS["id"]]))
    assert work.draft_context is not None
    assert platform.state(story.report) == before
    state = platform.state(story.report, work.draft_context)
    assert "T1003.001" in state["techniques"]
    probe.stop()


# -- other rules --


def test_an_alias_finds_the_threat(platform: OpenCTIDouble) -> None:
    spider = platform.create("Intrusion-Set", name="Example Spider", aliases=["ES-1"])
    assert platform.create("Intrusion-Set", "connector", name="es-1", confidence=10) is spider
    assert spider.get("name") == "Example Spider"
    assert platform.create("Malware", name="ES-1") is not spider


def test_unresolved_end_of_a_relationship_is_a_work_error(
    platform: OpenCTIDouble, story: Story, probe: Probe
) -> None:
    relation = {
        "type": "relationship", "spec_version": "2.1", "relationship_type": "uses",
        "id": "relationship--5adb3731-5537-5ab8-b5ba-9a35355f8632",
        "source_ref": story.spider.standard_id,
        "target_ref": "attack-pattern--00000000-0000-4000-8000-000000000000",
    }  # fmt: skip
    work = probe.send(relation)
    assert work.status == "complete"
    assert "MISSING_REFERENCE_ERROR" in work.errors[0]["message"]


def test_me_tells_the_confidence(platform: OpenCTIDouble, api: OpenCTIApiClient) -> None:
    platform.users["connector"].max_confidence = 50
    me = api.user.me()
    assert me["effective_confidence_level"]["max_confidence"] == 50


def test_filters_by_label_and_status(
    platform: OpenCTIDouble, story: Story, api: OpenCTIApiClient
) -> None:
    labelled = platform.create_report("Labelled", labels=["ttpscribe"])
    label = platform.store.of_type("Label")[0]

    def names(key: str, value: str) -> list[str]:
        filters = {"mode": "and", "filters": [{"key": key, "values": [value]}], "filterGroups": []}
        return sorted(each["name"] for each in api.report.list(filters=filters))

    assert names("objectLabel", label.id) == ["Labelled"]
    assert names("workflow_id", platform.workflow_id) == [NAME, "Labelled"]
    assert names("name", "Labelled") == ["Labelled"]
    with pytest.raises(ValueError, match="UNSUPPORTED_ERROR"):
        names("nonsense", "x")
    assert platform.state(labelled)["labels"] == ["ttpscribe"]


def test_pages(platform: OpenCTIDouble, api: OpenCTIApiClient) -> None:
    for number in range(7):
        platform.create_report(f"Report {number}")
    pages = api.report.list(first=3, getAll=True, orderBy="updated_at")
    assert [each["name"] for each in pages] == [f"Report {number}" for number in range(7)]


def test_an_edit_that_would_make_a_duplicate_is_refused(
    platform: OpenCTIDouble, story: Story
) -> None:
    other = platform.create_report("Another", published=PUBLISHED)
    with pytest.raises(Exception, match="produce a duplicate"):
        platform.analyst.rename(other, NAME)
    assert platform.state(other)["name"] == "Another"
