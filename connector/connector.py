"""The connector: takes messages, has them enriched, says in the work how it ended."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from connector import playbook
from connector.analyser import Analyser, chosen
from connector.enrichment import Enrichment, Order
from connector.errors import OutOfScope
from connector.helper import register, send, set_draft, set_up
from connector.memory import PLATFORM
from connector.metrics import Metrics, Watch
from connector.platform import Platform
from connector.queue import JournalledQueue
from engine.errors import LedgerError, TtpscribeError

if TYPE_CHECKING:
    from connector.settings import Settings
    from engine.ledger import Claim, Journal, Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an enrichment ended: what the work says."""

    message: str
    failed: bool = False


class Connector:
    """Runs enrichments for OpenCTI; one at a time in a process.

    Parameters
    ----------
    settings : Settings
    helper : OpenCTIConnectorHelper
        Registered with the platform.
    ledger : Ledger
    analyser : Analyser, optional
        Without one, the engine that the settings name.
    at : callable, optional
        Called with the name of every step of an enrichment; see `connector.enrichment`.
    watch : Watch, optional
        Told of every enrichment; see `connector.metrics`.
    """

    def __init__(
        self,
        settings: Settings,
        helper: Any,
        ledger: Ledger,
        analyser: Analyser | None = None,
        at: Callable[[str], None] = lambda _step: None,
        watch: Watch | None = None,
    ) -> None:
        ours = settings.ttpscribe
        self.settings = settings
        self.helper = helper
        self.ledger = ledger
        self.analyser = analyser or chosen(ours)
        self.at = at
        self.watch = watch or Watch()
        self.platform = Platform(helper.api, ours.retries, ours.request_timeout)
        self.journal: Journal = ledger.journal(
            PLATFORM, settings.connector.id, lease=timedelta(seconds=ours.lease)
        )
        self.enrichment = Enrichment(
            self.platform,
            ledger,
            self.analyser,
            ours,
            in_review=settings.connector.validate_before_import,
            at=at,
            analysed=self.watch.analysed,
        )
        # pycti keeps work, draft and applicant on the client: one enrichment at a time.
        self._busy = threading.Lock()
        self._stopping = threading.Event()
        self._queue: JournalledQueue | None = None

    @classmethod
    def open(cls, settings: Settings, **options: Any) -> Self:
        """Register with OpenCTI and open the ledger.

        Raises
        ------
        Unavailable
            If OpenCTI cannot be reached, after all tries.
        TtpscribeError
            If the ledger cannot be opened.
        """
        from engine.ledger import Ledger

        url = settings.ttpscribe.ledger_url
        ledger = Ledger.open(url.get_secret_value() if url else None)
        return cls(settings, register(settings), ledger, **options)

    # -- running --

    def run(self) -> None:
        """Serve the queue until a signal ends it; what a crash cut off is resumed."""
        self._open_metrics()
        self.analyser.follow_champion()  # opened before the first message, not during it
        queue = self._queue = JournalledQueue(self.helper, self.journal, self.process)

        def stop(*_: object) -> None:
            log.info("Stopping after the present enrichment.")
            self._stopping.set()
            queue.finish()

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)
        sweeper = threading.Thread(target=self._sweep, name="resume", daemon=True)
        sweeper.start()
        queue.start()
        while queue.is_alive():
            queue.join(0.5)
            if self._stopping.is_set():
                queue.finish()  # again: it may just have been connecting
        self._stopping.set()
        sweeper.join(self.settings.ttpscribe.lease)

    def _open_metrics(self) -> None:
        ours = self.settings.ttpscribe
        if ours.metrics_port is not None and not isinstance(self.watch, Metrics):
            self.watch = Metrics(self.taking).serve(ours.metrics_host, ours.metrics_port)
            self.enrichment.analysed = self.watch.analysed

    def taking(self) -> bool:
        """Tell whether messages are taken: the queue's thread lives, and has its connection."""
        queue = self._queue
        if queue is None or not queue.is_alive() or self._stopping.is_set():
            return False
        connection = queue.pika_connection
        return connection is None or bool(connection.is_open)

    def stop(self, timeout: float = 30) -> None:
        """End `run` after the present enrichment."""
        self._stopping.set()
        end = time.monotonic() + timeout
        while self._queue is not None and self._queue.is_alive() and time.monotonic() < end:
            self._queue.finish()
            self._queue.join(0.2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the heartbeats to the platform, and close the ledger."""
        if hasattr(self.helper, "ping"):
            self.helper.ping.stop()
        self.watch.close()
        self.ledger.close()

    def resume(self) -> int:
        """Work on what the journal holds and nobody works on; return how many there were."""
        number = 0
        while not self._stopping.is_set() and (claim := self.journal.claim()) is not None:
            log.info("Resuming %s, which was cut off.", claim.message)
            self.process(claim)
            number += 1
        return number

    def _sweep(self) -> None:
        """Look now and then for what another process, or this one before, left behind."""
        while True:
            try:
                if self.platform.api.health_check():
                    self.resume()
            except Exception:
                log.exception("The journal could not be looked through; trying again.")
            if self._stopping.wait(self.settings.ttpscribe.lease / 2):
                return

    # -- one message --

    def process(self, claim: Claim) -> Outcome:
        """Work on a message, and report how it ended; raises nothing."""
        from engine.ledger import LeaseLostError

        try:
            with claim, self._busy, self.watch.enrichment():
                body = json.loads(claim.body)
                set_up(self.helper, body)
                try:
                    return self._route(claim, body)
                finally:
                    set_draft(self.helper, None)
        except LeaseLostError:
            log.warning("%s was taken over by another process.", claim.message)
            return Outcome("Another process took it over.", failed=True)
        except TtpscribeError as error:
            # Not even the failure could be told: it stays in the journal, to be told later.
            log.error("%s stays in the journal: %s", claim.message, error)
            self.watch.ended("failed", type(error).__name__)
            return Outcome(str(error), failed=True)
        except Exception as error:
            log.exception("%s stays in the journal.", claim.message)
            self.watch.ended("failed", "Unforeseen")
            return Outcome(f"Unforeseen: {type(error).__name__}", failed=True)

    def _route(self, claim: Claim, body: dict[str, Any]) -> Outcome:
        internal, event = body["internal"], body["event"]
        order = Order(
            entity_type=str(event.get("entity_type")),
            entity_id=str(event["entity_id"]),
            work=claim.work or self._start_work(claim, internal),
            draft=internal.get("draft_id") or None,
            by_hand=internal.get("mode") != "auto",
        )
        if "playbook" in internal:
            bundle = event["bundle"]
            reason = playbook.play(
                self.enrichment, claim, order, bundle, self.helper, self.check_scope
            )
            self.watch.ended("failed" if reason else "done", reason)
            return Outcome("Handed on to the playbook.")
        return self._enrich(claim, order)

    def _start_work(self, claim: Claim, internal: dict[str, Any]) -> str | None:
        """Open a work for what this connector began by itself; a resumed one has it already."""
        name = internal.get("start_work")
        if not name:
            return None
        started = claim.steps.get("work")
        if started is None:
            started = self.platform.ask(
                "opening a work",
                lambda: self.helper.api.work.initiate_work(self.helper.connect_id, name),
            )
            claim.step("work", started)
        self.helper.work_id = started
        return str(started)

    def _enrich(self, claim: Claim, order: Order) -> Outcome:
        failure = claim.steps.get("failed")
        if failure is None:
            try:
                message = self._try(claim, order)
            except LedgerError:
                raise  # no fault of the report's: taken up again when the ledger is there
            except TtpscribeError as error:
                failure = self._failed(claim, str(error), type(error).__name__)
            except Exception as error:
                log.exception("An enrichment failed for a reason that was not foreseen.")
                failure = self._failed(
                    claim,
                    f"ttpscribe stumbled over something unforeseen ({type(error).__name__}). "
                    "The connector's log has the details; an administrator can report them.",
                )
        if failure is not None:
            self._tell(order, str(failure["message"]), failed=True)
            claim.fail(str(failure["message"]))
            self.watch.ended("failed", str(failure.get("reason", "Unforeseen")))
            return Outcome(str(failure["message"]), failed=True)
        self._tell(order, message, failed=False)
        self.at("reported")
        claim.done()
        self.watch.ended("done")
        return Outcome(message)

    def _try(self, claim: Claim, order: Order) -> str:
        if claim.exhausted:
            raise TtpscribeError(
                f"The connector stopped {claim.attempts - 1} times while working on this, and "
                "does not try again. An administrator finds the reason in its log."
            )
        self.check_scope(order)
        if order.work and not claim.steps.keys() - {"work"}:
            told = "resumed" if claim.attempts > 1 else "ready to process the operation"
            self.platform.ask(
                "starting the work",
                lambda: self.helper.api.work.to_received(order.work, f"Connector {told}"),
            )
        return self.enrichment.run(claim, order, self.send)

    def check_scope(self, order: Order) -> None:
        """Refuse what the admin did not choose: the platform delivers any type.

        Raises
        ------
        OutOfScope
            If the type is none of the scope.
        """
        scope = self.settings.connector.scope
        if order.entity_type not in scope:
            raise OutOfScope(
                f"This connector enriches {', '.join(scope)}, not {order.entity_type}. "
                "An administrator can widen CONNECTOR_SCOPE."
            )

    def send(self, objects: list[dict[str, Any]]) -> None:
        """Hand objects to the platform's workers, in one try."""
        bundle = self.helper.stix2_create_bundle(objects)
        self.platform.ask("sending the result", lambda: send(self.helper, bundle), retries=0)

    def _failed(self, claim: Claim, message: str, reason: str = "Unforeseen") -> dict[str, str]:
        failure = {"message": message, "reason": reason}
        claim.step("failed", failure)
        return failure

    def _tell(self, order: Order, message: str, *, failed: bool) -> None:
        """Report to the work, once."""
        log.log(logging.WARNING if failed else logging.INFO, "%s: %s", order.entity_id, message)
        if order.work is None:
            return
        tracking = self.platform.tracking(order.work)
        if tracking is None or not tracking.processed:
            self.platform.report_work(order.work, message, failed=failed)
