"""What an enrichment enters in the ledger before it sends anything: invariant 3 of the design.

Every technique that was written can be traced to its sentence, recognizer and release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from connector.changes import highest_tlp
from connector.memory import PLATFORM
from connector.reader import Reading
from connector.writer import Draft
from engine.outputs.evidence import best, sentence_text
from engine.types import Analysis

if TYPE_CHECKING:
    from engine.ledger import Ledger, Written


def asked(ledger: Ledger, key: str) -> tuple[str, str] | None:
    """Return the enrichment of a report that was last recorded, and what was asked in it."""
    found = ledger.cursor(PLATFORM, f"asked {key}")
    if found is None:
        return None
    identifier, question = found.split()
    return identifier, question


def record(
    ledger: Ledger,
    identifier: str,
    key: str,
    question: str,
    reading: Reading,
    analysis: Analysis,
    draft: Draft,
) -> None:
    """Enter an enrichment, all of it or nothing; a second time after a crash changes nothing.

    Parameters
    ----------
    ledger : Ledger
    identifier : str
        The enrichment's id.
    key : str
        The report's name in the ledger.
    question : str
        A digest of all that the result depends on besides the release.
    reading : Reading
    analysis : Analysis
    draft : Draft
        What is about to be written.
    """
    from engine.ledger import Enrichment, OwnFile

    with ledger.transaction():
        ledger.begin_enrichment(
            Enrichment(
                platform=PLATFORM,
                report=key,
                digest=reading.digest,
                release=analysis.release,
                attack_version=analysis.attack_version,
                operating_point=analysis.operating_point,
                digests={each.name: each.digest for each in reading.sources},
                tlp=highest_tlp(each.definition for each in draft.report.markings),
                id=identifier,
            ),
            {each.digest: each.text for each in reading.sources},
        )
        ledger.set_cursor(PLATFORM, f"asked {key}", f"{identifier} {question}")
        ledger.record_written(*_written(identifier, reading, analysis, draft))
        ledger.record_files(
            *(
                OwnFile(
                    enrichment=identifier,
                    name=each.name,
                    digest=hashlib.sha256(each.data).hexdigest(),
                )
                for each in draft.files
            )
        )


def _written(
    identifier: str, reading: Reading, analysis: Analysis, draft: Draft
) -> Iterator[Written]:
    """Yield what is written, each finding with the sentence that proves it."""
    from engine.ledger import Written

    make = partial(Written, enrichment=identifier)
    for finding in analysis.findings:
        evidence = best(finding)
        proof: dict[str, Any] = {"technique": finding.technique, "probability": finding.probability}
        if evidence is not None:
            proof |= {
                "recognizer": evidence.recognizer,
                "evidence": sentence_text(analysis.document, evidence),
                "source": reading.source_of(evidence.sentence).name,
                "page": evidence.page,
            }
        if finding.technique in draft.refs:
            yield make(kind="ref", object=draft.refs[finding.technique], **proof)
        for uses in draft.uses:
            if uses.technique == finding.technique and uses.new and not uses.inferred:
                yield make(kind="relationship", object=uses.id, **proof)
    for inference in analysis.inferences:
        yield make(kind="inference", technique=inference.technique, probability=inference.score)
    for uses in draft.uses:
        if uses.inferred:
            yield make(kind="relationship", technique=uses.technique, object=uses.id)
    if draft.note is not None:
        digest = hashlib.sha256(draft.note_text.encode()).hexdigest()
        yield make(kind="note", object=draft.note, content_digest=digest)
    for thing in draft.things:
        if not thing.startswith(("relationship--", "note--")):
            yield make(kind="object", object=thing)
