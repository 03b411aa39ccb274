"""What an answer enters in the ledger before it is sent: each technique's sentence and release.

An answer of the modules server is an offer: the analyst may untick an object before MISP saves it.
So a row here says what was offered; whoever compares it with the event must have seen it there
before its absence means anything.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from engine.outputs.evidence import best, sentence_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.ledger import Ledger, Written
    from misp_module.writer import Reading

PLATFORM = "misp"


class Records:
    """The ledger, opened at the first answer that belongs to an event."""

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        self._opening = threading.Lock()

    def open(self) -> Ledger:
        """Open the ledger.

        Raises
        ------
        LedgerError
            If it cannot be reached or written.
        """
        from engine.ledger import Ledger

        with self._opening:
            if self._ledger is None:
                self._ledger = Ledger.open()
            return self._ledger

    def enter(
        self, event: Mapping[str, Any], readings: Sequence[Reading], results: Mapping[str, Any]
    ) -> str:
        """Enter an answer, all of it or nothing; the same again changes nothing.

        Parameters
        ----------
        event : mapping
            With its ``id``, which is the report's name in the ledger, and its tags where known.
        readings : sequence of (Source, Analysis)
        results : mapping
            What is about to be sent.

        Returns
        -------
        str
            Id of the enrichment.
        """
        from engine.ledger import Enrichment
        from engine.ledger.records import derived_id

        ledger, analysis = self.open(), readings[0][1]
        digests = {source.label: source.document.digest for source, _ in readings}
        digest = hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()
        report = str(event["id"])
        release, point = analysis.release, analysis.operating_point
        enrichment = Enrichment(
            platform=PLATFORM,
            report=report,
            digest=digest,
            digests=digests,
            release=release,
            attack_version=analysis.attack_version,
            operating_point=point,
            tlp=_tlp(event),
            id=derived_id("enrichment", PLATFORM, report, digest, release, point),
        )
        with ledger.transaction():
            ledger.begin_enrichment(
                enrichment, {source.document.digest: source.document.text for source, _ in readings}
            )
            ledger.record_written(*_written(enrichment.id, readings, results))
            ledger.finish_enrichment(enrichment.id, "done")
        return enrichment.id


def _written(
    enrichment: str, readings: Sequence[Reading], results: Mapping[str, Any]
) -> Iterator[Written]:
    from engine.ledger import Written
    from misp_module.writer import surest

    objects = results.get("Object", ())
    for (finding, source, _), element in zip(surest(readings), objects, strict=False):
        evidence = best(finding)
        shared: dict[str, Any] = {
            "enrichment": enrichment,
            "technique": finding.technique,
            "probability": float(finding.probability),
            "recognizer": evidence.recognizer if evidence else None,
            "evidence": sentence_text(source.document, evidence) if evidence else None,
            "source": source.label,
            "page": evidence.page if evidence else None,
        }
        yield Written(kind="object", object=element["uuid"], **shared)
        yield Written(kind="tag", object=element["Attribute"][0]["uuid"], **shared)
        if results.get("Tag"):
            yield Written(kind="tag", object="event", **shared)
    for report in results.get("EventReport", ()):
        content = hashlib.sha256(report["content"].encode("utf-8", "replace")).hexdigest()
        yield Written(
            enrichment=enrichment, kind="note", object=report["uuid"], content_digest=content
        )


def _tlp(event: Mapping[str, Any]) -> str | None:
    """Return the strictest TLP tag of the event as a marking, as far as its tags are known."""
    order = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", "WHITE")
    names = {str(tag.get("name")).upper() for tag in event.get("Tag") or ()}
    return next((f"TLP:{level}" for level in order if f"TLP:{level}" in names), None)
