"""Runs one night in a process of its own, and may kill it before a step is recorded."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from small_verdicts import NOON

from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.releases import ReleaseStore
from training.adapt import AdaptSettings
from training.gate import GateSettings
from training.nightly.journal import Journal
from training.nightly.run import Nightly
from training.nightly.settings import NightlySettings

QUICK = NightlySettings(
    resume_hours=1e6,
    adapt=AdaptSettings(strengths=(0.1,), folds=3),
    gate=GateSettings(resamples=200),
)


def nightly(ledger: Ledger, shipped: Path, **changes: object) -> Nightly:
    """Return a night on a small site, whose shipped release is the given one."""
    return Nightly(
        ledger=ledger,
        harvesters=(),
        knowledge=Knowledge.load(),
        settings=QUICK.model_copy(update=changes),
        store=ReleaseStore(shipped=shipped.parent),
        began=NOON.astimezone(UTC),
    )


def main(ledger: str, shipped: str, deadly: str) -> None:
    record = Journal.record

    def killed(self: Journal, step: str, result: object) -> None:
        if step == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        record(self, step, result)

    Journal.record = killed  # type: ignore[method-assign]
    with Ledger.open(ledger) as opened:
        night = nightly(opened, Path(shipped)).run()
    assert night.began == datetime(2026, 5, 4, 12, tzinfo=UTC)


if __name__ == "__main__":
    main(*sys.argv[1:])
