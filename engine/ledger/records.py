"""The rows of the ledger as types.

Every row has an ``id`` that also holds in an export. Where a row would be the same one if it were
recorded again (after a crash, by a poll that overlaps the last), its id is derived from what it
says, so that recording it again changes nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Outcome = Literal["begun", "done", "failed"]
Kind = Literal["ref", "relationship", "note", "tag", "object", "inference"]
Judgement = Literal["confirmed", "rejected", "added"]

_NAMESPACE = uuid.UUID("5a0c9d3e-3c0c-4d0e-9d3b-6f6a35c6a4f1")


def new_id() -> str:
    """Return an id for a row that is never recorded twice."""
    return uuid.uuid4().hex


def derived_id(*parts: str | None) -> str:
    """Return the id that always stands for these parts."""
    # Lengths keep ("ab", "c") and ("a", "bc") apart, and None apart from "".
    text = "".join("-;" if part is None else f"{len(part)}:{part};" for part in parts)
    return uuid.uuid5(_NAMESPACE, text).hex


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, hexadecimal; as ``Document.digest``."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment:
    """One run over one report.

    Attributes
    ----------
    platform : str
        ``"opencti"`` or ``"misp"``, with a suffix where one ledger serves several instances.
    report : str
        The platform's id of the report, one that no edit changes.
    digest : str
        SHA-256 over all texts that were read; equal means there is nothing new to read.
    digests : mapping from source to str
        SHA-256 of each text by where it came from ("description", a file's name).
    release, attack_version, operating_point : str
        What read it.
    tlp : str or None
        The highest marking of the report then; training asks for it.
    at : datetime
        When it began.
    outcome, detail
        The last outcome recorded, and a sentence about it; filled in by the ledger.
    """

    platform: str
    report: str
    digest: str
    release: str
    attack_version: str
    operating_point: str
    digests: Mapping[str, str] = field(default_factory=dict)
    tlp: str | None = None
    id: str = field(default_factory=new_id)
    at: datetime = field(default_factory=now)
    outcome: Outcome = "begun"
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One thing that an enrichment wrote to the platform.

    Attributes
    ----------
    enrichment : str
        Id of the enrichment that wrote it.
    kind : Kind
        What it is there.
    technique : str or None
        None for what speaks of several, such as a note.
    object : str or None
        The platform's id of what was written.
    probability : float or None
        Calibrated, of the finding.
    recognizer : str or None
        The one that gave the evidence.
    evidence : str or None
        The sentence. Erasing it leaves ``evidence_digest``.
    source, page
        Which text of the report it stands in, and on what page.
    content_digest : str or None
        SHA-256 of what was sent, where a person may edit it (a note).
    """

    enrichment: str
    kind: Kind
    technique: str | None = None
    object: str | None = None
    probability: float | None = None
    recognizer: str | None = None
    evidence: str | None = None
    evidence_digest: str | None = None
    source: str | None = None
    page: int | None = None
    content_digest: str | None = None
    at: datetime = field(default_factory=now)
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            same = derived_id("written", self.enrichment, self.kind, self.technique, self.object)
            object.__setattr__(self, "id", same)
        if self.evidence is not None and self.evidence_digest is None:
            object.__setattr__(self, "evidence_digest", text_digest(self.evidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file that we attached to a report, so that we never read it as input."""

    enrichment: str
    name: str
    digest: str
    at: datetime = field(default_factory=now)
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            same = derived_id("file", self.enrichment, self.name, self.digest)
            object.__setattr__(self, "id", same)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen on the platform: a technique, or an object of ours, on a report or not.

    ``at`` is the platform's time. ``origin`` is the platform's own id of the edit (a row of its
    history, an event of its stream): the same edit is recorded once.
    """

    platform: str
    report: str
    technique: str | None = None
    object: str | None = None
    present: bool = True
    who: str | None = None
    origin: str | None = None
    at: datetime = field(default_factory=now)
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            where = ("observation", self.platform, self.report, self.technique, self.object)
            new = new_id() if self.origin is None else derived_id(*where, self.origin)
            object.__setattr__(self, "id", new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an analyst did with a technique on a report.

    Attributes
    ----------
    verdict : Judgement
        Confirmed, rejected or added.
    known_by : str
        How it is known: "difference", "history", "stream", "opinion", "sighting", "tag",
        "review", "curated".
    confidence : float
        In [0, 1]: how sure it is that a person meant it.
    who : str or None
        The platform's id of the person, where it is known.
    evidence : str or None
        The sentence that it is about, where there is one: the one that was shown, or what the
        analyst quoted, one passage a line.
    enrichment, release, attack_version : str or None
        What it judges, where it judges something of ours.
    tlp : str or None
        The report's highest marking then.
    origin : str or None
        The platform's own id of the edit; the same edit is recorded once.
    at : datetime
        When the analyst did it, in the platform's time. The latest one that was not withdrawn
        holds.
    """

    platform: str
    report: str
    technique: str
    verdict: Judgement
    known_by: str
    confidence: float = 1.0
    who: str | None = None
    evidence: str | None = None
    evidence_digest: str | None = None
    enrichment: str | None = None
    release: str | None = None
    attack_version: str | None = None
    tlp: str | None = None
    origin: str | None = None
    at: datetime = field(default_factory=now)
    id: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"a verdict's confidence is in [0, 1], not {self.confidence}")
        if self.evidence is not None and self.evidence_digest is None:
            object.__setattr__(self, "evidence_digest", text_digest(self.evidence))
        if not self.id:
            what = ("verdict", self.platform, self.report, self.technique, self.verdict)
            new = new_id() if self.origin is None else derived_id(*what, self.origin)
            object.__setattr__(self, "id", new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """That a verdict was taken back: what somebody had said was deleted, or says it no longer.

    It leaves the verdict where it is, and takes it out of what holds: the one before it holds
    again, where there is one. Who says the same again gives another verdict.

    Attributes
    ----------
    verdict : str
        Id of the verdict.
    technique : str
        Of the verdict, for whoever reads the ledger.
    who : str or None
        The platform's id of the person who took it back, where it is known.
    origin : str or None
        The platform's own id of the edit, where it tells.
    at : datetime
        When it was taken back, or seen to be, in the platform's time.
    """

    platform: str
    report: str
    technique: str
    verdict: str
    who: str | None = None
    origin: str | None = None
    at: datetime = field(default_factory=now)
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", derived_id("withdrawal", self.verdict))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curation:
    """That the techniques of a report were complete in an analyst's eyes, at some time.

    Only then does a technique that is not on the report speak against the text, and less than a
    technique that was rejected: an analyst may still have missed it.

    Attributes
    ----------
    complete : bool
        False takes it back: the report was reopened.
    known_by : str
        What made it count: a workflow status, a label, a reviewer, a publication, quiet.
    who : str or None
        The platform's id of the person, where it is known.
    tlp : str or None
        The report's highest marking then; training asks for it.
    digest : str or None
        SHA-256 over the texts as they were then, where they were read, as
        ``Enrichment.digest``; a report that changed since is another text.
    attack_version : str or None
        Of the knowledge that read its techniques. None where their ids are as the platform has
        them, as in OpenCTI: its objects say which version each of them has, and none says which
        ATT&CK they came with. An id is never given to another technique, so what it stands for
        today is found by revoked-by alone, when labels are collected.
    origin : str or None
        The platform's own id of the edit; the same edit is recorded once.
    at : datetime
        When it began to count, in the platform's time. The latest one holds.
    """

    platform: str
    report: str
    known_by: str
    complete: bool = True
    who: str | None = None
    tlp: str | None = None
    digest: str | None = None
    attack_version: str | None = None
    origin: str | None = None
    at: datetime = field(default_factory=now)
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            what = ("curation", self.platform, self.report, "yes" if self.complete else "no")
            new = new_id() if self.origin is None else derived_id(*what, self.origin)
            object.__setattr__(self, "id", new)
