"""From the ledger's rows to one opinion a technique and report, with its weight."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.labels.verdicts.evidence import evidence_of
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.types import Doubt, Judged, Label, Why

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.ledger import Curation, Ledger, Verdict

_LEVELS = {
    "TLP:WHITE": 0,
    "TLP:CLEAR": 0,
    "TLP:GREEN": 1,
    "TLP:AMBER": 2,
    "TLP:AMBER+STRICT": 3,
    "TLP:RED": 4,
}


@dataclass(frozen=True)
class Collected:
    """What the ledger holds for learning.

    Attributes
    ----------
    reports : tuple of Judged
        By platform and report.
    disagreements : tuple of Doubt
    unmapped : Counter of (technique, status)
        Labels left out, as their technique is no longer part of ATT&CK.
    verdicts : Counter of Why
    """

    reports: tuple[Judged, ...]
    disagreements: tuple[Doubt, ...]
    unmapped: Counter[tuple[str, str]]
    verdicts: Counter[str]


def level(tlp: str | None) -> int:
    """Return how strict a marking is; no marking is as open as ``TLP:CLEAR``, an odd one closed."""
    return 0 if not tlp else _LEVELS.get(tlp.strip().upper(), 5)


def strictest(markings: Iterable[str | None]) -> str | None:
    """Return the strictest of some markings."""
    return max(markings, key=level, default=None)


def collect(ledger: Ledger, knowledge: Knowledge, settings: VerdictSettings) -> Collected:
    """Read all verdicts and curations.

    Several analysts may judge one technique of a report: the last word of each counts, by its
    confidence. The side with more weight wins, less what speaks against it; where neither clearly
    does, the technique is left out. Every such case is listed.
    """
    curated = {(c.platform, c.report): c for c in ledger.curations()}
    unmapped: Counter[tuple[str, str]] = Counter()
    verdicts: Counter[str] = Counter()
    doubts: list[Doubt] = []
    reports = []
    for platform, report in ledger.reports():
        history = ledger.history(platform, report)
        curation = curated.get((platform, report))
        if not history and curation is None:
            continue
        votes = _votes(history, knowledge, unmapped)
        labels = {}
        for technique in sorted(votes):
            label, doubt = _weigh(votes[technique], technique, settings)
            if doubt is not None:
                doubts.append(Doubt(platform, report, technique, *doubt))
            if label is not None:
                labels[technique] = label
                verdicts[label.why] += 1
        reports.append(_judged(ledger, platform, report, labels, history, curation, knowledge))
    return Collected(tuple(reports), tuple(doubts), unmapped, verdicts)


def _votes(
    history: Iterable[Verdict], knowledge: Knowledge, unmapped: Counter[tuple[str, str]]
) -> dict[str, dict[str | None, Verdict]]:
    """Return, by technique of today, the last verdict of each person."""
    votes: defaultdict[str, dict[str | None, Verdict]] = defaultdict(dict)
    lost: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for verdict in history:
        resolution = knowledge.resolve(verdict.technique)
        if resolution.technique is None:
            lost[verdict.technique, resolution.status].add(verdict.who)
        else:
            votes[resolution.technique.id][verdict.who] = verdict
    for gone, who in lost.items():
        unmapped[gone] += len(who)
    return votes


def _weigh(
    votes: Mapping[str | None, Verdict], technique: str, settings: VerdictSettings
) -> tuple[Label | None, tuple[str, str] | None]:
    """Return the label of the votes of several people, and (what, why) where they disagree."""
    # A verdict whose author is unknown is the ledger's own comparison; one with a name
    # that is as late knows better.
    said = list(votes.values())
    named = [v for v in said if v.who is not None]
    if named and len(named) < len(said):
        latest = max(v.at for v in named)
        said = [v for v in said if v.who is not None or v.at > latest]
    shown = sum(v.confidence for v in said if v.verdict != "rejected")
    absent = sum(v.confidence for v in said if v.verdict == "rejected")
    if shown + absent <= 0:
        return None, None
    margin = (shown - absent) / (shown + absent)
    last = max(said, key=lambda v: v.at)
    surest = max(v.confidence for v in said)
    doubt = None
    if shown and absent:
        names = ", ".join(f"{v.who or 'somebody'}: {v.verdict}" for v in said)
        label = "shown" if margin > 0 else "not shown"
        if abs(margin) < settings.least_margin:
            return None, ("left out", f"Analysts disagree and none outweighs ({names}).")
        doubt = (label, f"Analysts disagree ({names}); it counts {abs(margin) * surest:.2f}.")
    why: Why = "rejected"
    if margin > 0:
        # A technique that somebody put there himself was not found by us.
        added = any(v.verdict == "added" for v in said) and last.verdict != "confirmed"
        why = "added" if added else "confirmed"
    return Label(technique, margin > 0, max(abs(margin) * surest, 1e-3), why), doubt


def _judged(
    ledger: Ledger,
    platform: str,
    report: str,
    labels: Mapping[str, Label],
    history: tuple[Verdict, ...],
    curation: Curation | None,
    knowledge: Knowledge,
) -> Judged:
    evidence, pointed = evidence_of(ledger.written(platform, report), history, labels, knowledge)
    last = ledger.last_enrichment(platform, report)
    moments = [v.at for v in history] + ([curation.at] if curation else [])
    markings = [v.tlp for v in history[-1:]]
    markings += [curation.tlp if curation else None, last.tlp if last else None]
    enriched = next((v.enrichment for v in reversed(history) if v.enrichment), None)
    read = ledger.enrichment(enriched) if enriched else last
    digest = curation.digest if curation and curation.digest else read.digest if read else None
    return Judged(
        platform=platform,
        report=report,
        labels=labels,
        evidence=evidence,
        pointed=pointed,
        complete=curation is not None,
        digest=digest,
        tlp=strictest(markings),
        at=max(moments),
    )
