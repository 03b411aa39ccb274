"""Which techniques an event has, and which ones an analyst took off it, as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from misp_module.audit import People, Row
from misp_module.snapshot import Snapshot
from misp_module.statements import statements

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

NOBODY = People(frozenset())


def tagged(event: Mapping[str, Any], knowledge: Knowledge) -> frozenset[str]:
    """Return the techniques that the event has, by a tag or by an object of ours."""
    return Snapshot(event, knowledge, {}).present


def rejected(
    event: Mapping[str, Any], rows: Iterable[Row], knowledge: Knowledge, people: People = NOBODY
) -> frozenset[str]:
    """Return the techniques that an analyst said are wrong.

    Parameters
    ----------
    event : mapping
        With its deleted elements, as far as MISP gives them.
    rows : iterable of Row
        The event's rows of the audit log.
    knowledge : Knowledge
    people : People
        Whose edits count.
    """
    snapshot = Snapshot(event, knowledge, {})
    wrong: set[str] = set()
    for row in rows:
        if people.reason(row) is None:
            (wrong.add if row.act == "removed" else wrong.discard)(row.technique)
    deleted = {own.technique for own in snapshot.own if not own.alive}
    alive = {own.technique for own in snapshot.own if own.alive}
    wrong |= deleted - alive
    said = list(statements(snapshot, people, UTC, ()))
    dated = sorted((s.at, s.technique, s.judgement) for s in said if s.at is not None)
    last = {technique: judgement for _, technique, judgement in dated}
    wrong |= {technique for technique, judgement in last.items() if judgement == "rejected"}
    # A tag that judges stands as long as it is there.
    undated = (each for each in said if each.at is None)
    return frozenset(wrong | {s.technique for s in undated if s.judgement == "rejected"})
