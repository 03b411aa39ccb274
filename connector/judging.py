"""What analysts made of a report: the ledger compared with what is there now.

A technique that was there and is gone was rejected; one that a person put there was added; one of
ours that is still there when the report counts as curated was confirmed. Whatever connectors did,
this one among them, says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from connector.changes import Look, iso
from connector.curation import Reason
from connector.history import Edit, History, People
from connector.known import Known
from connector.memory import PLATFORM
from engine.ledger import Observation, Verdict

# Nobody knows who did it: perhaps no person.
UNSURE = 0.7
# A technique that made room for its own sub-technique, or for its parent, was not all wrong.
REFINED = 0.5


@dataclass
class Judged:
    """What came out of one look at a report."""

    verdicts: list[Verdict] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def judge(
    look: Look,
    known: Known,
    history: History | None,
    people: People,
    reason: Reason | None,
    deleted: frozenset[str] = frozenset(),
) -> Judged:
    """Compare a report with what is known of it.

    Parameters
    ----------
    look : Look
    known : Known
    history : History or None
        None where it may not be read; then it is not known who did what.
    people : People
    reason : Reason or None
        Why the report counts as curated, if it does.
    deleted : frozenset of str
        Techniques that the platform does not hold any more: that they are not on the report
        is no verdict on the report.
    """
    judging = _Judging(look, known, history or History(), people, reason)
    judging.gone(deleted)
    judging.present()
    judging.observe()
    return judging.judged


class _Judging:
    """One report, technique by technique."""

    def __init__(
        self, look: Look, known: Known, history: History, people: People, reason: Reason | None
    ) -> None:
        self.look, self.known, self.history = look, known, history
        self.people, self.reason = people, reason
        self.judged = Judged()

    def gone(self, deleted: frozenset[str]) -> None:
        """Judge what was there and is not."""
        # A removal in the history proves that it had been there, whether anyone looked or not.
        was_there = self.known.seen | self.history.was_there()
        for technique in sorted(was_there - self.look.techniques):
            current = self.known.verdicts.get(technique)
            if current is not None and current.verdict == "rejected":
                continue
            edit = self.history.last(technique)
            if edit is None or edit.present:
                # Not in the history, or not yet. Gone since somebody said it is right: as well.
                if technique in deleted:
                    self.judged.skipped["technique deleted"] += 1
                elif technique in self.known.there:
                    self._add(technique, "rejected", None, UNSURE)
                continue
            if current is not None and edit.at <= current.at:
                continue  # an opinion came after it
            if self._is_persons(edit):
                refined = any(_related(technique, each) for each in self._put_by_hand())
                self._add(technique, "rejected", edit, REFINED if refined else 1.0)

    def present(self) -> None:
        """Judge what is there."""
        for technique in sorted(self.look.techniques):
            current = self.known.verdicts.get(technique)
            edit = self.history.last(technique)
            ours = technique in self.known.ours
            if current is not None:
                if current.verdict == "rejected" and edit is not None and edit.at > current.at:
                    self._put_back(technique, edit, ours)
                continue
            if edit is not None and edit.present and not self._own(edit) and self._is_persons(edit):
                self._add(technique, "confirmed" if ours else "added", edit, 1.0)
            elif self.reason is not None and not (ours and self._unseen(edit)):
                kept: Literal["confirmed", "added"] = "confirmed" if ours else "added"
                self._add(technique, kept, None, self.reason.confidence, curated=True)
            elif edit is None and not ours:
                self.judged.skipped["hand not known"] += 1

    def observe(self) -> None:
        """Note what is there now, where the ledger follows the report."""
        if not (self.known.judged or self.judged.verdicts or self.reason):
            return
        for technique in sorted(self.look.techniques - self.known.there):
            self._observe(technique, present=True)
        for technique in sorted(self.known.there - self.look.techniques):
            self._observe(technique, present=False)

    def _put_back(self, technique: str, edit: Edit, ours: bool) -> None:
        if edit.present and not self._own(edit) and self._is_persons(edit):
            self._add(technique, "confirmed" if ours else "added", edit, 1.0)

    def _own(self, edit: Edit) -> bool:
        """Say whether we put it there; counted only where the ledger does not know it."""
        if self.people.whose(edit.who) != "own":
            return False
        if edit.technique not in self.known.ours:
            self.judged.skipped["own write"] += 1
        return True

    def _unseen(self, edit: Edit | None) -> bool:
        """Say whether nobody was at the report since we wrote: then nobody has agreed with us."""
        seen = self.reason.seen if self.reason is not None else None
        if edit is None or seen is None:
            self.judged.skipped["hand not known"] += 1
            return True
        return edit.at >= seen

    def _is_persons(self, edit: Edit) -> bool:
        whose = self.people.whose(edit.who)
        if whose != "person":
            self.judged.skipped["own write" if whose == "own" else "bot"] += 1
            return False
        if self.people.is_mass(edit):
            self.judged.skipped["mass import"] += 1
            return False
        return True

    def _put_by_hand(self) -> Iterator[str]:
        for technique in self.look.techniques:
            edit = self.history.last(technique)
            if edit is not None and edit.present and self.people.whose(edit.who) == "person":
                yield technique

    def _add(
        self,
        technique: str,
        verdict: Literal["confirmed", "rejected", "added"],
        edit: Edit | None,
        confidence: float,
        *,
        curated: bool = False,
    ) -> None:
        known_by: str
        who: str | None
        if edit is not None:
            known_by, who, at, origin = edit.known_by, edit.who.id, edit.at, edit.origin
        elif curated and self.reason is not None:
            hand = self.reason.who
            known_by, who = "curated", hand.id if hand else None
            at, origin = self.reason.at, f"curated {iso(self.look.updated)}"
        else:
            known_by, who = "difference", None
            at, origin = self.look.updated, f"seen {iso(self.look.updated)}"
        self.judged.verdicts.append(
            verdict_on(
                self.look, self.known, technique, verdict, known_by, confidence, who, at, origin
            )
        )

    def _observe(self, technique: str, *, present: bool) -> None:
        edit = self.history.last(technique)
        told = edit is not None and edit.present == present
        at = edit.at if edit is not None and told else self.look.updated
        self.judged.observations.append(
            Observation(
                platform=PLATFORM,
                report=self.look.id,
                technique=technique,
                present=present,
                who=edit.who.id if edit is not None and told else None,
                origin=f"{'there' if present else 'gone'} {iso(at)}",
                at=at,
            )
        )


def verdict_on(
    look: Look,
    known: Known,
    technique: str,
    verdict: Literal["confirmed", "rejected", "added"],
    known_by: str,
    confidence: float,
    who: str | None,
    at: datetime,
    origin: str,
    quoted: str | None = None,
) -> Verdict:
    """Make a verdict that names what it judges: our evidence, enrichment and release.

    Where a person quoted the report, that is the evidence. What we had for a technique that a
    person added is none.
    """
    wrote = known.ours.get(technique)
    enrichment = known.enrichments.get(wrote.enrichment) if wrote is not None else None
    evidence, digest = quoted, None
    if evidence is None and wrote is not None and verdict != "added":
        evidence, digest = wrote.evidence, wrote.evidence_digest
    return Verdict(
        platform=PLATFORM,
        report=look.id,
        technique=technique,
        verdict=verdict,
        known_by=known_by,
        confidence=confidence,
        who=who,
        evidence=evidence,
        evidence_digest=digest,
        enrichment=wrote.enrichment if wrote else None,
        release=enrichment.release if enrichment else None,
        attack_version=enrichment.attack_version if enrichment else None,
        tlp=look.tlp,
        origin=origin,
        at=at,
    )


def _related(technique: str, other: str) -> bool:
    """Say whether two are of one family: a technique and its sub-techniques."""
    return technique != other and technique.split(".")[0] == other.split(".")[0]
