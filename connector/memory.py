"""What the ledger knows of a report, compared with what the report holds now.

A thing that was seen on the report and is gone was removed by a person, and is not written
again. A thing that was written but never seen was dropped by the platform, and may be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.report import Report

if TYPE_CHECKING:
    from engine.ledger import Ledger

PLATFORM = "opencti"


@dataclass(frozen=True)
class Memory:
    """What is known of a report.

    Attributes
    ----------
    removed : frozenset of str
        Techniques that are not on the report, and were once, or were called wrong.
    added : frozenset of str
        Techniques on the report that ttpscribe did not write.
    gone : frozenset of str
        Other things (notes, relationships, files, labels) that were there once and are not.
    """

    removed: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def key_of(report: Report, draft: str | None) -> str:
    """Return the report's name in the ledger: a draft of it is another place to write to."""
    return f"{report.id}@{draft}" if draft else report.id


def label_key(label: str) -> str:
    """Return what a label is called among a report's things."""
    return f"label:{label.casefold()}"


def file_key(name: str) -> str:
    """Return what a file is called among a report's things."""
    return f"file:{name}"


def recall(ledger: Ledger, key: str, report: Report, things: frozenset[str]) -> Memory:
    """Compare ledger and report, and record what is gone.

    Parameters
    ----------
    ledger : Ledger
    key : str
        The report's name in the ledger.
    report : Report
    things : frozenset of str
        What it holds besides techniques, see `things_of`.
    """
    from engine.ledger import Observation

    present = report.technique_ids
    wrote = {
        each.technique for each in ledger.written(PLATFORM, key)
        if each.kind == "ref" and each.technique
    }  # fmt: skip
    was_there = ledger.seen_present(PLATFORM, key)
    # Nor is that written of which somebody said that it is wrong before it ever was.
    removed = (was_there | ledger.removed(PLATFORM, key)) - present
    seen = ledger.last_seen_objects(PLATFORM, key)
    gone = frozenset(each for each in seen if each not in things)
    latest = ledger.last_seen(PLATFORM, key)
    fresh = [
        Observation(platform=PLATFORM, report=key, technique=each, present=False)
        for each in sorted(removed)
        if each in latest and latest[each].present
    ]
    fresh += [
        Observation(platform=PLATFORM, report=key, object=each, present=False)
        for each in sorted(gone)
        if seen[each].present
    ]
    if fresh:
        ledger.observe(*fresh)
    return Memory(removed, frozenset(present - wrote), gone)


def notice(ledger: Ledger, key: str, techniques: Iterable[str], things: Iterable[str]) -> None:
    """Record what was seen on a report."""
    from engine.ledger import Observation

    seen, objects = ledger.last_seen(PLATFORM, key), ledger.last_seen_objects(PLATFORM, key)
    fresh = [
        Observation(platform=PLATFORM, report=key, technique=each)
        for each in sorted(set(techniques))
        if each not in seen or not seen[each].present
    ]
    fresh += [
        Observation(platform=PLATFORM, report=key, object=each)
        for each in sorted(set(things))
        if each not in objects or not objects[each].present
    ]
    if fresh:
        ledger.observe(*fresh)


def things_of(report: Report, notes: Iterable[str] = ()) -> frozenset[str]:
    """Return what a report holds that ttpscribe could have written, besides techniques.

    ``notes`` are the notes of it that were found.
    """
    relationships = {each for each in report.object_ids if each.startswith("relationship--")}
    files = {file_key(file.name) for file in report.files}
    labels = {label_key(label) for label in report.labels}
    return frozenset(relationships | files | labels | set(notes))
