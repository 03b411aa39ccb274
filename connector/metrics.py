"""What an admin watches of a connector: how much it does, how long it takes, why it fails.

`TTPSCRIBE_METRICS_PORT` opens a port with two pages: ``/metrics`` for Prometheus and ``/health``
for a container engine, which answers 200 while the process takes messages. None of them holds a
text, a name or an id of a report. ``docs/operations.md`` says what to alert on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from connector.errors import ConnectorError, SettingsError

if TYPE_CHECKING:
    from engine.types import Analysis

SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1)


class Watch:
    """Looks on and keeps nothing: what a connector without a port for metrics has."""

    @contextmanager
    def enrichment(self) -> Iterator[None]:
        """Look on while a message is worked on."""
        yield

    def ended(self, outcome: str, reason: str | None = None) -> None:
        """Hear how it ended: ``done``, or ``failed`` for a reason."""

    def analysed(self, analysis: Analysis) -> None:
        """Hear what was found."""

    def close(self) -> None:
        """Let go of the port."""


class Metrics(Watch):
    """Counts, and serves what it counted.

    Parameters
    ----------
    taking : callable
        Whether the process takes messages just now.
    """

    def __init__(self, taking: Callable[[], bool] = lambda: True) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
        except ModuleNotFoundError as error:  # pragma: no cover - the extra brings it
            raise ConnectorError(
                "TTPSCRIBE_METRICS_PORT needs the package prometheus-client: "
                "pip install 'ttpscribe[opencti]'"
            ) from error
        self.taking = taking
        self.registry = r = CollectorRegistry()
        self.enrichments = Counter(
            "ttpscribe_connector_enrichments", "Messages worked on, by outcome.",
            ["outcome"], registry=r,
        )  # fmt: skip
        self.failures = Counter(
            "ttpscribe_connector_failures",
            "Enrichments that failed, by reason: the class of the error.", ["reason"], registry=r,
        )  # fmt: skip
        self.seconds = Histogram(
            "ttpscribe_connector_enrichment_seconds",
            "Time of an enrichment, from the message to what the work says.",
            buckets=SECONDS, registry=r,
        )  # fmt: skip
        self.findings = Histogram(
            "ttpscribe_connector_findings", "Findings of a report.", buckets=COUNTS, registry=r
        )
        self.probability = Histogram(
            "ttpscribe_connector_finding_probability",
            "Probabilities of findings: a shift of their distribution is drift.",
            buckets=[n / 10 for n in range(1, 11)], registry=r,
        )  # fmt: skip
        self.unknown = Histogram(
            "ttpscribe_connector_unknown_words",
            "Share of a report's words that the release never learned.",
            buckets=SHARES, registry=r,
        )  # fmt: skip
        self.warned = Counter(
            "ttpscribe_connector_warned_reports",
            "Reports read with a warning: not English, pages without text, and so on.", registry=r,
        )  # fmt: skip
        self.release = Info("ttpscribe_connector_release", "The release in use.", registry=r)
        self.busy = Gauge(
            "ttpscribe_connector_busy", "Whether it works on a message just now.", registry=r
        )
        Gauge(
            "ttpscribe_connector_taking", "Whether it takes messages from the queue.", registry=r
        ).set_function(lambda: float(self.taking()))
        for outcome in ("done", "failed"):  # there from the beginning, so that rates see the first
            self.enrichments.labels(outcome)
        self._server: ThreadingHTTPServer | None = None

    @contextmanager
    def enrichment(self) -> Iterator[None]:
        """Take the time of a message's work."""
        begun = time.monotonic()
        self.busy.set(1)
        try:
            yield
        finally:
            self.busy.set(0)
            self.seconds.observe(time.monotonic() - begun)

    def ended(self, outcome: str, reason: str | None = None) -> None:
        """Count an outcome."""
        self.enrichments.labels(outcome).inc()
        if reason is not None:
            self.failures.labels(reason).inc()

    def analysed(self, analysis: Analysis) -> None:
        """Count what was found."""
        self.release.info({"release": analysis.release, "attack_version": analysis.attack_version})
        self.findings.observe(len(analysis.findings))
        for finding in analysis.findings:
            if not finding.explicit:  # the probability of those is a constant
                self.probability.observe(finding.probability)
        if analysis.unknown_words is not None:
            self.unknown.observe(analysis.unknown_words)
        if analysis.warnings:
            self.warned.inc()

    def serve(self, host: str, port: int) -> Self:
        """Open the port, in a thread of its own.

        Raises
        ------
        SettingsError
            If it cannot be opened.
        """
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(self))
        except OSError as error:
            raise SettingsError(
                f"Metrics cannot be served at {host}:{port} ({error.strerror}): choose another "
                "TTPSCRIBE_METRICS_PORT, or leave it out."
            ) from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        return self

    @property
    def port(self) -> int:
        """The port that was opened."""
        assert self._server is not None  # noqa: S101 - only asked after `serve`
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a client that sends nothing keeps no thread

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
            elif self.path == "/health":
                taking = metrics.taking()
                self._answer(
                    200 if taking else 503, b"taking messages\n" if taking else b"not taking\n"
                )
            else:
                self._answer(404, b"There are /metrics and /health.\n")

        def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Leave requests out of the log."""

    return Handler
