"""What those who watch a deployment want to know of the nightly: for the doctor, for Prometheus.

Both read the journals that nights leave in the data directory, and import nothing that trains: the
engine's image has no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.doctor import Line

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from training.nightly.journal import Journal

LATE = timedelta(hours=36)
# A night that recorded nothing for so long has died: the longest step takes some hours.
BROKEN_OFF = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class LastNight:
    """The newest night.

    Attributes
    ----------
    run : str
    finished, broken_off : bool
        Neither while it is at work.
    changed : datetime
        When it recorded its last step.
    outcome : str
        What came of it, as a phrase.
    """

    run: str
    finished: bool
    broken_off: bool
    changed: datetime
    outcome: str


def last_night(now: datetime | None = None) -> LastNight | None:
    """Return the newest night of this data directory; None where there was none."""
    from training.nightly.journal import FILE, last

    journal = last()
    if journal is None:
        return None
    changed = datetime.fromtimestamp((journal.folder / FILE).stat().st_mtime, UTC)
    idle = (now or datetime.now(UTC)) - changed
    return LastNight(
        run=journal.run,
        finished=journal.finished,
        broken_off=not journal.finished and idle > BROKEN_OFF,
        changed=changed,
        outcome=_outcome(journal),
    )


def _outcome(journal: Journal) -> str:
    def result(step: str) -> Any:
        return journal.result(step) if journal.done(step) else None

    if published := result("publish"):
        return f"{published} is the champion since"
    if decision := result("decide"):
        return f"the challenger was not better: {' '.join(decision.get('reasons', ()))}".strip()
    if journal.done("freeze") and result("freeze") is None:
        return "there was nothing to learn from"
    return "no challenger was trained" if journal.finished else "it is not done"


def nightly() -> Iterator[Line]:
    """Look at what the last night did, for ``ttpscribe doctor``."""
    now = datetime.now(UTC)
    night = last_night(now)
    if night is None:
        yield Line("nightly", "unused", "no night has run on this data directory")
        return
    told, at = f"{night.run}: {night.outcome}", f"{night.changed:%Y-%m-%d %H:%M} UTC"
    if night.broken_off:
        yield Line(
            "nightly", "failed", f"{night.run} was broken off at {at}",
            "Its log says why; started again it goes on: ttpscribe train nightly",
        )  # fmt: skip
    elif now - night.changed > LATE:
        yield Line(
            "nightly", "warning", f"{told}; none since {at}",
            "See whether the trainer runs: docker compose logs trainer",
        )  # fmt: skip
    elif not night.finished:
        yield Line("nightly", "ok", f"{night.run} is at work")
    else:
        yield Line("nightly", "ok", told)


def metrics() -> Iterator[Metric]:
    """Yield the last night's gauges, for the engine's ``/metrics``."""
    from prometheus_client.core import GaugeMetricFamily

    ended = GaugeMetricFamily(
        "ttpscribe_nightly_ended_timestamp_seconds", "When the last night recorded its last step."
    )
    succeeded = GaugeMetricFamily(
        "ttpscribe_nightly_succeeded", "Whether the last night came to its end: 1 or 0."
    )
    night = last_night()
    if night is not None and (night.finished or night.broken_off):
        ended.add_metric([], night.changed.timestamp())
        succeeded.add_metric([], float(night.finished))
    yield ended
    yield succeeded
