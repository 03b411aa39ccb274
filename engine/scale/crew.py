"""Tasks in, results out: bounded, and none is lost with the worker that had it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from engine.errors import TtpscribeError

ATTEMPTS: Final = 3  # workers that a task may cost before it is given up
STARTS: Final = 3  # failed starts in a row, after which a place stays empty
PATIENCE: Final = 300.0  # seconds to wait for the first worker

Setup = Callable[[], Callable[[Any], Any]]

log = logging.getLogger(__name__)


class ScaleError(TtpscribeError):
    """The workers cannot be had, or are not what they should be."""

    exit_code = 8


class WorkerLost(TtpscribeError):  # noqa: N818 - what happened, not what is wrong
    """A worker died, or its machine did, while it had a task."""


class Worker(Protocol):
    """Does one task at a time."""

    def call(self, task: Any, /) -> Any:
        """Do a task; raises what the task raises, and WorkerLost where the worker dies of it."""

    def close(self) -> None:
        """End the worker, whatever it does."""


class Workers(Protocol):
    """Where workers come from."""

    @property
    def size(self) -> int:
        """How many may run at a time."""

    def start(self, setup: Setup, wanted: Callable[[], bool], /) -> Worker:
        """Start a worker, and return it once it can work.

        Parameters
        ----------
        setup : callable
            Called once in the worker; returns the function that does a task there.
        wanted : callable
            Asked now and then; where it returns false, starting ends with WorkerLost.

        Raises
        ------
        WorkerLost
            If it died before it could work.
        """

    def close(self) -> None:
        """Give back what they took."""


@dataclass(eq=False)
class _Job:
    task: Any
    future: Future[Any] = field(default_factory=Future)
    attempts: int = 0


class Crew:
    """Workers that share a queue of tasks.

    Each worker has a thread of its own here, which waits for it. Use it as a context manager.

    Parameters
    ----------
    workers : Workers
        Closed with the crew.
    setup : callable
        What each worker does before its first task.
    patience : float
        Seconds to wait for the first worker.

    Attributes
    ----------
    error : exception or None
        Why no more tasks are taken.
    """

    def __init__(self, workers: Workers, setup: Setup, *, patience: float = PATIENCE) -> None:
        self._workers = workers
        self._setup = setup
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self.error: BaseException | None = None
        self._up = False
        self._working: set[Worker] = set()
        self._deadline = time.monotonic() + patience
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker {number}", daemon=True)
            for number in range(workers.size)
        ]
        self._serving = len(self._threads)
        for thread in self._threads:
            thread.start()

    def ready(self) -> None:
        """Wait for the first worker.

        Raises
        ------
        ScaleError, or what a setup raised
            If there will be none.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._up or self.error)
            if self.error:
                raise self.error

    def submit(self, task: Any) -> Future[Any]:
        """Hand in a task; blocks while as many wait as there are workers.

        The future's exception is what the task raised, or WorkerLost where it took ``ATTEMPTS``
        workers with it.

        Raises
        ------
        ScaleError, or what a setup raised
            If no worker can work.
        """
        job = _Job(task)
        with self._changed:
            self._changed.wait_for(lambda: self.error or len(self._waiting) < self._workers.size)
            if self.error:
                raise self.error
            self._waiting.append(job)
            self._changed.notify_all()
        return job.future

    def each(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Future[Any]]]:
        """Yield every task with its finished future, as they finish; tasks are read as needed."""
        pending: dict[Future[Any], Any] = {}
        for task in tasks:
            pending[self.submit(task)] = task
            for future in [future for future in pending if future.done()]:
                yield pending.pop(future), future
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; tasks that are not done end with ScaleError."""
        with self._changed:
            self._closing = True
            self._fail(ScaleError("The work was ended before this was done. Call it again."))
            working = list(self._working)
        for worker in working:
            worker.close()
        for thread in self._threads:
            thread.join()
        self._workers.close()

    # -- one worker's thread --

    def _serve(self) -> None:
        worker: Worker | None = None
        failed = 0
        try:
            while failed < STARTS:
                if worker is None:
                    try:
                        worker = self._workers.start(self._setup, self._wanted)
                    except WorkerLost as error:
                        if self._ended():
                            return
                        failed += 1
                        log.warning("A worker did not start: %s", error)
                        continue
                    failed = 0
                    with self._changed:
                        self._up = True
                        self._working.add(worker)
                        self._changed.notify_all()
                if (job := self._take()) is None:
                    return
                try:
                    result = worker.call(job.task)
                except WorkerLost as error:
                    self._end(worker)
                    worker = None
                    self._again(job, error)
                except Exception as error:
                    job.future.set_exception(error)
                else:
                    job.future.set_result(result)
        except Exception as error:  # of a setup: what is wrong with one is wrong with the job
            with self._changed:
                self._fail(error)
        finally:
            if worker is not None:
                self._end(worker)
            with self._changed:
                self._serving -= 1
                if not self._serving:
                    self._fail(ScaleError("No worker is left. See the log of the workers."))

    def _end(self, worker: Worker) -> None:
        with self._changed:
            self._working.discard(worker)
        worker.close()

    def _wanted(self) -> bool:
        if not self._up and time.monotonic() > self._deadline:
            raise ScaleError(
                "No worker came up in time: all are taken, or none has a free processor. Look with "
                "'ray status', or ask for fewer --workers."
            )
        return not self._ended()

    def _ended(self) -> bool:
        return self._closing or self.error is not None

    def _take(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended())
            if self._ended():
                return None
            job = self._waiting.popleft()
            self._changed.notify_all()
            return job

    def _again(self, job: _Job, error: WorkerLost) -> None:
        job.attempts += 1
        if job.attempts >= ATTEMPTS:
            job.future.set_exception(
                WorkerLost(f"{job.attempts} workers died of it, the last one so: {error}")
            )
            return
        log.warning("A worker died (%s); its task goes to another.", error)
        with self._changed:
            if self.error:
                job.future.set_exception(self.error)
                return
            self._waiting.appendleft(job)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        """End all that waits; the first reason counts."""
        self.error = self.error or error
        while self._waiting:
            self._waiting.popleft().future.set_exception(self.error)
        self._changed.notify_all()
