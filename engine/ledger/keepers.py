"""Who else keeps words of reports: what is erased from the ledger is erased there too.

The engine may not import learning, which freezes label sets with texts in them. So each keeper
joins by an entry point of the group ``ttpscribe.keepers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import entry_points
from typing import Protocol

GROUP = "ttpscribe.keepers"


class Keeper(Protocol):
    """Keeps words of reports outside the ledger; a module will do."""

    def erase(self, platform: str, report: str) -> int:
        """Take every word of a report out; return from how many things."""

    def prune(self, limit: datetime) -> int:
        """Delete what is older; return how many things."""


def keepers() -> Iterator[tuple[str, Keeper]]:
    """Give all installed keepers with what they keep ("label sets"), by name."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        keeper: Keeper = point.load()
        yield point.name.replace("_", " "), keeper
