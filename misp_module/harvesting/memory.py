"""What the ledger knows of one event: what we wrote there, what was seen, what was judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from misp_module.records import EVENT, PLATFORM, SUGGESTED

if TYPE_CHECKING:
    from engine.ledger import Curation, Enrichment, Ledger, Observation, Verdict, Written

LOOKED: Final = "looked"  # The thing that is seen at the first look, whatever there is.


@dataclass(frozen=True)
class Memory:
    """What the ledger knows of one event."""

    written: tuple[Written, ...]
    enrichments: Mapping[str, Enrichment]
    techniques: Mapping[str, Observation]
    things: Mapping[str, Observation]
    history: tuple[Verdict, ...]
    curation: Curation | None

    @classmethod
    def of(cls, ledger: Ledger, event: str) -> Memory:
        """Ask the ledger."""
        written = ledger.written(PLATFORM, event)
        ids = {row.enrichment for row in written}
        return cls(
            written=written,
            enrichments={id_: found for id_ in ids if (found := ledger.enrichment(id_))},
            techniques=ledger.last_seen(PLATFORM, event),
            things=ledger.last_seen_objects(PLATFORM, event),
            history=ledger.history(PLATFORM, event),
            curation=ledger.curation(PLATFORM, event),
        )

    def without(self, withdrawn: Collection[str]) -> Memory:
        """Return it without verdicts that are taken back, given by their ids."""
        kept = tuple(verdict for verdict in self.history if verdict.id not in withdrawn)
        return replace(self, history=kept)

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """The verdict that holds for each technique."""
        return {verdict.technique: verdict for verdict in self.history}

    def holding(self, new: Iterable[Verdict]) -> dict[str, Verdict]:
        """Return the verdict that holds for each technique once these are known too."""
        holds = dict(self.verdicts)
        for verdict in new:
            before = holds.get(verdict.technique)
            if before is None or verdict.at >= before.at:
                holds[verdict.technique] = verdict
        return holds

    @property
    def has_looked(self) -> bool:
        """Whether the event was looked at before."""
        return LOOKED in self.things

    @cached_property
    def present(self) -> frozenset[str]:
        """The techniques that were there at the last look."""
        return frozenset(t for t, seen in self.techniques.items() if seen.present)

    @cached_property
    def seen(self) -> frozenset[str]:
        """The things that were there at the last look."""
        return frozenset(thing for thing, seen in self.things.items() if seen.present)

    @cached_property
    def objects(self) -> Mapping[str, str]:
        """The techniques of our objects, by uuid."""
        return {str(row.object): str(row.technique) for row in self.written if row.kind == "object"}

    @cached_property
    def offered(self) -> Mapping[str, Written]:
        """The surest row of each technique that we wrote, or suggested to write."""
        best: dict[str, Written] = {}
        for row in self.written:
            if row.technique is None:
                continue
            known = best.get(row.technique)
            if known is None or (row.probability or 0.0) > (known.probability or 0.0):
                best[row.technique] = row
        return best

    @cached_property
    def ours(self) -> frozenset[str]:
        """The techniques that we wrote, or that MISP may have written for us."""
        return frozenset(
            str(row.technique)
            for row in self.written
            if row.technique is not None and row.object != SUGGESTED
        )

    @cached_property
    def event_tags(self) -> frozenset[str]:
        """The techniques that we tagged the event itself with."""
        return frozenset(str(row.technique) for row in self.written if row.object == EVENT)

    def subject(self, technique: str, replaced: str) -> dict[str, Any]:
        """Return what a verdict on a technique judges, where it judges something of ours.

        Parameters
        ----------
        technique : str
        replaced : str
            The technique of ours in whose place a person put it: what proved the one is what the
            other was read from.
        """
        row = self.offered.get(technique)
        if row is None:
            instead = self.offered.get(replaced)
            return {"evidence": instead.evidence} if instead else {}
        run = self.enrichments.get(row.enrichment)
        return {
            "evidence": row.evidence,
            "evidence_digest": row.evidence_digest,
            "enrichment": row.enrichment,
            "release": run.release if run else None,
            "attack_version": run.attack_version if run else None,
        }
