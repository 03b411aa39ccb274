"""The deadline of the work that this thread does, checked wherever it would take long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.service.errors import Late

_of_thread = threading.local()
_over = threading.Event()


@contextmanager
def deadline(end: float) -> Iterator[None]:
    """Give the work of this thread until ``end``, of the monotonic clock.

    Raises
    ------
    Late
        If it is past already.
    """
    _of_thread.end = end
    try:
        check()
        yield
    finally:
        del _of_thread.end


def check() -> None:
    """Raise `Late` if the time of this thread's work has run out."""
    end = getattr(_of_thread, "end", None)
    if end is not None and (_over.is_set() or time.monotonic() > end):
        raise Late()


def end_all() -> None:
    """Let all work of this process run out of time: the process ends."""
    _over.set()
