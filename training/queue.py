"""Which reports an analyst should judge next: those whose verdicts would teach most.

Uncertainty: a technique whose probability is near one half, more so where few verdicts speak of it
yet. Diversity: of reports that would teach the same, one (Settles, "Active Learning Literature
Survey", 2009; greedy choice as in Carbonell and Goldstein, "The Use of MMR", SIGIR 1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.harvest import QueueEntry
from training.labels.verdicts.collect import collect, level
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.texts import Texts
from training.labels.verdicts.types import Judged
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.harvest import Harvester
    from engine.ledger import Ledger

TECHNIQUES: Final = 5
# The newest reports are looked at; nobody goes back to old ones to teach.
MOST_READ: Final = 300


@dataclass(frozen=True)
class _Candidate:
    platform: str
    report: str
    values: Mapping[str, float]
    probabilities: Mapping[str, float]

    @property
    def best(self) -> list[str]:
        """Techniques that would teach most."""
        return sorted(self.values, key=lambda t: (-self.values[t], t))[:TECHNIQUES]


def queue(
    ledger: Ledger,
    engine: Engine,
    settings: VerdictSettings,
    number: int,
    harvesters: Mapping[str, Harvester] | None = None,
    *,
    steps: Steps = NO_STEPS,
) -> tuple[QueueEntry, ...]:
    """Return the reports to judge next, the most telling first.

    Reports that count as curated are not among them, nor those above the highest marking that is
    learned from. Where the text is at hand, suggestions are judged too; else what was written.

    Parameters
    ----------
    ledger : Ledger
    engine : Engine
        The champion.
    settings : VerdictSettings
    number : int
        How many.
    harvesters : mapping from platform to Harvester, optional
        To read reports whose text the ledger does not keep.
    steps : Steps
    """
    collected = collect(ledger, engine.knowledge, settings)
    judged = {(one.platform, one.report): one for one in collected.reports}
    known = Counter(technique for one in collected.reports for technique in one.labels)
    texts = Texts(ledger, harvesters or {}, settings)
    open_ = [
        enrichment
        for platform, report in ledger.reports()
        if (enrichment := ledger.last_enrichment(platform, report)) is not None
        and not ((one := judged.get((platform, report))) and one.complete)
        and level(enrichment.tlp) <= level(settings.max_tlp)
    ]
    open_.sort(key=lambda enrichment: enrichment.at, reverse=True)
    candidates = []
    with steps.step("Read reports", min(len(open_), MOST_READ)) as advance:
        for enrichment in open_[:MOST_READ]:
            platform, report = enrichment.platform, enrichment.report
            done = judged.get((platform, report))
            empty = Judged(
                platform, report, {}, {}, False, enrichment.digest, enrichment.tlp, enrichment.at
            )
            found = texts.of(empty)
            if found == "over TLP":
                continue
            if isinstance(found, str):
                probabilities = {
                    thing.technique: thing.probability
                    for thing in ledger.written(platform, report)
                    if thing.technique and thing.probability is not None
                    and thing.kind != "inference"
                }  # fmt: skip
            else:
                analysis = engine.analyse(found.document, inferences=0)
                both = (*analysis.findings, *analysis.suggestions)
                probabilities = {one.technique: one.probability for one in both}
            values = {
                technique: (1 - abs(2 * p - 1)) / (1 + known[technique]) ** 0.5
                for technique, p in probabilities.items()
                if done is None or technique not in done.labels
            }
            if any(value > 0 for value in values.values()):
                candidates.append(_Candidate(platform, report, values, probabilities))
            advance(1)
    return _diverse(candidates, number, known)


def _diverse(
    candidates: list[_Candidate], number: int, known: Mapping[str, int]
) -> tuple[QueueEntry, ...]:
    """Choose one after the other; what a chosen report asks already counts half each time."""
    asked: Counter[str] = Counter()
    rest = sorted(candidates, key=lambda one: (one.platform, one.report))
    entries: list[QueueEntry] = []
    first = 0.0
    while rest and len(entries) < number:
        worth = {id(one): sum(one.values[t] * 0.5 ** asked[t] for t in one.best) for one in rest}
        best = max(rest, key=lambda one: worth[id(one)])
        first = first or worth[id(best)]
        rest.remove(best)
        asked.update(best.best)
        named = ", ".join(f"{t} ({best.probabilities[t]:.0%})" for t in best.best[:3])
        new = sum(known.get(technique, 0) == 0 for technique in best.best)
        why = f"Not sure of {named}"
        why += f"; nobody has judged {new} of them yet." if new else "."
        entries.append(
            QueueEntry(
                platform=best.platform,
                report=best.report,
                priority=min(1.0, worth[id(best)] / first) if first else 0.0,
                techniques=tuple(best.best),
                why=why,
            )
        )
    return tuple(entries)
