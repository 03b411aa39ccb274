"""One enrichment, step by step, each recorded in the journal before the next begins.

Whatever the process dies of, the same message taken up again ends in the same state: what was
sent is not counted twice, and what was said in the work is not said twice. ``STEPS`` are the
places where it can be cut off.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector import wording
from connector.analyser import Analyser
from connector.files import NAMESPACE
from connector.memory import PLATFORM, Memory, key_of, notice, recall, things_of
from connector.note import note_id
from connector.platform import Platform
from connector.reader import Reading, read
from connector.records import asked, record
from connector.report import Report
from connector.sending import Send, Sender, now
from connector.writer import Draft, compose

if TYPE_CHECKING:
    from connector.settings import TtpscribeSettings
    from engine.ledger import Claim, Ledger
    from engine.types import Analysis

log = logging.getLogger(__name__)

# Settings that another result follows from.
_MATTERS = (
    "operating_point", "threshold", "inferences", "max_inferences", "label", "write_refs",
    "write_relationships", "write_note", "write_html", "write_navigator",
)  # fmt: skip
STEPS = ("taken", "read", "analysed", "recorded", "sending", "sent", "checked", "reported")


@dataclass(frozen=True, slots=True)
class Order:
    """What a message asks for; ``by_hand`` if a person did, and not a change of the report."""

    entity_type: str
    entity_id: str
    work: str | None
    draft: str | None = None
    by_hand: bool = True


@dataclass(frozen=True)
class Result:
    """What an enrichment found, before it is sent.

    ``message`` is set where there is nothing to send.
    """

    draft: Draft | None
    message: str | None = None
    failed: bool = False


class Enrichment:
    """Enriches one report.

    Parameters
    ----------
    platform : Platform
    ledger : Ledger
    analyser : Analyser
    settings : TtpscribeSettings
    in_review : bool
        Whether results go into a draft of the platform's, for approval.
    at : callable, optional
        Called with the name of every step that has been reached.
    analysed : callable, optional
        Called with every analysis.
    """

    def __init__(
        self,
        platform: Platform,
        ledger: Ledger,
        analyser: Analyser,
        settings: TtpscribeSettings,
        *,
        in_review: bool = False,
        at: Callable[[str], None] = lambda _step: None,
        analysed: Callable[[Analysis], None] = lambda _analysis: None,
    ) -> None:
        self.platform = platform
        self.ledger = ledger
        self.analyser = analyser
        self.settings = settings
        self.in_review = in_review
        self.at = at
        self.sender = Sender(platform, settings, at)
        self.analysed = analysed

    def run(self, claim: Claim, order: Order, send: Send) -> str:
        """Enrich, and return what to say in the work.

        Raises
        ------
        TtpscribeError
            If it cannot be done; the text is for the work.
        """
        self.at("taken")
        if (checked := claim.steps.get("checked")) is not None:
            return str(checked["message"])
        if (sent := claim.steps.get("sent")) is None:
            result = self.prepare(claim.message, order)
            if result.draft is None:
                return self._end(claim, str(result.message))
            sent = self.sender.send(claim, order, result.draft, send)
        return self._check(claim, order, sent, send)

    def prepare(self, message: str, order: Order) -> Result:
        """Read, analyse, decide what to write, and enter it in the ledger."""
        settings = self.settings
        self.platform.check_markings(order.entity_type, order.entity_id, settings.max_tlp)
        report = self.platform.report(order.entity_type, order.entity_id)
        key = key_of(report, order.draft)
        identifier = enrichment_id(message)
        memory = self._recall(report, key)
        release = self.analyser.follow_champion()
        reading = read(report, settings, self.platform)
        self.at("read")
        if reading.document is None:
            return Result(None, wording.no_text(report, reading.problems))
        question = fingerprint(reading, settings, memory)
        last = self.ledger.last_enrichment(PLATFORM, key)
        known = (
            last is not None
            and last.release == release
            and asked(self.ledger, key) == (last.id, question)
        )
        # What the platform dropped is worth another try, but only if a person asks for it:
        # our own try changes the report, and would start the next one.
        if known and not (order.by_hand and self._dropped(report, key)):
            return Result(None, wording.NOTHING_NEW)
        analysis = self.analyser.analyse(
            reading.document,
            settings.operating_point,
            settings.threshold,
            0 if settings.inferences == "off" else settings.max_inferences,
            dict.fromkeys(memory.added, 1.0),
            memory.removed,
        )
        self.analysed(analysis)
        self.at("analysed")
        # Read once more: an analyst may have been at work while the text was read.
        report = self.platform.report(order.entity_type, report.id)
        memory = self._recall(report, key)
        draft = compose(
            report, reading, analysis, memory, settings, self.platform,
            self.analyser.knowledge, now(),
        )  # fmt: skip
        record(self.ledger, identifier, key, question, reading, analysis, draft)
        self.at("recorded")
        return Result(draft)

    # -- the steps --

    def _recall(self, report: Report, key: str) -> Memory:
        """Look at the report with what is known of it, and record what is there now."""
        notes = self._notes(report)
        things = things_of(report, notes)
        with self.ledger.transaction():
            memory = recall(self.ledger, key, report, things)
            known = {each.object for each in self.ledger.written(PLATFORM, key) if each.object}
            notice(self.ledger, key, report.technique_ids, things & known)
        return memory

    def _dropped(self, report: Report, key: str) -> bool:
        """Tell whether something was written that was never seen on the report."""
        wrote = {
            each.technique
            for each in self.ledger.written(PLATFORM, key)
            if each.kind == "ref" and each.technique
        }
        return bool(wrote - self.ledger.seen_present(PLATFORM, key) - report.technique_ids)

    def _notes(self, report: Report) -> list[str]:
        identifier = note_id(report.id)
        return [identifier] if self.platform.note(identifier) is not None else []

    def _check(self, claim: Claim, order: Order, sent: Mapping[str, Any], send: Send) -> str:
        """Wait for the import, and compare what is there with what was sent."""
        wrote = frozenset(sent["techniques"])
        if not wrote and not sent["things"]:
            return self._end(claim, wording.NOTHING_TO_ADD)
        what = wording.written(wrote, sent["things"])
        if self.in_review and not order.draft:
            return self._end(claim, f"{what} It waits in a draft for approval.")
        finished = self.sender.wait(order.work)
        if not finished:
            return self._end(
                claim,
                f"{what} The platform had not imported it after "
                f"{self.settings.read_back_timeout:.0f} seconds; it is in its queue.",
            )
        report = self.platform.report(order.entity_type, sent["report"])
        if refs := self.sender.left_out(report, sent):
            report = self.sender.send_again(claim, order, report, refs, send)
        things = things_of(report, self._notes(report))
        key = key_of(report, order.draft)
        notice(self.ledger, key, report.technique_ids, things & set(sent["things"]))
        dropped = sorted(wrote - report.technique_ids)
        lost = [each for each in sent["things"] if each not in things]
        message = what
        if dropped or lost:
            highest = self.platform.highest_confidence()
            tracking = self.platform.tracking(order.work) if order.work else None
            message += " " + wording.dropped(report, dropped, lost, highest, tracking)
        return self._end(claim, message)

    def _end(self, claim: Claim, message: str) -> str:
        with self.ledger.transaction():
            self.finish(claim.message, message)
            claim.step("checked", {"message": message})
        self.at("checked")
        return message

    def finish(self, name: str, message: str) -> None:
        """Note in the ledger that the enrichment of a message is done, where there is one."""
        identifier = enrichment_id(name)
        if self.ledger.enrichment(identifier) is not None:
            self.ledger.finish_enrichment(identifier, "done", message)


def enrichment_id(message: str) -> str:
    """Return the id of a message's enrichment: the same when it is resumed."""
    return uuid.uuid5(NAMESPACE, f"enrichment of {message}").hex


def fingerprint(reading: Reading, settings: TtpscribeSettings, memory: Memory) -> str:
    """Return a digest of all that the result depends on, besides the release.

    What analysts added counts where inferences build on it. What they removed does not: it only
    makes the result smaller.
    """
    question: dict[str, Any] = {name: getattr(settings, name) for name in _MATTERS}
    question["text"] = reading.digest
    question["problems"] = reading.problems
    question["added"] = [] if settings.inferences == "off" else sorted(memory.added)
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
