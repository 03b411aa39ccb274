"""An engine that sends documents ahead answers as one that does not."""

from __future__ import annotations

from functools import partial

import pytest
from thread_workers import ThreadWorkers

from engine import Engine
from engine.documents import from_text
from engine.errors import ReleaseError, TtpscribeError
from engine.scale import ahead as module
from engine.scale.ahead import EngineAhead, engine_ahead
from engine.scale.analysing import Identity

TEXTS = [
    f"On host{n} the actor ran an encoded PowerShell command. It dumped LSASS memory."
    for n in range(6)
]


@pytest.fixture
def here(engine, monkeypatch):
    """Identities open the engine that is open already."""
    monkeypatch.setattr(Identity, "open", lambda _identity: engine)
    return engine


def test_the_answers_are_those_of_the_engine(engine, monkeypatch):
    documents = [from_text(text, f"report {n}") for n, text in enumerate(TEXTS)]
    known = {"inferences": 3, "added": {"T1490": 1.0}, "removed": {"T1059.001"}}
    expected = [engine.analyse(document, **known) for document in documents]
    there = Engine(engine.release, engine.recognizers, engine.fusion, engine.knowledge)
    there.analyse = partial(Engine.analyse, there)
    monkeypatch.setattr(Identity, "open", lambda _identity: there)
    monkeypatch.setattr(Engine, "analyse", None)  # nothing is analysed here
    sent = []

    def send(document):
        ahead.send(document, "balanced")
        sent.append(document.name)

    with EngineAhead(engine, ThreadWorkers(1)) as ahead:
        found = []
        for document in ahead.sending(documents, send):
            assert sent == [d.name for d in documents[: len(found) + 2]]
            found.append(ahead.analyse(document, **known))
    assert found == expected


def test_what_was_not_sent_is_analysed_here(here):
    with EngineAhead(here, ThreadWorkers(1)) as ahead:
        ahead.send(from_text(TEXTS[0]), "balanced")
        document = from_text(TEXTS[1])
        assert ahead.analyse(document, "precise") == here.analyse(document, "precise")


def test_it_goes_on_here_where_all_workers_are_gone(here, caplog):
    ahead = EngineAhead(here, ThreadWorkers(1))
    document = from_text(TEXTS[0])
    ahead.crew.close()
    ahead.send(document, "balanced")
    assert ahead.analyse(document) == here.analyse(document)


def test_without_an_address_or_a_number_there_is_none():
    with engine_ahead(None, None) as none:
        assert none is None


def test_workers_with_another_release_are_refused(engine, monkeypatch):
    monkeypatch.setattr(module, "workers_at", lambda _address, size: ThreadWorkers(size))
    monkeypatch.setattr(Engine, "open", classmethod(lambda _cls, *_: engine))
    right = Identity.of(engine)
    assert right.open() is engine
    for wrong, match in (
        ({"digest": "0" * 64}, "another release 2026-11"),
        ({"attack": "0" * 64}, "another ATT&CK"),
    ):
        identity = Identity(**{**{n: getattr(right, n) for n in right.__slots__}, **wrong})
        with pytest.raises(TtpscribeError, match=match):
            identity.open()


def test_a_worker_without_the_release_says_what_to_do():
    identity = Identity("0.1.0", "not-there", "", "")
    with pytest.raises(ReleaseError, match=r"cannot open the release not-there.*releases import"):
        identity.open()
