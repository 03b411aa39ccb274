"""Verdicts that an analyst took back: the sighting, opinion, note or tag is gone, or says else.

MISP keeps nothing of it: a sighting or an opinion that was deleted is missed, by what the ledger
has of it, wherever MISP lists what there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from engine.ledger import Withdrawal
from misp_module.harvesting.pointing import mark_of, marks
from misp_module.records import PLATFORM
from misp_module.statements import is_judging, is_remark, origins

if TYPE_CHECKING:
    from engine.ledger import Ledger, Verdict
    from misp_module.harvesting.memory import Memory
    from misp_module.snapshot import Snapshot


def withdrawn(snapshot: Snapshot, memory: Memory) -> Iterator[Withdrawal]:
    """Yield what is no longer said, in remarks or of our objects that are alive.

    What was said of one that was deleted went with it; that deletion is a verdict of its own.
    """
    alive = {own.technique for own in snapshot.own if own.alive}
    there = origins(snapshot) | marks(snapshot).keys()
    for verdict in memory.history:
        origin = origin_of(verdict)
        if origin is None or origin in there:
            continue
        if verdict.technique in alive or is_remark(origin) or mark_of(verdict):
            yield Withdrawal(
                platform=PLATFORM,
                report=snapshot.id,
                technique=verdict.technique,
                verdict=verdict.id,
                at=max(snapshot.at, verdict.at),
            )


def origin_of(verdict: Verdict) -> str | None:
    """Return the origin of the statement that a verdict was taken from; None if from none."""
    if mark := mark_of(verdict):
        return mark
    origin = verdict.origin or ""
    kind, _, rest = origin.partition(" ")
    if kind in ("sighting", "opinion", "note") or is_remark(origin):
        return origin
    # A tag has no time of its own: that of the event stands behind it.
    tag, _, _ = rest.rpartition(" ")
    return f"{kind} {tag}" if is_judging(tag) else None


def missing(
    ledger: Ledger, known_by: str, kinds: Collection[str], there: Collection[str]
) -> set[str]:
    """Return the events of which something was said that MISP does not list any more.

    Parameters
    ----------
    ledger : Ledger
    known_by : str
        How its verdicts are known.
    kinds : collection of str
        The first words of their origins.
    there : collection of str
        Uuids of what MISP lists.
    """
    return {
        verdict.report
        for verdict in ledger.said(PLATFORM, known_by)
        if (words := (verdict.origin or "").split()) and words[0] in kinds and words[1] not in there
    }
