"""Work waits in a bounded line, has a deadline, and is refused at once where the line is full."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from engine.service.deadline import Deadline, under
from engine.service.errors import Busy, Late

T = TypeVar("T")
LONGEST_WAIT = 30
# How much the newest request counts in the mean time of one.
NEWEST = 0.2


class Queue:
    """Runs work in a few threads; at most ``places`` more wait.

    Parameters
    ----------
    threads : int
        How much runs at the same time.
    places : int
        How much waits.
    """

    def __init__(self, threads: int, places: int) -> None:
        self.threads = threads
        self.places = places
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="analyse")
        self._lock = threading.Lock()
        self._inside: dict[Future[Any], Deadline] = {}
        self._seconds = 1.0

    @property
    def inside(self) -> int:
        """How much runs or waits."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        """How much waits."""
        return max(0, self.inside - self.threads)

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """Run work and return what it returns.

        Parameters
        ----------
        work : callable
        seconds : float
            How long it may take, waiting included.

        Raises
        ------
        Busy
            If the line is full.
        Late
            If time ran out. What waits still is not begun; what runs ends at its next batch.
        """
        deadline = Deadline(seconds)
        with self._lock:
            if self.inside >= self.threads + self.places:
                raise Busy(self._retry_after())
            future: Future[T] = self._pool.submit(self._run, work, deadline)
            self._inside[future] = deadline
        future.add_done_callback(self._leave)
        try:
            # A little more than the work itself has: it tells more exactly why it ends.
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds + 0.5)
        except TimeoutError:
            raise Late from None
        finally:
            deadline.give_up()  # also where the client has gone: nobody waits for it

    def close(self) -> None:
        """End the threads; what still runs ends at its next batch."""
        with self._lock:
            for deadline in self._inside.values():
                deadline.give_up()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, work: Callable[[], T], deadline: Deadline) -> T:
        begun = time.monotonic()
        with under(deadline):
            result = work()
        taken = time.monotonic() - begun
        self._seconds += NEWEST * (taken - self._seconds)
        return result

    def _leave(self, future: Future[Any]) -> None:
        with self._lock:
            del self._inside[future]

    def _retry_after(self) -> int:
        """Return the seconds after which a place is likely to be free."""
        return max(1, min(LONGEST_WAIT, math.ceil(self._seconds * self.places / self.threads / 2)))
