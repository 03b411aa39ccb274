"""A step of a playbook: a bundle in, the bundle with the additions out.

Whatever goes wrong, the playbook goes on with the bundle as it came.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from connector.errors import OutOfScope
from connector.writer import Draft, author
from engine.errors import LedgerError, TtpscribeError

if TYPE_CHECKING:
    from connector.enrichment import Enrichment, Order
    from engine.ledger import Claim

log = logging.getLogger(__name__)


def execution(body: dict[str, Any], helper: Any) -> dict[str, Any]:
    """Return what pycti needs to answer a playbook's step."""
    given = body["internal"]["playbook"]
    names = ("event_id", "execution_id", "playbook_id", "data_instance_id", "previous_step_id")
    return {
        **{name: given.get(name) for name in (*names, "step_id")},
        "execution_start": helper.date_now(),
        "previous_bundle": json.dumps(body["event"]["bundle"]),
    }


def play(
    enrichment: Enrichment,
    claim: Claim,
    order: Order,
    bundle: dict[str, Any],
    helper: Any,
    check_scope: Callable[[Order], None],
) -> str | None:
    """Answer a step of a playbook; return the class of the error, where there was one."""
    problem = reason = None
    try:
        if claim.exhausted:
            raise TtpscribeError("The connector stopped several times while working on this.")
        check_scope(order)
        draft = enrichment.prepare(claim.message, order).draft
        if draft is not None:
            bundle = add(bundle, order.entity_id, draft)
    except LedgerError:
        raise  # no fault of the report's: taken up again when the ledger is there
    except OutOfScope as error:
        log.info("The bundle goes back as it came: %s", error)
    except Exception as error:
        problem, reason = str(error), type(error).__name__
        log.exception("The bundle goes back as it came.")
    claim.step("sending")
    enrichment.at("sending")
    enrichment.platform.ask(
        "answering the playbook", lambda: helper.send_stix2_bundle(json.dumps(bundle))
    )
    enrichment.at("sent")
    if problem is not None:
        claim.fail(problem)
        return reason
    enrichment.finish(claim.message, "Handed on to the playbook.")
    claim.done()
    return None


def add(bundle: dict[str, Any], entity_id: str, draft: Draft) -> dict[str, Any]:
    """Return the bundle with the additions; what is in it stays as it is.

    Raises
    ------
    OutOfScope
        If the report is not in it.
    """
    objects = [dict(each) for each in bundle["objects"]]
    report = next((each for each in objects if each.get("id") == entity_id), None)
    if report is None:
        raise OutOfScope(f"{entity_id} is not in the playbook's bundle.")
    for name, values in draft.additions().items():
        there = report.get(name) or []
        report[name] = [*there, *(each for each in values if each not in there)]
    known = {each.get("id") for each in objects}
    new = [each for each in draft.objects if each["id"] not in known]
    if (new or draft.additions()) and author(draft.now)["id"] not in known:
        new.insert(0, author(draft.now))
    return {**bundle, "objects": [*objects, *new]}
