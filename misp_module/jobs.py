"""Work that outlives the call which asked for it: joined while it runs, its result kept after."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any]
WORKERS = 2
KEPT = 256
KEPT_S = 600.0
ERROR_KEPT_S = 15.0  # long enough for the second click, short enough for a third attempt
WAITING = 64


@dataclass
class _Job:
    future: Future[Answer]
    begun: float | None = None
    ended: float | None = None


class Jobs:
    """Runs each piece of work once, however often it is asked for."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.Lock()

    def submit(self, key: str, work: Callable[[], Answer]) -> Future[Answer]:
        """Return the future of the work called ``key``: running, kept, or new.

        Where too much waits already, the answer is an error.
        """
        with self._lock:
            self._forget()
            if (job := self._jobs.get(key)) is not None:
                return job.future
            future: Future[Answer] = Future()
            if sum(job.ended is None for job in self._jobs.values()) >= WAITING:
                future.set_result({"error": f"ttpscribe has {WAITING} texts waiting. Ask later."})
                return future
            job = self._jobs[key] = _Job(future)
        self._pool.submit(self._run, job, work)
        return future

    def longest(self) -> float:
        """Return for how long the oldest of the running jobs has run, in seconds."""
        now = time.monotonic()
        with self._lock:
            running = [j.begun for j in self._jobs.values() if j.begun and j.ended is None]
        return max((now - begun for begun in running), default=0.0)

    def _run(self, job: _Job, work: Callable[[], Answer]) -> None:
        job.begun = time.monotonic()
        try:
            result = work()
        except BaseException as error:
            job.ended = time.monotonic()
            job.future.set_exception(error)
            raise
        job.ended = time.monotonic()
        job.future.set_result(result)

    def _forget(self) -> None:
        now = time.monotonic()
        for key, job in list(self._jobs.items()):
            if job.ended is None or not job.future.done():
                continue
            failed = job.future.exception() is not None or "error" in job.future.result()
            kept_s = ERROR_KEPT_S if failed else KEPT_S
            if now - job.ended > kept_s or len(self._jobs) > KEPT:
                del self._jobs[key]
