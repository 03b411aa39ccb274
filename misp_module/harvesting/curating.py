"""When an event counts as curated, and what that says of its techniques."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from engine.ledger import Curation, Verdict
from misp_module.audit import moment
from misp_module.harvesting.memory import Memory
from misp_module.harvesting.settings import HarvestSettings
from misp_module.harvesting.texts import texts_digest
from misp_module.reader import attributes
from misp_module.records import PLATFORM
from misp_module.snapshot import Snapshot
from misp_module.statements import REVIEWED

COMPLETE: Final = 'workflow:state="complete"'
ANALYSED: Final = "2"
# How sure it is that a person looked at every technique.
_SURE: Final = {"review": 1.0, "workflow": 0.9, "analysis": 0.8, "published": 0.7}
# What is made, tagged and published faster than a person can read was made by a program.
_BY_HAND: Final = timedelta(minutes=2)


class Curator:
    """Tells which events count as curated.

    Parameters
    ----------
    settings : HarvestSettings
    organisation : str
        Number of the organisation of ttpscribe's user.
    attack_version : str
    """

    def __init__(self, settings: HarvestSettings, organisation: str, attack_version: str) -> None:
        self._settings = settings
        self._organisation = organisation
        self._attack_version = attack_version

    def reason(self, snapshot: Snapshot) -> str | None:
        """Return which of the settings makes it count, the surest; None where none does."""
        if not self._counts(snapshot.event):
            return None
        signs = {
            "review": bool(REVIEWED & snapshot.tags),
            "workflow": COMPLETE in snapshot.tags,
            "published": str(snapshot.event.get("published")).lower() in ("1", "true"),
            "analysis": str(snapshot.event.get("analysis")) == ANALYSED,
        }
        enough = [
            each for each in self._settings.curated_when if all(signs[s] for s in each.split("+"))
        ]
        return max(enough, key=sure, default=None)

    def is_import(self, snapshot: Snapshot) -> bool:
        """Tell whether an event was made and finished faster than a person can read."""
        times = [
            moment(element.get("timestamp") or 0)
            for _, element in attributes(snapshot.event)
            if element.get("timestamp")
        ]
        if not times:
            return False
        return self._finished(snapshot) - min(times) < _BY_HAND

    def curation(self, snapshot: Snapshot, memory: Memory, reason: str | None) -> Curation | None:
        """Return what is new: that it counts, that it no longer does, or that its text changed."""
        known = memory.curation
        holds = known is not None and known.complete
        digest = texts_digest(snapshot.event)
        if reason is None and not holds:
            return None
        if known is not None and holds and reason is not None and known.digest == digest:
            return None
        at = snapshot.at if reason is None else self._finished(snapshot)
        if known is not None:
            at = max(at, known.at)
        return Curation(
            platform=PLATFORM,
            report=snapshot.id,
            known_by=reason or (known.known_by if known else "published"),
            complete=reason is not None,
            tlp=snapshot.tlp,
            digest=digest,
            attack_version=self._attack_version,
            origin=f"{reason} {at.timestamp():.0f} {digest}",
            at=at,
        )

    def verdicts(
        self, snapshot: Snapshot, memory: Memory, standing: Mapping[str, Verdict], reason: str
    ) -> Iterator[Verdict]:
        """Yield that the techniques of a curated event are right, but for those in doubt.

        Parameters
        ----------
        standing : mapping from technique to Verdict
            What holds for each so far.
        """
        finished = self._finished(snapshot)
        ours = memory.offered.keys() | {own.technique for own in snapshot.own if own.alive}
        for technique in sorted(snapshot.present):
            before = standing.get(technique)
            if before is not None and (before.verdict == "rejected" or before.confidence >= 0.7):
                continue
            yield Verdict(
                platform=PLATFORM,
                report=snapshot.id,
                technique=technique,
                verdict="confirmed" if technique in ours else "added",
                known_by="curated",
                confidence=sure(reason),
                tlp=snapshot.tlp,
                origin=f"curated {finished.timestamp():.0f}",
                at=max(finished, before.at) if before else finished,
                **self._subject(memory, technique),
            )

    def _subject(self, memory: Memory, technique: str) -> dict[str, Any]:
        return {"attack_version": self._attack_version, **memory.subject(technique, technique)}

    def _finished(self, snapshot: Snapshot) -> datetime:
        """Return when it got into its state: publishing leaves the event's own time as it was."""
        published = str(snapshot.event.get("publish_timestamp") or 0)
        return max(snapshot.at, moment(published))

    def _counts(self, event: Mapping[str, Any]) -> bool:
        wanted = self._settings.curated_orgs
        if "all" in wanted:
            return True
        creator = event.get("Orgc") or {}
        names = {str(creator.get(key)) for key in ("name", "uuid")}
        own = str(event.get("orgc_id") or creator.get("id") or "") == self._organisation
        return ("own" in wanted and own) or bool(names & set(wanted))


def sure(reason: str) -> float:
    """Return how sure it is that a person looked at every technique of a curated event."""
    doubts = [1.0 - _SURE[sign] for sign in reason.split("+")]
    left = 1.0
    for doubt in doubts:
        left *= doubt
    return round(1.0 - left, 3)
