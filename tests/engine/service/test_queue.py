"""A bounded line, deadlines, clients that go away, and texts that are encoded once."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import requests
from service_rig import InThread

from engine.documents import from_text
from engine.service.client import Client
from engine.service.errors import Unreachable

TEXT = "The macro ran PowerShell and dumped LSASS memory. It deleted the shadow copies."


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A service for one request at a time, with one place to wait."""
    folder = tmp_path_factory.mktemp("small")
    with InThread(folder, threads=1, queue=1, deadline_seconds=5) as running:
        yield running


@pytest.fixture
def held(small, monkeypatch):
    """Hold the engine until the test lets it go."""
    engine, real, let_go = small.service.engines.current, None, threading.Event()
    real = engine.analyse
    calls: list[str] = []

    def waiting(document, *args, **kwargs):
        calls.append(document.text)
        assert let_go.wait(20)
        return real(document, *args, **kwargs)

    monkeypatch.setattr(engine, "analyse", waiting)
    small.let_go, small.calls = let_go, calls
    yield small
    let_go.set()
    until(lambda: small.service.queue.inside == 0)


def until(condition, seconds: float = 20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def post(url: str, text: str, answers: list[requests.Response], timeout: float = 30) -> None:
    answers.append(requests.post(f"{url}/v1/analyse", json={"text": text}, timeout=timeout))


def started(*jobs: threading.Thread) -> None:
    for job in jobs:
        job.start()


def test_one_too_many_is_told_when_to_come_back(held):
    answers: list[requests.Response] = []
    jobs = [threading.Thread(target=post, args=(held.url, TEXT, answers)) for _ in range(2)]
    started(*jobs)
    until(lambda: held.service.queue.inside == 2)
    begun = time.monotonic()
    refused = requests.post(f"{held.url}/v1/analyse", json={"text": TEXT}, timeout=10)
    assert time.monotonic() - begun < 2
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "busy"
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    # Health is answered whatever the line is like.
    assert requests.get(f"{held.url}/ready", timeout=10).status_code == 200
    held.let_go.set()
    for job in jobs:
        job.join(30)
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_client_waits_its_turn(held, monkeypatch):
    answers: list[requests.Response] = []
    jobs = [threading.Thread(target=post, args=(held.url, TEXT, answers)) for _ in range(2)]
    started(*jobs)
    until(lambda: held.service.queue.inside == 2)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        held.let_go.set()
        until(lambda: held.service.queue.inside == 0)

    monkeypatch.setattr("engine.service.client.time", SimpleNamespace(sleep=sleep))
    analysis = Client(held.url).analyse(from_text(TEXT))
    assert analysis.findings
    assert waits
    assert waits[0] >= 1  # as Retry-After says, and a little more
    for job in jobs:
        job.join(30)


def test_what_nobody_waits_for_is_not_begun(held):
    answers: list[requests.Response] = []
    first = threading.Thread(target=post, args=(held.url, TEXT, answers))
    started(first)
    until(lambda: held.service.queue.inside == 1)
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{held.url}/v1/analyse", json={"text": "Gone soon."}, timeout=0.3)
    until(lambda: held.service.queue.inside == 1)
    held.let_go.set()
    first.join(30)
    assert held.calls == [TEXT]
    assert answers[0].status_code == 200


def test_an_answer_that_takes_too_long(tmp_path, monkeypatch):
    with InThread(tmp_path, deadline_seconds=0.3) as running:
        first = running.service.engines.current.recognizers[0]
        real = type(first).recognize
        began: list[float] = []

        def slow(self, document):
            time.sleep(0.5)
            began.append(time.monotonic())
            return real(self, document)

        monkeypatch.setattr(type(first), "recognize", slow)
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="not there in time"):
            Client(running.url).analyse(from_text(TEXT))  # not asked again: it would be as late
        assert time.monotonic() - begun < 5
        until(lambda: running.service.queue.inside == 0)
        assert len(began) == 1
        assert running.service.cores.batches == 1  # the warm-up's: it stopped before encoding


def test_the_same_text_is_encoded_once(small):
    client = Client(small.url)
    document = from_text(f"{TEXT} Then it ran rundll32 once.")
    first = client.analyse(document, "precise")
    batches = small.service.cores.batches
    second = client.analyse(document, "sensitive")
    assert small.service.cores.batches == batches
    assert len(first.findings) < len(second.findings)
    client.analyse(from_text(f"{TEXT} Then it ran rundll32 twice."))
    assert small.service.cores.batches > batches


def test_encoding_is_shared_while_it_runs_and_forgotten_by_size(small, monkeypatch):
    from engine.service import encoder as module

    shared = small.service._encoder
    begun, go = threading.Event(), threading.Event()
    real = module.run_batch

    def slow(session, batch):
        begun.set()
        assert go.wait(10)
        return real(session, batch)

    monkeypatch.setattr(module, "run_batch", slow)
    found: list[object] = []
    texts = ["A sentence that only this test holds."]
    jobs = [threading.Thread(target=lambda: found.append(shared.encode(texts))) for _ in range(3)]
    before = small.service.cores.batches
    started(*jobs)
    assert begun.wait(10)
    go.set()
    for job in jobs:
        job.join(10)
    assert small.service.cores.batches == before + 1
    assert all(each[0] is found[0][0] for each in found)
    monkeypatch.setattr(shared, "_keep_bytes", 0)
    shared.encode(["Another one."])
    assert (len(shared._kept), shared._kept_bytes) == (0, 0)
