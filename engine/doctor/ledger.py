"""The ledger: reached, of the right schema, writable, nothing left lying in its journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from engine.doctor.line import Line

LONG = timedelta(minutes=15)
SKEW = timedelta(seconds=30)


def ledger() -> Iterator[Line]:
    """Look at the ledger. Its schema is left as it is: upgrading is for who starts the service."""
    from engine.ledger import Ledger
    from engine.ledger.schema import HEAD
    from engine.ledger.state import state_of

    state = state_of()
    yield from _clock(state.clock)
    if state.schema is None:
        yield Line("ledger", "ok", f"{state.location} is empty, and is set up at first need")
        return
    if state.schema < HEAD:
        yield Line(
            "ledger", "warning",
            f"{state.location} has the schema {state.schema}; this version's is {HEAD}",
            "Back it up (docs/operations.md), then start: the first process brings it up to date.",
        )  # fmt: skip
        return
    if state.schema > HEAD:
        yield Line(
            "ledger", "failed",
            f"{state.location} has the schema {state.schema}, of a newer version than this one",
            "Update ttpscribe on this machine.",
        )  # fmt: skip
        return
    with Ledger.open() as opened:
        opened.check()
    yield Line("ledger", "ok", f"{state.location} takes writes; schema {state.schema}")
    for platform, since in sorted(state.waiting_since.items()):
        waits = state.clock - since
        number = state.messages.get((platform, "waiting"), 0)
        if waits > LONG:
            yield Line(
                "journal", "warning",
                f"{platform}: {number} enrichments wait, the oldest for {_span(waits)}",
                "See that the connector runs, and start more of them: CONNECTOR_REPLICAS.",
            )  # fmt: skip
    for (platform, ended), number in sorted(state.messages.items()):
        if ended == "failed" and number:
            yield Line("journal", "ok", f"{platform}: {number} failed so far; their works say why")


def _clock(clock: datetime) -> Iterator[Line]:
    skew = abs(datetime.now(UTC) - clock)
    if skew > SKEW:
        yield Line(
            "clock", "warning",
            f"this machine's and the ledger's differ by {skew.total_seconds():.0f} seconds",
            "Let both follow NTP: timedatectl set-ntp true",
        )  # fmt: skip


def _span(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
