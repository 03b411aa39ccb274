"""The platform that the connector's tests talk to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from connector_rig import Processes, Rig
from harvest_scene import Scene, queueless_platform, scene_on
from opencti_double import INSTALL_HINT, OpenCTIDouble, RabbitMQ, Worker, find_server
from opencti_double.probe import Probe
from opencti_double.recorded_day import create_report, import_twice
from opencti_double.replay import Replay
from opencti_double.story import Story, tell
from postgres import running_server

from connector.analyser import LocalAnalyser
from engine import Engine

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
    if not rabbitmq.running:  # an earlier test killed it and failed before starting it again
        rabbitmq.start()
    with OpenCTIDouble(rabbitmq) as double:
        yield double
        if rabbitmq.running:
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


@pytest.fixture
def story(platform: OpenCTIDouble) -> Story:
    """The scene of the experiments: a report with its objects."""
    return tell(platform)


@pytest.fixture
def probe(platform: OpenCTIDouble, worker: Worker) -> Iterator[Probe]:
    """The smallest connector, registered."""
    connector = Probe(platform, worker)
    yield connector
    connector.stop()


@pytest.fixture
def replay(platform: OpenCTIDouble, project: Path) -> Replay:
    """The recordings of a real platform, where they are."""
    folder = project.parent / "shared" / "contracts" / "recordings"
    if not folder.is_dir():
        pytest.skip("the recordings of a real platform are not on this machine")
    return Replay(platform, folder)


@pytest.fixture
def day(platform: OpenCTIDouble, replay: Replay) -> Replay:
    """The recordings, on a platform as it was when the report had been created."""
    create_report(platform, replay)
    return replay


@pytest.fixture
def imported(platform: OpenCTIDouble, worker: Worker, day: Replay) -> Replay:
    """The recordings, on a platform after the two recorded imports."""
    import_twice(platform, worker, day)
    return day


@pytest.fixture(scope="session")
def analyser(engine: Engine) -> LocalAnalyser:
    """The shipped release, opened once for all tests in this process."""
    return LocalAnalyser(engine)


@pytest.fixture
def rig(platform: OpenCTIDouble, analyser: LocalAnalyser, tmp_path: Path) -> Iterator[Rig]:
    """A connector to set up, with a ledger of its own."""
    made = Rig(platform, f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made.analyser = analyser
    yield made
    made.close()


@pytest.fixture
def serving(rig: Rig, worker: Worker) -> Rig:
    """A connector that serves the queue, and the worker at work."""
    worker.start()
    rig.serve()
    return rig


@pytest.fixture(scope="session")
def _processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    started.close()


@pytest.fixture
def processes(_processes: Processes) -> Iterator[Processes]:
    """Connectors in processes of their own; none outlives its test."""
    yield _processes
    _processes.kill_all()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """A PostgreSQL for ledgers that several connectors share."""
    with running_server() as home:
        yield home


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An OpenCTI without queues, a ledger, and the harvester between them."""
    with queueless_platform() as platform, scene_on(platform, tmp_path / "ledger.sqlite") as made:
        yield made
