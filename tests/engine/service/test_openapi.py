"""Whatever is sent, the service answers as its OpenAPI says, and never with a fault of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from connector_rig import docx, pdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from service_rig import InThread

from engine.service.client import KINDS

QUIET = {
    "deadline": None, "database": None, "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip
CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
OPERATIONS = {
    "POST /v1/analyse": 12,
    "POST /v1/infer": 15,
    "GET /v1/releases": 2,
    "GET /v1/techniques/{id}": 15,
    "GET /health": 2,
    "GET /ready": 2,
    "GET /metrics": 2,
}


@pytest.fixture(scope="module")
def schema(running: InThread):
    return schemathesis.openapi.from_url(f"{running.url}/openapi.json")


def operations(schema) -> Iterator:
    for result in schema.get_all_operations():
        yield result.ok()


def test_the_list_is_complete(schema):
    assert {operation.label for operation in operations(schema)} >= set(OPERATIONS)


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        *((label, GenerationMode.POSITIVE) for label in OPERATIONS),
        *((label, GenerationMode.NEGATIVE) for label in OPERATIONS if label.startswith("POST")),
    ],
)
def test_generated_requests(running, schema, label, mode):
    (operation,) = [each for each in operations(schema) if each.label == label]
    statuses: list[int] = []

    @settings(max_examples=OPERATIONS[label], **QUIET)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            response = case.call(base_url=running.url, timeout=60)
            statuses.append(response.status_code)
            assert response.status_code < 500, response.text
            case.validate_response(response, checks=CHECKS)

    ask()
    if mode is GenerationMode.POSITIVE:
        assert 200 in statuses or label.endswith("{id}")


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """The file with some bytes changed, left out, or repeated."""
    place = st.integers(0, len(data) - 1)
    edit = st.tuples(place, st.integers(0, 40), st.binary(max_size=12))

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        changed = data
        for start, length, put in edits:
            changed = changed[:start] + put + changed[start + length :]
        return changed

    return st.lists(edit, min_size=1, max_size=6).map(apply)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report.pdf", pdf("The actor used WMI (T1047) to run commands remotely.")),
        ("report.docx", docx("The actor used WMI (T1047) to run commands remotely.")),
        ("report.html", b"<html><body><h1>A</h1><p>It used <b>WMI</b> (T1047).</p></body></html>"),
    ],
)
def test_damaged_files_are_read_or_refused(running, name, data):
    @settings(max_examples=10, **QUIET)
    @given(content=mutated(data))
    def send(content):
        response = requests.post(
            f"{running.url}/v1/analyse", files={"file": (name, content)}, timeout=60
        )
        if response.status_code != 200:
            assert response.status_code == 422, response.text
            assert response.json()["error"]["code"] == "document"

    send()


def test_the_examples_in_it_work(running):
    paths = requests.get(f"{running.url}/openapi.json", timeout=10).json()["paths"]
    tried = 0
    for path in ("/v1/analyse", "/v1/infer"):
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]
        for example in body["examples"].values():
            answer = requests.post(running.url + path, json=example["value"], timeout=60)
            assert answer.status_code == 200, answer.text
            tried += 1
    assert tried == 4


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "not JSON"),
        (b'"\xff"', 400, "not JSON"),
        (b"[]", 422, "should be an object"),
        (b"{}", 422, "exactly one of text, sentences and document"),
        (b'{"text": "a", "sentences": ["b"]}', 422, "exactly one"),
        (b'{"text": "a", "txet": "b"}', 422, "txet"),
        (b'{"text": "a", "id": ' + b"[" * 9000 + b"]" * 9000 + b"}", 400, "recursion"),
        (b'{"text": ""}', 422, "is empty"),
        (b'{"text": "a b c.", "operating_point": "wild"}', 422, "balanced, precise, sensitive"),
        (b'{"text": "a", "threshold": 2}', 422, "threshold"),
        (b'{"text": "a", "added": {"T1105": 0}}', 422, "added.T1105"),
        (b'{"document": {"text": "ab", "sentences": [{"start": 1, "end": 9}]}}', 422, "sentence 0"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(running, body, status, told):
    answer = requests.post(
        f"{running.url}/v1/analyse",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=60,
    )
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_refusals_are_the_engines_own_errors(running):
    from engine.documents import from_text
    from engine.service.client import Client

    client = Client(running.url, retries=0)
    with pytest.raises(KINDS["usage"], match="no operating point 'wild'"):
        client.analyse(from_text("It ran."), "wild")
    with pytest.raises(KINDS["usage"], match="no recommender 'none'"):
        client.infer({"T1105": 1.0}, 3, "none")
    with pytest.raises(KINDS["document"], match=r"report\.pdf"):
        client.analyse_file(b"%PDF-1.7 nothing", "report.pdf")
