"""A simulated analyst for bench/loop.py, who knows the labels of documents, and where they work.

The analyst sees what the champion wrote on a report and corrects it by the labels: what is right
is left, what is wrong taken off, what is missing put on, and the report counts as curated. Where
asked to, they quote for what they put on a sentence that shows it. A share of all this may be wrong
at random.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from engine.analysis import Engine
from engine.documents import from_text
from engine.harvest import Harvester
from engine.knowledge import Knowledge
from engine.ledger import Curation, Enrichment, Ledger, Verdict, Written
from engine.types import Document
from training.labels import LabelledDocument

Quoting = Literal["nothing", "added", "all"]
if TYPE_CHECKING:
    from engine.ledger.records import Judgement


@dataclass(frozen=True)
class Seen:
    """A report that ttpscribe has enriched, as the analyst finds it."""

    enrichment: str
    report: str
    digest: str
    techniques: frozenset[str]
    evidence: Mapping[str, str]


class Place(Protocol):
    """Where reports lie, are enriched and corrected."""

    platform: str
    harvester: Harvester | None

    def enrich(self, engine: Engine, document: LabelledDocument, at: datetime) -> Seen:
        """Take in a report and write on it what the engine finds, as the ledger knows."""
        ...

    def correct(
        self, seen: Seen, said: Mapping[str, str], quoted: Mapping[str, Sequence[str]], at: datetime
    ) -> None:
        """Do with a report what the analyst says, and quote its sentences where they do."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


@dataclass
class Paper:
    """No platform: the analyst's verdicts are recorded as a harvester would record them."""

    platform: str
    ledger: Ledger
    harvester: Harvester | None = None

    def enrich(self, engine: Engine, document: LabelledDocument, at: datetime) -> Seen:
        """Record what a connector would have written."""
        read = from_text(document.body, document.title or document.id)
        return record(self.ledger, engine, self.platform, document.id, read, read.digest, at)

    def correct(
        self, seen: Seen, said: Mapping[str, str], quoted: Mapping[str, Sequence[str]], at: datetime
    ) -> None:
        """Record what a harvester would have found."""
        where: dict[str, Any] = {
            "platform": self.platform, "report": seen.report, "at": at, "who": "analyst",
        }  # fmt: skip
        verdicts = (
            Verdict(
                technique=technique,
                verdict=cast("Judgement", verdict),
                known_by="difference",
                evidence="\n".join(quoted.get(technique, ())) or seen.evidence.get(technique),
                enrichment=seen.enrichment,
                **where,
            )
            for technique, verdict in said.items()
        )
        self.ledger.record_verdicts(*verdicts)
        self.ledger.record_curations(Curation(known_by="status", digest=seen.digest, **where))

    def close(self) -> None:
        """Do nothing."""


def record(
    ledger: Ledger,
    engine: Engine,
    platform: str,
    report: str,
    read: Document,
    digest: str,
    at: datetime,
) -> Seen:
    """Analyse a report and enter into the ledger what is about to be written on it."""
    analysis = engine.analyse(read)
    evidence = {f.technique: f.evidence[0].text for f in analysis.findings if f.evidence}
    enrichment = Enrichment(
        platform=platform,
        report=report,
        digest=digest,
        digests={"description": read.digest},
        release=analysis.release,
        attack_version=analysis.attack_version,
        operating_point="balanced",
        at=at,
    )
    written = (
        Written(
            enrichment=enrichment.id,
            kind="ref",
            technique=finding.technique,
            probability=finding.probability,
            evidence=evidence.get(finding.technique),
            at=at,
        )
        for finding in analysis.findings
    )
    with ledger.transaction():
        ledger.begin_enrichment(enrichment, {read.digest: read.text})
        ledger.record_written(*written)
        ledger.finish_enrichment(enrichment.id, "done")
    found = frozenset(finding.technique for finding in analysis.findings)
    return Seen(enrichment.id, report, digest, found, evidence)


@dataclass(frozen=True)
class Analyst:
    """Corrects reports by their labels.

    Attributes
    ----------
    ledger : Ledger
    knowledge : Knowledge
    places : sequence of Place
        Reports are put on them in turn.
    wrong : float
        Share of verdicts that say the contrary, and of quotations that are any sentence.
    seed : int
    quoting : Quoting
        For which techniques they quote a sentence that shows it: for "nothing"; for those that
        they "added"; or for "all", which are also those that are right but not for the sentence
        that was shown.
    """

    ledger: Ledger
    knowledge: Knowledge
    places: Sequence[Place]
    wrong: float = 0.0
    seed: int = 0
    quoting: Quoting = "nothing"

    def work(
        self, engine: Engine, documents: Iterable[LabelledDocument], begin: datetime
    ) -> dict[str, int]:
        """Let documents be enriched and correct them; return what was said, by kind."""
        done = dict.fromkeys(("confirmed", "rejected", "added"), 0)
        for number, document in enumerate(documents):
            place = self.places[number % len(self.places)]
            at = begin + timedelta(minutes=number)
            seen = place.enrich(engine, document, at)
            said = self.says(document, seen.techniques)
            place.correct(seen, said, self.quotes(document, said, seen), at)
            for verdict in said.values():
                done[verdict] += 1
        return done

    def says(self, document: LabelledDocument, found: frozenset[str]) -> dict[str, str]:
        """Return what the analyst says of each technique, given what was written."""
        right = self.knowledge.with_parents(document.techniques)
        said = {t: "confirmed" if t in right else "rejected" for t in found}
        said |= dict.fromkeys(document.techniques - found, "added")
        chance = random.Random(f"{self.seed}:{document.id}")  # noqa: S311
        result = {}
        for technique, verdict in sorted(said.items()):
            if chance.random() >= self.wrong:
                result[technique] = verdict
            elif verdict != "added":  # What one wrongly does not miss leaves no trace.
                result[technique] = "confirmed" if verdict == "rejected" else "rejected"
        return result

    def quotes(
        self, document: LabelledDocument, said: Mapping[str, str], seen: Seen
    ) -> dict[str, tuple[str, ...]]:
        """Return for techniques that the analyst put or left on a sentence that they quote."""
        chance = random.Random(f"{self.seed}:quotes:{document.id}")  # noqa: S311
        found = {}
        for technique, verdict in sorted(said.items()):
            shown = [
                one.text
                for one in document.sentences
                if technique in self.knowledge.with_parents(one.techniques)
            ]
            wanted = verdict == "added" and self.quoting != "nothing"
            if verdict == "confirmed" and self.quoting == "all":
                wanted = not any(_same(one, seen.evidence.get(technique, "")) for one in shown)
            if chance.random() < self.wrong:
                shown = [one.text for one in document.sentences]
            if wanted and shown:
                found[technique] = (chance.choice(shown),)
        return found


def _same(sentence: str, evidence: str) -> bool:
    """Say whether one is part of the other, wherever sentences are thought to end."""
    one, other = (" ".join(text.split()) for text in (sentence, evidence))
    return bool(one and other) and (one in other or other in one)
