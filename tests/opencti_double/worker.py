"""OpenCTI's worker: takes bundles from the queues and imports them with the real pycti.

One message is one object of a bundle; pycti's own ``stix2`` import talks to the double as the
recorded worker talked to the platform, for the connector's user (the applicant), and reports
each object to the work, done or failed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pika.exceptions
import requests
from pycti import OpenCTIApiClient
from pycti.utils import opencti_stix2

if TYPE_CHECKING:
    from .platform import OpenCTIDouble


class Worker:
    """Imports what connectors push, in a thread of its own or when a test asks for it.

    Parameters
    ----------
    platform : the double.
        Take it down only while nothing is being imported: pycti waits 10 to 30 seconds before
        it tries a lost connection again.
    retries : how often an object with a missing reference is tried again, a second or more
        apart. The real worker tries four times; that is kept out of most tests.
    """

    def __init__(self, platform: OpenCTIDouble, retries: int = 0) -> None:
        self._platform = platform
        self._retries = retries
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._client: OpenCTIApiClient | None = None
        # Import containers before what they refer to, as several workers at once may.
        self.containers_first = False

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Import in the background until ``stop``."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
            self._thread = None

    def renew(self) -> None:
        """Forget pycti's caches, as a worker that is started anew."""
        self._client = None

    def drain(self) -> int:
        """Import everything that waits now; return how many messages there were."""
        with contextlib.closing(self._platform.broker.connect()) as connection:
            return self._drain(connection.channel())

    def _drain(self, channel: Any) -> int:
        number = 0
        for connector_id in list(self._platform.works.connectors):
            for method, body in self._waiting(channel, f"push_{connector_id}"):
                try:
                    self._import(json.loads(body))
                except (pika.exceptions.AMQPError, requests.RequestException):
                    raise
                except Exception:
                    # What pycti cannot read is not tried again; the test shall know of it.
                    self._platform.crashes.append(traceback.format_exc())
                channel.basic_ack(method.delivery_tag)
                number += 1
        return number

    def _waiting(self, channel: Any, queue: str) -> Iterator[tuple[Any, bytes]]:
        """Yield the messages that wait."""
        waiting = iter(lambda: channel.basic_get(queue), (None, None, None))
        messages = ((method, body) for method, _, body in waiting)
        if self.containers_first:
            yield from sorted(messages, key=lambda each: not _holds_container(each[1]))
        else:
            yield from messages

    def _run(self) -> None:
        while not self._stop.is_set():
            # The broker or the platform may be away, as a test wants it: try again.
            with contextlib.suppress(pika.exceptions.AMQPError, requests.RequestException):
                self._work()
            self._stop.wait(0.1)

    def _work(self) -> None:
        with contextlib.closing(self._platform.broker.connect()) as connection:
            channel = connection.channel()
            while not self._stop.is_set():
                if self._drain(channel) == 0:
                    connection.sleep(0.05)

    def _import(self, message: dict[str, Any]) -> None:
        if self._client is None:
            self._client = OpenCTIApiClient(
                self._platform.url,
                self._platform.users["worker"].token,
                log_level="critical",
                ssl_verify=False,
            )
        client = self._client
        client.set_applicant_id_header(message.get("applicant_id"))
        client.set_work_id(message.get("work_id"))
        client.set_draft_id(message.get("draft_id") or "")
        client.set_synchronized_upsert_header(False)
        content = base64.b64decode(message["content"]).decode("utf-8")
        usual, opencti_stix2.PROCESSING_COUNT = opencti_stix2.PROCESSING_COUNT, self._retries
        try:
            client.stix2.import_bundle_from_json(
                content, message.get("update", False), None, message.get("work_id")
            )
        finally:
            opencti_stix2.PROCESSING_COUNT = usual


def _holds_container(body: bytes) -> bool:
    bundle = json.loads(base64.b64decode(json.loads(body)["content"]))
    return any(each["type"] == "report" for each in bundle["objects"])
