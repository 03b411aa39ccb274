"""What verdicts teach, as types: of a report, of its document, of its sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from engine.types import Document

Why = Literal["confirmed", "rejected", "added", "absent"]
Part = Literal["train", "held"]


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one technique, in a report or in a sentence.

    Attributes
    ----------
    technique : str
        Active in the knowledge in use.
    shown : bool
    weight : float
        How sure it is, in (0, 1].
    why : Why
    """

    technique: str
    shown: bool
    weight: float
    why: Why


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label worth a second look.

    Attributes
    ----------
    platform, report, technique : str
    label : str
        What it is taken for: "shown", "not shown", "left out".
    why : str
        A sentence.
    """

    platform: str
    report: str
    technique: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What analysts said of one report, before its text is looked at.

    Attributes
    ----------
    platform, report : str
    labels : mapping from technique to Label
    evidence : mapping from technique to tuple of (text or None, digest)
        The sentences that a label is about: those that were shown to the analyst, and those that
        the analyst pointed at. Of an added technique the latter alone.
    pointed : mapping from technique to frozenset of str
        The digests of those that an analyst pointed at.
    complete : bool
        Counted as curated: a technique without a label is absent.
    digest : str or None
        Of the text that was judged, as the platform's reader computes it.
    tlp : str or None
        The highest marking that the ledger knows of.
    at : datetime
        When the newest of it was said.
    """

    platform: str
    report: str
    labels: Mapping[str, Label]
    evidence: Mapping[str, tuple[tuple[str | None, str], ...]]
    complete: bool
    digest: str | None
    tlp: str | None
    at: datetime
    pointed: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the report in a label set."""
        return f"{self.platform}:{self.report}"


@dataclass(frozen=True, slots=True)
class JudgedDocument:
    """A judged report with its text and what is known of each sentence.

    Attributes
    ----------
    judged : Judged
        Its labels are those that hold for this text.
    document : Document
        Sentences with offsets; of a report whose text is not at hand only the evidence.
    whole : bool
        False where there is nothing but evidence.
    sentences : mapping from sentence index to tuple of Label
        Where something is known that does not follow from the document's labels.
    """

    judged: Judged
    document: Document
    whole: bool = True
    sentences: Mapping[int, tuple[Label, ...]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the report in a label set."""
        return self.judged.key

    @property
    def techniques(self) -> frozenset[str]:
        """The techniques that the document shows."""
        return frozenset(t for t, label in self.judged.labels.items() if label.shown)


@dataclass(frozen=True)
class Counts:
    """What a label set was made of, and what was left out."""

    confirmed: int = 0
    rejected: int = 0
    added: int = 0
    curated: int = 0
    over_tlp: int = 0
    without_text: int = 0
    changed: int = 0
    near_duplicates: int = 0

    @property
    def verdicts(self) -> int:
        """Verdicts in all."""
        return self.confirmed + self.rejected + self.added


@dataclass(frozen=True)
class FrozenLabels:
    """A frozen label set.

    Attributes
    ----------
    name : str
        Also that of its directory.
    digest : str
        SHA-256 over its files when it was frozen.
    created : datetime
    champion : str
        The release that chose the sentences of added techniques.
    attack_version : str
    train, held : tuple of JudgedDocument
        To learn from, and kept back for the gate; the newest are kept back.
    counts : Counts
    unmapped : tuple of str
        Techniques with labels that stand for nothing in the knowledge in use, each with how
        many labels were left out for it ("T1234 (deprecated): 3").
    disagreements : tuple of Doubt
        Where analysts contradict each other.
    suspicious : tuple of Doubt
        Labels that the models doubt; filled in when they were looked for.
    erased : tuple of str
        Keys of reports whose words were taken out since.
    """

    name: str
    digest: str
    created: datetime
    champion: str
    attack_version: str
    train: tuple[JudgedDocument, ...]
    held: tuple[JudgedDocument, ...]
    counts: Counts
    unmapped: tuple[str, ...] = ()
    disagreements: tuple[Doubt, ...] = ()
    suspicious: tuple[Doubt, ...] = ()
    erased: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
