"""What an admin watches: `docs/service.md` lists them, with what to alert on."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from engine import __version__

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1)


class Metrics:
    """The metrics of one service; none holds a text, a name or an id of a document."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter(
            "ttpscribe_requests", "Requests by path and status.", ["path", "status"], registry=r
        )
        self.seconds = Histogram(
            "ttpscribe_request_seconds", "Time of a request, by path.", ["path"],
            buckets=SECONDS, registry=r,
        )  # fmt: skip
        self.refused = Counter(
            "ttpscribe_refused",
            "Requests that were not answered, by reason (see the codes of errors).",
            ["code"],
            registry=r,
        )
        self.documents = Counter(
            "ttpscribe_documents", "Documents analysed, by format.", ["media_type"], registry=r
        )
        self.sentences = Counter("ttpscribe_sentences", "Sentences analysed.", registry=r)
        self.findings = Histogram(
            "ttpscribe_findings", "Findings of a document.", buckets=COUNTS, registry=r
        )
        self.probability = Histogram(
            "ttpscribe_finding_probability",
            "Probabilities of findings: a shift of their distribution is drift.",
            buckets=[n / 10 for n in range(1, 11)], registry=r,
        )  # fmt: skip
        self.unknown = Histogram(
            "ttpscribe_unknown_words",
            "Share of a document's words that the release never learned.",
            buckets=SHARES, registry=r,
        )  # fmt: skip
        self.release = Info("ttpscribe_release", "The release in use.", registry=r)
        Info("ttpscribe_service", "This service.", registry=r).info({"version": __version__})

    def gauge(self, name: str, told: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when somebody looks."""
        Gauge(f"ttpscribe_{name}", told, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self.registry)
