"""What the work says when an enrichment has ended."""

from __future__ import annotations

from collections.abc import Collection

from connector.platform import Tracking
from connector.report import Report

NOTHING_NEW = "Nothing new: this text was read before with this release."
NOTHING_TO_ADD = "Nothing to add: everything is there already."
_KINDS = {"relationship--": "relationship", "note--": "note", "file:": "file", "label:": "label"}


def no_text(report: Report, problems: Collection[str]) -> str:
    """Say that there is nothing to read, and why."""
    called = report.kind.entity_type.replace("-", " ").lower()
    return " ".join([f"There is no text to read in this {called}.", *problems])


def written(techniques: Collection[str], things: Collection[str]) -> str:
    """Say what was written."""
    number = len(techniques)
    said = f"{number} technique{'s' if number > 1 else ''} written" if number else ""
    return f"{said or 'No new technique'}{', with ' + listed(things) if things else ''}."


def dropped(
    report: Report,
    techniques: Collection[str],
    things: Collection[str],
    highest: int,
    tracking: Tracking | None,
) -> str:
    """Say what the platform did not keep, and why as far as can be told.

    Parameters
    ----------
    report : Report
        As it is after the import.
    techniques, things : collection of str
        What was sent and is not there.
    highest : int
        The confidence that the connector's user may give at most.
    tracking : Tracking or None
        The work, with the errors of the import.
    """
    parts = []
    if techniques:
        parts.append(f"The platform dropped {len(techniques)}: {', '.join(sorted(techniques))}.")
    if things:
        parts.append(f"It did not keep {listed(things)}.")
    if report.confidence is not None and report.confidence > highest:
        parts.append(
            f"The report's confidence is {report.confidence}, and this connector's user may give "
            f"at most {highest}: an administrator must raise it."
        )
    if tracking is not None and tracking.errors:
        parts.append(f"It said: {tracking.errors[-1]}")
    return " ".join(parts)


def listed(things: Collection[str]) -> str:
    """Return how many of each kind there are: ``2 relationships, 1 note and 2 files``."""
    counts = {
        name: sum(each.startswith(prefix) for each in things) for prefix, name in _KINDS.items()
    }
    said = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
