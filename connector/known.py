"""What the ledger knows of a report, as the harvester compares it with what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.changes import Look
from connector.history import History
from connector.memory import PLATFORM

if TYPE_CHECKING:
    from engine.ledger import Enrichment, Ledger, Verdict, Written


@dataclass(frozen=True)
class Known:
    """What the ledger knows of a report.

    Attributes
    ----------
    ours : mapping from technique to Written
        What we wrote, in the report itself or in a draft of it.
    enrichments : mapping from id to Enrichment
        Those that wrote it.
    seen : frozenset of str
        Techniques that were seen on it at any time.
    there : frozenset of str
        Those that were there when it was last looked at.
    verdicts : mapping from technique to Verdict
        Those that hold.
    judged : bool
        Whether the ledger had anything of it.
    """

    ours: Mapping[str, Written] = field(default_factory=dict)
    enrichments: Mapping[str, Enrichment] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    there: frozenset[str] = frozenset()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    judged: bool = False


def recall(
    ledger: Ledger, report: str, drafts: Iterable[str] = (), withdrawn: Collection[str] = ()
) -> Known:
    """Ask the ledger for all that it knows of a report.

    Parameters
    ----------
    ledger : Ledger
    report : str
    drafts : iterable of str
        Its names in drafts.
    withdrawn : collection of str
        Ids of verdicts that are about to be withdrawn, and are not known any more.
    """
    ours: dict[str, Written] = {}
    for key in (*drafts, report):
        for each in ledger.written(PLATFORM, key):
            if each.kind == "ref" and each.technique:
                ours[each.technique] = each
    found = (ledger.enrichment(each) for each in {one.enrichment for one in ours.values()})
    last = ledger.last_seen(PLATFORM, report)
    history = ledger.history(PLATFORM, report)
    verdicts = {each.technique: each for each in history if each.id not in withdrawn}
    return Known(
        ours=ours,
        enrichments={each.id: each for each in found if each is not None},
        seen=ledger.seen_present(PLATFORM, report),
        there=frozenset(technique for technique, each in last.items() if each.present),
        verdicts=verdicts,
        judged=bool(ours or last or verdicts),
    )


def open_questions(look: Look, known: Known) -> bool:
    """Say whether something is on the report, or missing, that no verdict explains yet."""
    rejected = {each for each, one in known.verdicts.items() if one.verdict == "rejected"}
    kept = known.verdicts.keys() - rejected
    expected = known.seen | known.ours.keys() | kept
    gone, new = expected - look.techniques, look.techniques - expected
    return bool((gone - rejected) | new | (rejected & look.techniques))


def vanished(look: Look, known: Known, history: History | None) -> frozenset[str]:
    """Return what is gone without anybody having taken it off the report."""
    edits = history or History()
    told = {
        technique
        for technique in edits.was_there()
        if (edit := edits.last(technique)) is not None and not edit.present
    }
    settled = {each for each, verdict in known.verdicts.items() if verdict.verdict == "rejected"}
    return known.there - look.techniques - told - settled
