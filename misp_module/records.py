"""What an answer enters in the ledger before it is sent: each technique's sentence and release.

An answer of the modules server is an offer: the analyst may untick an object before MISP saves it.
So a row here says what was offered; whoever compares it with the event must have seen it there
before its absence means anything. A tag that the AI hook suggests is entered as such: one that an
analyst ticked is found on the event later, and one left unticked says nothing, as nobody knows
whether it was looked at.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from engine.outputs.evidence import best, sentence_text
from misp_module.tlp import tlp_of

if TYPE_CHECKING:
    from engine.ledger import Enrichment, Ledger, Written
    from engine.types import Analysis, Finding
    from misp_module.reader import Source
    from misp_module.writer import Reading

PLATFORM: Final = "misp"
EVENT: Final = "event"  # What a tag of the event itself hangs on.
SUGGESTED: Final = "suggestion"  # What a tag hangs on that was suggested and is not written by us.
Surest = tuple["Finding", "Source", "Analysis"]


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

    def close(self) -> None:
        """Close the ledger, if it was opened."""
        with self._opening:
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None

    def rejected(self, event: str) -> frozenset[str]:
        """Return the techniques that an analyst took off an event, as far as they are harvested."""
        return self.open().removed(PLATFORM, event)

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
        enrichment = _enrichment(event, readings)
        self._record(enrichment, readings, list(_written(enrichment.id, readings, results)))
        return enrichment.id

    def enter_suggestions(
        self, event: Mapping[str, Any], readings: Sequence[Reading], suggested: Sequence[Surest]
    ) -> None:
        """Enter the tags that are suggested for an event, likewise."""
        from engine.ledger import Written

        enrichment = _enrichment(event, readings)
        rows = [
            Written(kind="tag", object=SUGGESTED, **_shared(enrichment.id, finding, source))
            for finding, source, _ in suggested
        ]
        self._record(enrichment, readings, rows)

    def _record(
        self, enrichment: Enrichment, readings: Sequence[Reading], rows: Sequence[Written]
    ) -> None:
        ledger = self.open()
        texts = {source.document.digest: source.document.text for source, _ in readings}
        with ledger.transaction():
            ledger.begin_enrichment(enrichment, texts)
            ledger.record_written(*rows)
            ledger.finish_enrichment(enrichment.id, "done")


def _enrichment(event: Mapping[str, Any], readings: Sequence[Reading]) -> Enrichment:
    from engine.ledger import Enrichment
    from engine.ledger.records import derived_id

    analysis = readings[0][1]
    digests = {source.label: source.document.digest for source, _ in readings}
    digest = hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()
    report = str(event["id"])
    release, point = analysis.release, analysis.operating_point
    return Enrichment(
        platform=PLATFORM,
        report=report,
        digest=digest,
        digests=digests,
        release=release,
        attack_version=analysis.attack_version,
        operating_point=point,
        tlp=tlp_of(event),
        id=derived_id("enrichment", PLATFORM, report, digest, release, point),
    )


def _written(
    enrichment: str, readings: Sequence[Reading], results: Mapping[str, Any]
) -> Iterator[Written]:
    from engine.ledger import Written
    from misp_module.writer import surest

    found = {finding.technique: (finding, source) for finding, source, _ in surest(readings)}
    for element in results.get("Object", ()):
        name = element["Attribute"][0]
        technique = str(name["value"]).split()[0]
        if technique not in found:
            continue  # the remark that there is none
        shared = _shared(enrichment, *found[technique])
        yield Written(kind="object", object=element["uuid"], **shared)
        yield Written(kind="tag", object=name["uuid"], **shared)
        if results.get("Tag"):
            yield Written(kind="tag", object=EVENT, **shared)
    for report in results.get("EventReport", ()):
        content = hashlib.sha256(report["content"].encode("utf-8", "replace")).hexdigest()
        yield Written(
            enrichment=enrichment, kind="note", object=report["uuid"], content_digest=content
        )


def _shared(enrichment: str, finding: Finding, source: Source) -> dict[str, Any]:
    evidence = best(finding)
    return {
        "enrichment": enrichment,
        "technique": finding.technique,
        "probability": float(finding.probability),
        "recognizer": evidence.recognizer if evidence else None,
        "evidence": sentence_text(source.document, evidence) if evidence else None,
        "source": source.label,
        "page": evidence.page if evidence else None,
    }
