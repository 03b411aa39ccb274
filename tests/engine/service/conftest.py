"""One service for all tests that only ask it, and the engine it should be equal to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from service_rig import InThread

from engine import Engine
from engine.service.client import Client


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine.open()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InThread]:
    with InThread(tmp_path_factory.mktemp("service"), max_request_mb=2) as running:
        yield running


@pytest.fixture(scope="session")
def client(running: InThread) -> Client:
    return Client(running.url, retries=0)
