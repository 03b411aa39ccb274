"""pycti's helper: how it is made, and what belongs to one message."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pika.exceptions
from pycti import OpenCTIConnectorHelper

from connector import playbook
from connector.errors import Unavailable
from connector.platform import FIRST_WAIT, LONGEST_WAIT

if TYPE_CHECKING:
    from connector.settings import Settings

NOT_REACHABLE = (
    "OpenCTI at {url} cannot be used: {reason} Check OPENCTI_URL and OPENCTI_TOKEN, or run: "
    "ttpscribe connector check"
)


def register(settings: Settings) -> Any:
    """Register with OpenCTI, and try again while it is not there.

    Raises
    ------
    Unavailable
        If it stays away.
    """
    hook, wait = sys.excepthook, FIRST_WAIT
    for attempt in range(settings.ttpscribe.retries + 1):
        try:
            helper = OpenCTIConnectorHelper(settings.for_pycti(), playbook_compatible=True)
            helper.own_applicant_id = helper.applicant_id
            return helper
        except (ValueError, OSError) as error:
            if attempt == settings.ttpscribe.retries:
                url = str(settings.opencti.url)
                raise Unavailable(NOT_REACHABLE.format(url=url, reason=error)) from error
        finally:
            # pycti's hook ends the process without a word on an error of any thread.
            sys.excepthook = hook
        time.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)
    raise AssertionError("not reached")


def set_up(helper: Any, body: dict[str, Any]) -> None:
    """Put onto the helper what belongs to a message, as pycti's own listener does."""
    internal, event = body["internal"], body["event"]
    helper.work_id = internal.get("work_id")
    helper.validation_mode = event.get("validation_mode", "draft")
    helper.force_validation = event.get("force_validation", False)
    set_draft(helper, internal.get("draft_id"))
    helper.applicant_id = internal.get("applicant_id") or helper.own_applicant_id
    helper.api_impersonate.set_applicant_id_header(helper.applicant_id)
    helper.playbook = playbook.execution(body, helper) if "playbook" in internal else None
    helper.enrichment_shared_organizations = _organizations(event, helper)


def set_draft(helper: Any, draft: str | None) -> None:
    """Let all requests see a draft, or what is published."""
    helper.draft_id = draft or None
    helper.api.set_draft_id(draft or "")
    helper.api_impersonate.set_draft_id(draft or "")


def send(helper: Any, bundle: str) -> None:
    """Send a bundle to the platform's workers.

    Raises
    ------
    ConnectionError
        If RabbitMQ cannot be reached.
    """
    try:
        helper.send_stix2_bundle(bundle)
    except pika.exceptions.AMQPError as error:
        raise ConnectionError("RabbitMQ cannot be reached") from error


def _organizations(event: dict[str, Any], helper: Any) -> Any:
    """Return the organizations that the object is shared with; results are shared alike."""
    entity = event.get("stix_entity")
    entity = json.loads(entity) if isinstance(entity, str) else entity
    if not isinstance(entity, dict):
        return None
    return entity.get("x_opencti_granted_refs") or helper.get_attribute_in_extension(
        "granted_refs", entity
    )
