"""What the index said of each event when it was last looked at, as cursors of the ledger."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from misp_module.records import PLATFORM

if TYPE_CHECKING:
    from engine.ledger import Ledger

# Events by cursor: one for each would be too many rows, one for all too much to write each time.
TOGETHER: Final = 256


class States:
    """The last known state of events.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read: dict[str, dict[str, str]] = {}

    def of(self, event: str) -> str | None:
        """Return the state of an event when it was last looked at; None if it never was."""
        return self._shard(_name(event)).get(event)

    def keep(self, states: Mapping[str, str]) -> None:
        """Record states, inside the transaction that records what was found."""
        changed: dict[str, dict[str, str]] = defaultdict(dict)
        for event, state in states.items():
            changed[_name(event)][event] = state
        for name, some in changed.items():
            shard = self._shard(name)
            shard |= some
            self._ledger.set_cursor(PLATFORM, name, json.dumps(shard))

    def _shard(self, name: str) -> dict[str, str]:
        if name not in self._read:
            self._read[name] = json.loads(self._ledger.cursor(PLATFORM, name) or "{}")
        return self._read[name]


def _name(event: str) -> str:
    return f"events/{int(event) // TOGETHER}"
