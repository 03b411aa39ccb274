"""Progress of a night: bars on a terminal, lines with the time elsewhere; and its time budget."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from training.nightly.errors import OutOfTimeError
from training.progress import Advance, Steps

SECONDS_BETWEEN_LINES = 30.0


def say(line: str) -> None:
    """Write a line with the time to standard error."""
    click.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z {line}", err=True)


class LogSteps:
    """Steps as lines: when one begins, how far it is every half minute, how long it took."""

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Begin a step."""
        begin = last = time.monotonic()
        done = 0
        say(title)

        def advance(parts: int) -> None:
            nonlocal done, last
            done += parts
            if time.monotonic() - last > SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                say(f"{title}: {done:,} of {total:,}")

        yield advance
        say(f"{title}: done in {time.monotonic() - begin:.0f} s")


class WithinBudget:
    """Steps that end the night where its time is spent.

    Parameters
    ----------
    steps : Steps
        Told of progress.
    minutes : float or None
    clock : callable
        Seconds that only rise.
    """

    def __init__(
        self, steps: Steps, minutes: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._steps = steps
        self._minutes = minutes
        self._clock = clock
        self._begin = clock()

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Begin a step."""
        self.check()
        with self._steps.step(title, total) as advance:

            def checked(parts: int) -> None:
                advance(parts)
                self.check()

            yield checked

    def check(self) -> None:
        """Raise where the time is spent."""
        if self._minutes is not None and self._clock() - self._begin > 60 * self._minutes:
            raise OutOfTimeError(
                f"The time budget of {self._minutes:g} minutes is spent. Nothing was published; "
                "the next call goes on with this night."
            )


@contextmanager
def shown() -> Iterator[Steps]:
    """Give steps as bars on a terminal, as lines elsewhere."""
    if not sys.stderr.isatty():
        yield LogSteps()
        return
    from training.commands.options import progress_bars

    with progress_bars() as steps:
        yield steps
