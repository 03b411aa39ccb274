"""The recorded day, told again: creation, two enrichments, two imports."""

from __future__ import annotations

import base64
import json
from typing import Any

import pika
import requests

from .platform import OpenCTIDouble
from .probe import PROBE_ID
from .replay import Replay
from .worker import Worker
from .works import WORKER_EXCHANGE

REPORT = "f8dd73c0-736d-4d58-97a2-82029806ed4d"


WORK = """
query W($id: ID!) { work(id: $id) {
  id name status timestamp received_time processed_time completed_time event_source_id
  completed_number user { id name } connector { id name }
  tracking { import_expected_number import_processed_number }
  messages { timestamp message } errors { timestamp message } draft_context
} }
"""


def create_report(platform: OpenCTIDouble, replay: Replay) -> None:
    """Replay registration and creation; the platform then has the report and its objects."""
    platform.users["connector"].name = "tie-connector"
    for name in ("01_init_register_ping.json", "02_create_via_api.json"):
        if name.startswith("02"):
            data = replay.load("03_callback_data.json")["data"]["stix_entity"]
            pdf = base64.b64decode(data["x_opencti_files"][0]["data"])
            replay.files["StixDomainObjectEdit"] = ("story.pdf", pdf, "application/pdf")
        recording = replay.load(name)
        for call in recording["calls"]:
            replay.call(call, recording["queries"])
    replay.files.clear()


def take(platform: OpenCTIDouble) -> tuple[Any, pika.BasicProperties, dict[str, Any]]:
    """Take one message from the connector's queue."""
    connection = platform.broker.connect()
    method, properties, body = connection.channel().basic_get(f"listen_{PROBE_ID}", auto_ack=True)
    connection.close()
    assert body is not None
    return method, properties, json.loads(body)


def compare_message(replay: Replay, recorded: dict[str, Any], ours: dict[str, Any]) -> None:
    """Compare two messages; the entity inside is JSON in a string, its refs in any order."""
    pair = []
    for each in (recorded, ours):
        entity = json.loads(each["event"]["stix_entity"])
        entity["object_refs"] = sorted(entity["object_refs"])
        pair.append({**each, "event": {**each["event"], "stix_entity": entity}})
    replay.compare(*pair, "message")


def compare_work(platform: OpenCTIDouble, replay: Replay, recorded: dict[str, Any]) -> None:
    """Compare a work as its reader sees it."""
    answer = replay.ask(WORK, {"id": recorded["id"]}, platform.users["analyst"].token)
    replay.compare(recorded, answer["data"]["work"], "work")


def ask(platform: OpenCTIDouble, replay: Replay, **headers: str) -> dict[str, Any]:
    """Click on enrich with the recorded mutation."""
    recorded = replay.load("03_ask_enrichment.json")["interface_mutation"]
    answer = requests.post(
        f"{platform.url}/graphql",
        json={
            "query": "\n".join(recorded["query"]),
            "variables": replay.translate(recorded["variables"]),
        },
        headers={
            "authorization": f"Bearer {platform.users['analyst'].token}",
            **replay.translate(headers),
        },
        timeout=10,
    ).json()
    replay.compare(
        sorted(recorded["response"]["data"]["stixCoreObjectEdit"]),
        sorted(answer["data"]["stixCoreObjectEdit"]),
        "askEnrichment",
    )
    work: dict[str, Any] = answer["data"]["stixCoreObjectEdit"]["askEnrichment"]
    return work


def import_twice(platform: OpenCTIDouble, worker: Worker, day: Replay) -> None:
    """Replay the two recorded imports: one dropped by confidence, one not."""
    connector = day.load("04_send_bundle.json")["http_calls_of_connector"]
    for confidence, bypass, name in (
        (60, False, "04_worker_http_first_run_worker_without_bypass.json"),
        (75, True, "04_worker_http_admin_worker_equal_confidence.json"),
    ):
        platform.users["worker"].bypass = bypass
        worker.renew()
        work_id = ask(platform, day)["id"]
        take(platform)
        recording = day.load(name)
        recorded_work = recording["calls"][2]["variables"]["id"]
        day.know(recorded_work, work_id)
        if confidence == 60:
            for call in connector["calls"]:
                day.call(call, connector["queries"])
            compare_work(platform, day, day.load("04_send_bundle.json")["work_before_worker"])
        else:
            platform.works.received(work_id, "Connector ready to process the operation")
            platform.works.expect(work_id, 5)
            platform.works.processed(work_id, "Sent 5 bundles", in_error=False)
        sent = send_recorded(platform, worker, day, work_id, confidence)
        assert platform.work(work_id).status == "complete"
        # Replaying the recorded answers teaches the ids that the double gave.
        learn_answers(platform, day, recording)
        compare_worker(day, recording, sent)


def learn_answers(platform: OpenCTIDouble, replay: Replay, recording: dict[str, Any]) -> None:
    """Match the ids in the recorded answers with the objects of the same standard id."""
    for call in recording["calls"]:
        for answer in call["response"]["body"]["data"].values():
            if not isinstance(answer, dict) or "standard_id" not in answer:
                continue
            element = platform.element(answer["standard_id"])
            assert element.entity_type == answer["entity_type"]
            assert list(element.parent_types) == answer["parent_types"]
            replay.know(answer["id"], element.id)


def compare_worker(
    replay: Replay, recording: dict[str, Any], sent: list[tuple[str, dict[str, Any]]]
) -> None:
    """Compare the worker's requests with the recorded ones, in order."""
    recorded = [(call["op"].split("#")[0], call["variables"]) for call in recording["calls"]]
    assert [each[0] for each in recorded] == [each[0] for each in sent]
    for (operation, theirs), (_, ours) in zip(recorded, sent, strict=True):
        # Files stand in the recordings as the null that they are replaced by.
        plain = json.loads(json.dumps(ours, default=lambda upload: None))
        replay.compare(theirs, plain, operation)


def send_recorded(
    platform: OpenCTIDouble, worker: Worker, replay: Replay, work_id: str, confidence: int
) -> list[tuple[str, dict[str, Any]]]:
    """Put the recorded messages onto the push queue, import them, return what the worker sent."""
    connection = platform.broker.connect()
    channel = connection.channel()
    for message in replay.load("04_amqp_push_messages.json"):
        body = {**message["body"], "work_id": work_id}
        bundle = body.pop("content_decoded")
        for each in bundle["objects"]:
            if each["type"] == "report":
                each["confidence"] = confidence
        body["content"] = base64.b64encode(json.dumps(bundle).encode()).decode()
        body["applicant_id"] = platform.users["connector"].id
        channel.basic_publish(
            WORKER_EXCHANGE, f"push_routing_{PROBE_ID}", json.dumps(body).encode()
        )
    connection.close()
    platform.calls.clear()
    worker.drain()
    sent = [(each.operation, each.variables) for each in platform.calls]
    return [each for each in sent if each[0] != "healthCheck"]
