"""Where people say that a technique shows: passages of an event that they tagged with it.

MISP has two ways. A text attribute that holds the passage bears the tag; or the tag stands in the
text of an event report, as ``@[tag](name)``, which MISP shows as a label in the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.ledger import text_digest
from misp_module.reader import TEXTS, attributes, is_ours
from misp_module.snapshot import tag_names
from misp_module.tags import INLINE_TAG, technique_of

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.ledger import Verdict
    from misp_module.harvesting.memory import Memory
    from misp_module.snapshot import Snapshot

MARK: Final = "marked"  # The first word of the origins of its verdicts.
# A longer text is a whole report, and says of no sentence that it is the one.
MOST_CHARACTERS: Final = 600
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def pointed(snapshot: Snapshot, memory: Memory, new: Sequence[Verdict]) -> Iterator[Verdict]:
    """Yield for each passage that was tagged since a verdict that names it.

    It says no more than the one that holds already, but where. A tag in the text of a report alone
    puts no technique on the event, and is none.

    Parameters
    ----------
    snapshot : Snapshot
    memory : Memory
    new : sequence of Verdict
        Found at this look.
    """
    heard = {mark for verdict in memory.history if (mark := mark_of(verdict))}
    holds = memory.holding(new)
    for mark, (technique, passage) in marks(snapshot).items():
        held = holds.get(technique)
        if held is None or held.verdict == "rejected" or mark in heard:
            continue
        at = max(snapshot.at, held.at)
        yield replace(
            held,
            id="",
            known_by="tag",
            who=None,
            evidence=passage,
            evidence_digest=text_digest(passage),
            origin=f"{mark} {at.timestamp():.0f}",
            at=at,
        )


def marks(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    """Return (technique, passage) of each passage that a person tagged, by a name for it."""
    found = {}
    for uuid, technique, passage in _tagged(snapshot.event, snapshot.knowledge):
        found[f"{MARK} {uuid} {technique} {text_digest(passage)[:16]}"] = technique, passage
    return found


def mark_of(verdict: Verdict) -> str | None:
    """Return the name of the passage that a verdict was taken from; None if from none."""
    origin = verdict.origin or ""
    return origin.rpartition(" ")[0] if origin.startswith(MARK + " ") else None


def _tagged(event: Mapping[str, Any], knowledge: Knowledge) -> Iterator[tuple[str, str, str]]:
    """Yield (uuid of what holds it, technique, passage)."""
    for element, attribute in attributes(event):
        value = str(attribute.get("value") or "")
        if (
            attribute.get("type") in TEXTS
            and len(value) <= MOST_CHARACTERS
            and not any(each.get("deleted") or is_ours(each) for each in (element, attribute))
        ):
            for name in tag_names(attribute):
                if technique := technique_of(name, knowledge):
                    yield str(attribute.get("uuid")), technique, value
    for report in event.get("EventReport") or ():
        if not report.get("deleted") and not is_ours(report):
            for technique, passage in _inline(str(report.get("content") or ""), knowledge):
                yield str(report.get("uuid")), technique, passage


def _inline(content: str, knowledge: Knowledge) -> Iterator[tuple[str, str]]:
    """Yield techniques, each with the sentence in which its tag stands, or which it follows."""
    for line in content.splitlines():
        end = 0
        pieces: list[tuple[int, str]] = []  # where each tag stands in the line without tags
        kept = ""
        for tag in INLINE_TAG.finditer(line):
            kept += line[end : tag.start()]
            end = tag.end()
            if technique := technique_of(tag["name"], knowledge):
                pieces.append((len(kept), technique))
        kept += line[end:]
        for place, technique in pieces:
            passage = _sentence_at(kept, place)
            if 0 < len(passage) <= MOST_CHARACTERS:
                yield technique, passage


def _sentence_at(line: str, place: int) -> str:
    begin = 0
    for found in _SENTENCE_END.finditer(line):
        if found.end() > place:
            return line[begin : found.start()].strip()
        begin = found.end()
    return line[begin:].strip() or line[:place].strip()
