"""The worker with the engine at a URL: the same answers, and no model of its own."""

from __future__ import annotations

import pytest
from service_rig import InThread

from misp_module.check import check
from misp_module.settings import Settings

from .conftest import STORY, enrich, serve


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with InThread(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def remote_server(root, service):
    with serve(root, {"TTPSCRIBE_MISP_ENGINE_URL": service.url}) as server:
        yield server


def test_the_same_answer_as_in_process(server, remote_server):
    far, near = remote_server.ask(enrich(STORY)), server.ask(enrich(STORY))
    assert far == near
    assert far["results"]["Object"]


def test_the_worker_loads_no_model(server, remote_server):
    remote_server.ask(enrich(f"{STORY} Again."))
    mapped = "\n".join(each.path for each in remote_server.worker().memory_maps())
    own = "\n".join(each.path for each in server.worker().memory_maps())
    assert "onnxruntime" in own
    assert "onnxruntime" not in mapped


def test_an_engine_that_is_away_is_told(root):
    with serve(root, {"TTPSCRIBE_MISP_ENGINE_URL": "http://127.0.0.1:9"}) as server:
        answer = server.ask(enrich(STORY))
        assert "The engine at http://127.0.0.1:9 does not answer" in answer["error"]


def test_check_tells_of_the_service(service):
    (line, *_) = check(Settings(engine_url=service.url))
    assert (line.subject, line.state) == ("engine", "good")
    assert line.told.startswith(f"{service.url} serves release ")
    (line, *_) = check(Settings(engine_url="http://127.0.0.1:9"))
    assert (line.subject, line.state) == ("engine", "wrong")
