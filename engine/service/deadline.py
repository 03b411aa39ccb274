"""The deadline of the work that this thread does, checked wherever it would take long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.service.errors import Late

_of_thread = threading.local()


class Deadline:
    """A moment until which work is of use; `give_up` brings it forward to now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def is_past(self) -> bool:
        """Tell whether nobody waits for the work any more."""
        return time.monotonic() > self._end

    def give_up(self) -> None:
        """Let the work end at its next look."""
        self._end = 0.0


@contextmanager
def under(deadline: Deadline) -> Iterator[None]:
    """Put the work of this thread under a deadline.

    Raises
    ------
    Late
        If it is past already.
    """
    _of_thread.deadline = deadline
    try:
        check()
        yield
    finally:
        del _of_thread.deadline


def check() -> None:
    """Raise `Late` if the time of this thread's work has run out."""
    deadline: Deadline | None = getattr(_of_thread, "deadline", None)
    if deadline is not None and deadline.is_past:
        raise Late
