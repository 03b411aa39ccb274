"""Handing results over to the platform's workers, and waiting for the import.

Each try announces its objects to the work first. Cut off and begun again, the work ends all the
same: it waits for nothing that does not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connector.errors import Unavailable
from connector.platform import FIRST_WAIT, LONGEST_WAIT, Platform
from connector.report import Report
from connector.writer import Draft

if TYPE_CHECKING:
    from connector.enrichment import Order
    from connector.settings import TtpscribeSettings
    from engine.ledger import Claim

POLL = 0.25
Send = Callable[[list[dict[str, Any]]], None]


class Sender:
    """Hands objects over, so that they are imported once whatever happens.

    Parameters
    ----------
    platform : Platform
    settings : TtpscribeSettings
    at : callable
        Called with the name of every step that has been reached.
    """

    def __init__(
        self, platform: Platform, settings: TtpscribeSettings, at: Callable[[str], None]
    ) -> None:
        self.platform = platform
        self.settings = settings
        self.at = at

    def send(self, claim: Claim, order: Order, draft: Draft, send: Send) -> Mapping[str, Any]:
        """Hand the bundle over; a second time after a crash leaves the work's count right."""
        objects = draft.bundle()
        sent: dict[str, Any] = {
            "report": draft.report.id,
            "techniques": sorted(draft.refs),
            "things": draft.things,
            "expected": 0,
        }
        begun = claim.steps.get("sending")
        if objects:
            sent["expected"] = begun["expected"] if begun else self._announced(order)
            claim.step("sending", sent)
            self.at("sending")
            self._hand_over(objects, order, int(sent["expected"]), send)
        if begun is not None:  # what the first send brought in is there, and not sent again
            for name in ("techniques", "things"):
                sent[name] = sorted({*sent[name], *begun[name]})
        claim.step("sent", sent)
        self.at("sent")
        return sent

    def _hand_over(
        self, objects: list[dict[str, Any]], order: Order, before: int, send: Send
    ) -> None:
        """Send, again if need be, and leave the work waiting for nothing that does not come.

        Each try announces its objects to the work before it hands them over, and may die in
        between. All of them are in the last one, so what earlier tries announced is reported as
        imported; without that the work would never end.
        """
        wait = FIRST_WAIT
        for attempt in range(self.settings.retries + 1):
            announced = self._announced(order)
            try:
                send(objects)
                break
            except Unavailable:
                if attempt == self.settings.retries:
                    self._report(order, self._announced(order) - before)
                    raise
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        self._report(order, announced - before)

    def _announced(self, order: Order) -> int:
        tracking = self.platform.tracking(order.work) if order.work else None
        return tracking.expected if tracking else 0

    def _report(self, order: Order, number: int) -> None:
        for _ in range(number):
            self.platform.api.work.report_expectation(order.work, None)

    def left_out(self, report: Report, sent: Mapping[str, Any]) -> dict[str, str]:
        """Return the references that the platform left out though it holds what they refer to.

        Where several workers import, one may take the report before another one is done with
        what it refers to; unknown references are dropped without a word.
        """
        highest = self.platform.highest_confidence()
        if not report.kind.container or (report.confidence or 0) > highest:
            return {}
        dropped = frozenset(sent["techniques"]) - report.technique_ids
        refs = {each: one.standard_id for each, one in self.platform.techniques(dropped).items()}
        relationships = (each for each in sent["things"] if each.startswith("relationship--"))
        return refs | {each: each for each in relationships if each not in report.object_ids}

    def send_again(
        self, claim: Claim, order: Order, report: Report, refs: dict[str, str], send: Send
    ) -> Report:
        """Send the references once more, and return the report as it is after that."""
        before = claim.steps.get("again")
        if before is None:
            before = {"expected": self._announced(order)}
            claim.step("again", before)
        objects = Draft(report, now(), refs=refs).bundle()
        self._hand_over(objects, order, int(before["expected"]), send)
        end = time.monotonic() + self.settings.read_back_timeout
        while True:
            report = self.platform.report(order.entity_type, report.id)
            if not set(refs.values()) - report.object_ids or time.monotonic() > end:
                return report
            time.sleep(POLL)

    def wait(self, work: str | None) -> bool:
        """Wait until the work's objects are imported; False if time ran out."""
        end = time.monotonic() + self.settings.read_back_timeout
        if work is None or not self.settings.read_back_timeout:
            return False
        while True:
            tracking = self.platform.tracking(work)
            if tracking is None or tracking.finished:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(POLL)


def now() -> str:
    """Return this moment as STIX writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
