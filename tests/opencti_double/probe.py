"""The smallest real connector: pycti's own helper, for tests of the double itself."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycti import OpenCTIConnectorHelper
from pycti.connector.opencti_connector_helper import ListenQueue

if TYPE_CHECKING:
    from .platform import OpenCTIDouble
    from .worker import Worker
    from .works import Work

PROBE_ID = "11111111-aaaa-4aaa-8aaa-111111111111"


class Probe:
    """A registered connector: ``send`` has objects imported, ``listen`` consumes messages."""

    def __init__(self, platform: OpenCTIDouble, worker: Worker, **connector: Any) -> None:
        self._platform = platform
        self._worker = worker
        settings = {
            "id": PROBE_ID,
            "type": "INTERNAL_ENRICHMENT",
            "name": "TTP probe",
            "scope": "Report",
            "log_level": "critical",
            **connector,
        }
        self.helper = OpenCTIConnectorHelper(
            {
                "opencti": {"url": platform.url, "token": platform.token},
                "connector": settings,
            },
            playbook_compatible=True,
        )
        # pycti ends the whole process on any uncaught exception; a test run must live on.
        sys.excepthook = sys.__excepthook__
        self.id = str(settings["id"])
        self._queue: ListenQueue | None = None
        self.received: list[dict[str, Any]] = []

    def send(self, *objects: dict[str, Any], **options: Any) -> Work:
        """Send objects as one bundle, have them imported, return the finished work."""
        api = self.helper.api.work
        work_id = api.initiate_work(self.id, "Probe")
        assert work_id is not None
        bundle = {"type": "bundle", "id": "bundle--fbc422ac-2093-45c6-8e61-e83b5fc6ba2b",
                  "objects": list(objects)}  # fmt: skip
        self.helper.send_stix2_bundle(json.dumps(bundle), work_id=work_id, **options)
        api.to_processed(work_id, "Sent")
        self._worker.drain()
        return self._platform.work(work_id)

    def listen(self, callback: Callable[[dict[str, Any]], str]) -> None:
        """Consume messages in a thread; each runs through pycti's own preparation."""
        helper = self.helper

        def remember(data: dict[str, Any]) -> str:
            self.received.append(data)
            return callback(data)

        self._queue = ListenQueue(
            helper,
            helper.opencti_token,
            helper.config,
            helper.connector_config,
            helper.applicant_id,
            helper.listen_protocol,
            helper.listen_protocol_api_ssl,
            helper.listen_protocol_api_path,
            helper.listen_protocol_api_port,
            remember,
        )
        threading.Thread(target=self._queue.run, daemon=True).start()

    def stop(self) -> None:
        """Stop the threads of pycti; the registration stays."""
        self.helper.ping.stop()
        queue, self._queue = self._queue, None
        if queue is not None and hasattr(queue, "pika_connection"):
            queue.exit_event.set()
            connection = queue.pika_connection
            connection.add_callback_threadsafe(queue.channel.stop_consuming)
