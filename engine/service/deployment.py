"""The deployment as Prometheus sees it: the ledger, the queue, the verdicts, the releases.

What all processes share is told by one of them, the service, whoever did the work: so an admin
alerts on the journal's queue or on analysts' rejections without asking each connector.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.errors import TtpscribeError
from engine.ledger.schema import HEAD
from engine.ledger.state import LedgerState, state_of
from engine.releases import ReleaseStore

KEPT_S = 15.0
GROUP = "ttpscribe.metrics"
log = logging.getLogger("ttpscribe.service")


class Deployment(Collector):
    """Reads releases and ledger when somebody looks, and at most every ``KEPT_S`` seconds.

    Parameters
    ----------
    clock : callable
        Seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._until = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names are known only from looking."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the gauges; two scrapers at once cost one look."""
        with self._lock:
            if self._clock() >= self._until:
                self._kept = [*releases(), *ledger(), *others()]
                self._until = self._clock() + KEPT_S
            return list(self._kept)


def others() -> Iterator[Metric]:
    """Yield what other packages tell, by entry point; one that fails keeps none of the rest."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            tell: Callable[[], Iterable[Metric]] = point.load()
            told = list(tell())
        except Exception:
            log.exception("%s could not be asked for its metrics", point.value)
        else:
            yield from told


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ttpscribe_{name}", told, labels=labels)


def releases() -> Iterator[Metric]:
    """Yield how many releases of the store are damaged."""
    damaged = _gauge("releases_damaged", "Releases of the store whose manifest cannot be used.")
    try:
        number = sum(entry.problem is not None for entry in ReleaseStore().list())
    except TtpscribeError:
        number = 1
    damaged.add_metric([], number)
    yield damaged


def ledger() -> Iterator[Metric]:
    """Yield the state of the ledger; where it cannot be reached, only that."""
    up = _gauge("ledger_up", "Whether the ledger can be reached and has this version's schema.")
    try:
        state = state_of()
    except TtpscribeError:
        up.add_metric([], 0)
        yield up
        return
    up.add_metric([], float(state.schema in (None, HEAD)))
    yield up
    yield from _journal(state)
    yield from _outcomes(state)


def _journal(state: LedgerState) -> Iterator[Metric]:
    messages = _gauge(
        "journal_messages", "Messages of the connectors' journal.", "platform", "state"
    )
    for (platform, of), number in sorted(state.messages.items()):
        messages.add_metric([platform, of], number)
    yield messages
    waiting = _gauge(
        "journal_oldest_waiting_seconds",
        "Age of the oldest message that nobody works on; 0 where there is none.",
        "platform",
    )
    for platform in sorted({platform for platform, _ in state.messages}):
        since = state.waiting_since.get(platform)
        age = max(0.0, (state.clock - since).total_seconds()) if since else 0.0
        waiting.add_metric([platform], age)
    yield waiting


def _outcomes(state: LedgerState) -> Iterator[Metric]:
    ended = _gauge(
        "enrichments_recorded", "Enrichments in the ledger, by outcome.", "platform", "outcome"
    )
    for (platform, outcome), number in sorted(state.outcomes.items()):
        ended.add_metric([platform, outcome], number)
    yield ended
    last = _gauge(
        "enrichment_last_done_timestamp_seconds",
        "When the last enrichment ended well.", "platform",
    )  # fmt: skip
    for platform, at in sorted(state.last_done.items()):
        last.add_metric([platform], at.timestamp())
    yield last
    judged = _gauge(
        "verdicts_recorded",
        "Verdicts in the ledger: a growing share of rejected ones is drift.",
        "platform", "verdict",
    )  # fmt: skip
    for (platform, verdict), number in sorted(state.verdicts.items()):
        judged.add_metric([platform, verdict], number)
    yield judged
