"""The platform that the connector's tests talk to."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from opencti_double import INSTALL_HINT, OpenCTIDouble, RabbitMQ, Worker, find_server

# pika tells at length of connections that a test takes away on purpose.
logging.getLogger("pika").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A real RabbitMQ node of our own."""
    if find_server() is None:
        pytest.skip(INSTALL_HINT)
    node = RabbitMQ()
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture
def platform(rabbitmq: RabbitMQ) -> Iterator[OpenCTIDouble]:
    """An empty OpenCTI. A crash of the double or a refused request fails the test."""
    with OpenCTIDouble(rabbitmq) as double:
        yield double
        for connector_id in list(double.works.connectors):
            double.works.unregister(connector_id)
    assert not double.crashes, double.crashes[0]
    assert not double.refusals, double.refusals


@pytest.fixture
def worker(platform: OpenCTIDouble) -> Iterator[Worker]:
    """The worker, not yet at work: ``drain`` it, or ``start`` it."""
    importer = Worker(platform)
    yield importer
    importer.stop()
