"""The queue: a message is in the journal before RabbitMQ is told to forget it.

pycti acknowledges a message and then works on it, so a process that dies has lost it. It also
fetches every attached file before the connector is asked, whatever the report's marking. Here
both are done otherwise; the connection, its heartbeats and its recovery are pycti's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycti.connector.opencti_connector_helper import ListenQueue, OpenCTIConnectorHelper

if TYPE_CHECKING:
    from engine.ledger import Claim, Journal

log = logging.getLogger(__name__)


class JournalledQueue(ListenQueue):  # type: ignore[misc]
    """pycti's listener with a journal before the acknowledgement.

    Parameters
    ----------
    helper : OpenCTIConnectorHelper
    journal : Journal
    process : callable
        Works on a claim, and never raises.
    """

    def __init__(self, helper: Any, journal: Journal, process: Callable[[Claim], object]) -> None:
        super().__init__(
            helper,
            helper.opencti_token,
            helper.config,
            helper.connector_config,
            helper.applicant_id,
            helper.listen_protocol,
            helper.listen_protocol_api_ssl,
            helper.listen_protocol_api_path,
            helper.listen_protocol_api_port,
            process,
        )
        self.daemon = True
        self._journal = journal
        self._process = process
        self._claim: Claim | None = None

    def _process_message(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        """Take a message: journal, acknowledge, work.

        If the journal cannot be written, this raises: the connection is closed, the message
        stays in the queue, and pycti connects again after ten seconds.
        """
        try:
            message = json.loads(body)
            internal = message["internal"]
            message["event"]["entity_id"]
        except (ValueError, KeyError, TypeError):
            log.error("A message that is no enrichment was left out: %.200r", body)
            channel.basic_ack(delivery_tag=method.delivery_tag)
            return
        self._claim = self._take(message, internal, body, redelivered=method.redelivered)
        if self._claim is None:
            log.info("This message was taken before; it is not done twice.")
            channel.basic_ack(delivery_tag=method.delivery_tag)
            return
        super()._process_message(channel, method, properties, body)

    def _data_handler(self, json_data: dict[str, Any]) -> None:
        claim, self._claim = self._claim, None
        if claim is None:  # came over HTTP, where there is no queue to tell
            body = json.dumps(json_data).encode()
            claim = self._take(json_data, json_data["internal"], body, redelivered=False)
        if claim is not None:
            self._process(claim)

    def _take(
        self, message: dict[str, Any], internal: dict[str, Any], body: bytes, *, redelivered: bool
    ) -> Claim | None:
        work = internal.get("work_id")
        name = work or hashlib.sha256(body).hexdigest()
        text, report = body.decode("utf-8", "replace"), _report_of(message["event"])
        claim = self._journal.take(name, text, work=work, report=report)
        if claim is None and not work and not redelivered:
            # A playbook has no work; the same bundle sent again is a new message.
            claim = self._journal.take(f"{name}-{uuid.uuid4()}", text, work=None, report=report)
        return claim

    def finish(self) -> None:
        """Take no further message; the present one is done first."""
        self.exit_event.set()
        connection, channel = self.pika_connection, self.channel
        if connection is not None and connection.is_open and channel is not None:
            connection.add_callback_threadsafe(channel.stop_consuming)


def _report_of(event: dict[str, Any]) -> str:
    """Return the id by which the ledger knows the report: the internal one, where it is told."""
    entity = event.get("stix_entity")
    entity = json.loads(entity) if isinstance(entity, str) else entity
    known = OpenCTIConnectorHelper.get_attribute_in_extension("id", entity or {})
    return str(known or event["entity_id"])
