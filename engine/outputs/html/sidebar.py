"""What stands beside the document: tactics, findings, suggestions, inferences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.outputs.base import Context
from engine.outputs.evidence import place, ranked, sentence_text, tactic_ids, url
from engine.outputs.text import one_line, percent
from engine.types import Analysis, Document, Finding

QUOTE_LIMIT = 140


@dataclass(frozen=True, slots=True)
class Quote:
    """A line of the list that leads to a piece of evidence."""

    target: str
    text: str
    place: str
    probability: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding or suggestion in the list; ``number`` ties it to its marks in the text."""

    number: int
    kind: str
    technique: str
    name: str
    url: str | None
    probability: float
    percent: str
    explicit: bool
    tactics: str
    note: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class InferenceEntry:
    """An inference in the list; ``because`` holds (technique, number of its entry or None)."""

    technique: str
    name: str
    url: str | None
    score: float
    tactics: str
    because: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class TacticEntry:
    """A tactic with its probability and the number of findings and suggestions under it."""

    id: str
    name: str
    percent: str
    count: int


@dataclass(frozen=True, slots=True)
class Sidebar:
    """All of the lists."""

    findings: tuple[Entry, ...]
    suggestions: tuple[Entry, ...]
    inferences: tuple[InferenceEntry, ...]
    tactics: tuple[TacticEntry, ...]

    @classmethod
    def of(cls, analysis: Analysis, context: Context) -> Sidebar:
        """Make the lists; findings are numbered before suggestions."""
        listed = [("finding", f) for f in analysis.findings]
        listed += [("suggestion", f) for f in analysis.suggestions]
        entries = [
            _entry(n, kind, analysis.document, f, context) for n, (kind, f) in enumerate(listed)
        ]
        numbers = {entry.technique: entry.number for entry in reversed(entries)}
        inferences = tuple(
            InferenceEntry(
                technique=inference.technique,
                name=one_line(inference.name),
                url=url(inference.technique),
                score=inference.score,
                tactics=" ".join(tactic_ids(context.knowledge, inference.technique)),
                because=tuple((b.technique, numbers.get(b.technique)) for b in inference.because),
            )
            for inference in analysis.inferences
        )
        counts = Counter(tactic for entry in entries for tactic in entry.tactics.split())
        tactics = tuple(
            TacticEntry(score.tactic, one_line(score.name), percent(score.probability), count)
            for score in analysis.tactics
            if (count := counts[score.tactic])
        )
        return cls(
            findings=tuple(e for e in entries if e.kind == "finding"),
            suggestions=tuple(e for e in entries if e.kind == "suggestion"),
            inferences=inferences,
            tactics=tactics,
        )


def _entry(number: int, kind: str, document: Document, finding: Finding, context: Context) -> Entry:
    notes = dict.fromkeys(e.note for e in finding.evidence if e.note)
    return Entry(
        number=number,
        kind=kind,
        technique=finding.technique,
        name=one_line(finding.name),
        url=url(finding.technique),
        probability=round(finding.probability, 4),
        percent=percent(finding.probability),
        explicit=finding.explicit,
        tactics=" ".join(tactic_ids(context.knowledge, finding.technique)),
        note=one_line("; ".join(notes)),
        quotes=tuple(
            Quote(
                target=f"s{e.sentence}",
                text=one_line(sentence_text(document, e), QUOTE_LIMIT),
                place=place(e),
                probability=percent(e.probability),
            )
            for e in ranked(finding)
        ),
    )
