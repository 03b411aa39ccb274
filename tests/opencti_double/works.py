"""Connectors, their queues and their works: what the platform knows of who enriches what."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pika
import pika.exceptions

from .errors import PlatformError, functional_error
from .model import Clock, Element, User
from .rabbitmq import RabbitMQ
from .stix import to_stix
from .store import Store

CONNECTOR_EXCHANGE = "amqp.connector.exchange"
WORKER_EXCHANGE = "amqp.worker.exchange"


@dataclass
class Work:
    """One piece of work of a connector, as the user sees it on the report."""

    id: str
    connector_id: str
    name: str
    user: User
    timestamp: str
    event_source_id: str | None = None
    status: str = "wait"
    received_time: str | None = None
    processed_time: str | None = None
    completed_time: str | None = None
    completed_number: int = 0
    expected: int | None = None
    processed: int | None = None
    multipart: bool = False
    draft_context: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tracking(self) -> dict[str, int | None]:
        if self.status == "complete":
            done = self.completed_number
            return {"import_expected_number": done, "import_processed_number": done}
        return {
            "import_expected_number": self.expected,
            "import_processed_number": self.processed,
        }


@dataclass
class Connector:
    """A registered connector."""

    id: str
    user: User
    given: dict[str, Any]
    state: str | None = None
    info: dict[str, Any] | None = None
    created_at: str = ""
    updated_at: str = ""

    @property
    def name(self) -> str:
        return str(self.given["name"])

    @property
    def scope(self) -> list[str]:
        return [each.lower() for each in self.given.get("scope") or []]


class Works:
    """All connectors and works, and the queues between platform, connectors and workers."""

    def __init__(self, clock: Clock, broker: RabbitMQ) -> None:
        self._clock = clock
        self._broker = broker
        self.connectors: dict[str, Connector] = {}
        self.works: dict[str, Work] = {}
        self.playbook_steps: list[dict[str, Any]] = []

    def register(self, given: dict[str, Any], user: User) -> Connector:
        """Register a connector and declare its queues, which pycti never does itself."""
        now = self._clock.now()
        connector = self.connectors.get(given["id"])
        if connector is None:
            connector = Connector(given["id"], user, given, created_at=now)
            self.connectors[connector.id] = connector
        connector.given, connector.user, connector.updated_at = given, user, now
        if not self._broker.begun:  # a platform for tests that need no queue
            return connector
        with self._channel() as channel:
            for exchange, name in ((CONNECTOR_EXCHANGE, "listen"), (WORKER_EXCHANGE, "push")):
                queue, routing = f"{name}_{connector.id}", f"{name}_routing_{connector.id}"
                channel.exchange_declare(exchange, "direct", durable=True)
                channel.queue_declare(queue, durable=True)
                channel.queue_bind(queue, exchange, routing)
        return connector

    def unregister(self, connector_id: str) -> str:
        self.connectors.pop(connector_id, None)
        with self._channel() as channel:
            for name in ("listen", "push"):
                channel.queue_delete(f"{name}_{connector_id}")
        return connector_id

    def ping(self, connector_id: str, state: str | None, info: dict[str, Any] | None) -> Connector:
        connector = self.connectors.get(connector_id)
        if connector is None:
            raise functional_error("No connector found with the specified ID", id=connector_id)
        connector.state, connector.info = state, info
        connector.updated_at = self._clock.now()
        return connector

    def ask(
        self,
        store: Store,
        element: Element,
        connector_id: str,
        user: User,
        *,
        mode: str = "manual",
        trigger: str = "update",
        draft_id: str | None = None,
    ) -> Work:
        """Put a message for a connector onto its queue. The scope is not enforced."""
        if connector_id not in self.connectors:
            raise PlatformError(
                "Cannot read properties of undefined (reading 'enrichment_resolution')",
                "INTERNAL_SERVER_ERROR",
            )
        work = self.add(connector_id, f"{mode.capitalize()} enrichment", user, element.standard_id)
        internal = {
            "work_id": work.id,
            "applicant_id": None,
            "draft_id": draft_id,
            "mode": mode,
            "trigger": trigger,
        }
        event = {
            "event_type": "INTERNAL_ENRICHMENT",
            "entity_id": element.standard_id,
            "entity_type": element.entity_type,
            "stix_entity": json.dumps(to_stix(store, element)),
            "stix_objects": None,
        }
        self.publish(connector_id, {"internal": internal, "event": event})
        return work

    def ask_playbook(
        self, store: Store, element: Element, connector_id: str, bundle: dict[str, Any]
    ) -> None:
        """Put a playbook's message onto a connector's queue (read from the source)."""
        playbook = {
            "event_id": "event", "execution_id": "execution", "playbook_id": "playbook",
            "data_instance_id": element.standard_id, "step_id": "step",
            "previous_step_id": "previous",
        }  # fmt: skip
        internal = {"work_id": None, "playbook": playbook, "applicant_id": None}
        event = {
            "entity_id": element.standard_id,
            "entity_type": element.entity_type,
            "bundle": bundle,
        }
        self.publish(connector_id, {"internal": internal, "event": event})

    def publish(self, connector_id: str, message: dict[str, Any]) -> None:
        with self._channel() as channel:
            channel.basic_publish(
                CONNECTOR_EXCHANGE,
                f"listen_routing_{connector_id}",
                json.dumps(message).encode(),
                pika.BasicProperties(headers={}, delivery_mode=2),
            )

    def automatic(self, store: Store, what: str, element: Element, user: User) -> None:
        """Ask the connectors that run by themselves: on creation, and on updates if they asked."""
        for connector in self.connectors.values():
            wanted = connector.given.get("auto") and (
                what == "create" or connector.given.get("auto_update")
            )
            if wanted and element.entity_type.lower() in connector.scope:
                self.ask(store, element, connector.id, user, mode="auto", trigger=what)

    @contextlib.contextmanager
    def _channel(self) -> Iterator[Any]:
        """Open a channel; without the broker the request fails, the platform lives on."""
        try:
            connection = self._broker.connect()
            yield connection.channel()
            connection.close()
        except pika.exceptions.AMQPError as error:
            raise PlatformError(
                f"RabbitMQ cannot be reached: {error!r}", "INTERNAL_SERVER_ERROR"
            ) from error

    # -- works -------------------------------------------------------------------------------

    def add(
        self, connector_id: str, name: str, user: User, source: str | None = None,
        *, multipart: bool = False,
    ) -> Work:  # fmt: skip
        now = self._clock.now()
        work = Work(f"work_{connector_id}_{now}", connector_id, name, user, now, source)
        work.multipart = multipart
        self.works[work.id] = work
        return work

    def received(self, work_id: str, message: str | None) -> str:
        work = self.works.get(work_id)
        if work is not None:
            work.received_time = self._clock.now()
            work.status = "progress" if work.status == "wait" else work.status
            if message:
                work.messages.append(self._message(message))
        return work_id  # an unknown work is accepted without a word

    def processed(self, work_id: str, message: str | None, in_error: bool | None) -> str:
        work = self.works.get(work_id)
        if work is not None:
            work.processed_time = self._clock.now()
            if message:
                (work.errors if in_error else work.messages).append(self._message(message))
            if not work.expected or work.multipart:
                self._complete(work, max(work.expected or 1, 1))
        return work_id

    def expect(self, work_id: str, number: int) -> str:
        work = self.works.get(work_id)
        if work is not None:
            work.expected = (work.expected or 0) + number
        return work_id

    def report(self, work_id: str, error: dict[str, Any] | None) -> str:
        work = self.works.get(work_id)
        if work is not None:
            work.processed = (work.processed or 0) + 1
            if error is not None:
                work.errors.append(self._message(error.get("error"), error.get("source")))
            everything = work.expected is not None and work.processed >= work.expected
            if everything and not work.multipart:
                self._complete(work, work.processed)
        return work_id

    def _complete(self, work: Work, number: int) -> None:
        work.status = "complete"
        work.completed_time = self._clock.now()
        work.completed_number = number

    def _message(self, message: str | None, source: str | None = None) -> dict[str, Any]:
        return {
            "timestamp": self._clock.now(),
            "message": message,
            "sequence": None,
            "source": source,
        }
