"""Workers that are threads of the test's own process: nothing to start, and they can be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.scale import Setup, WorkerLost


class ThreadWorker:
    def __init__(self, function: Callable[[Any], Any], tasks: list[Any]) -> None:
        self._function = function
        self._tasks = tasks
        self.closed = False

    def call(self, task: Any, /) -> Any:
        self._tasks.append(task)
        return self._function(task)

    def close(self) -> None:
        self.closed = True


class ThreadWorkers:
    """``fail`` tells which starts do not succeed, by their number."""

    def __init__(self, size: int = 2, fail: Callable[[int], bool] = lambda _number: False) -> None:
        self.size = size
        self.started: list[ThreadWorker] = []
        self.tasks: list[Any] = []
        self.starts = 0
        self.closed = False
        self._fail = fail

    def start(self, setup: Setup, wanted: Callable[[], bool], /) -> ThreadWorker:
        self.starts += 1
        if not wanted() or self._fail(self.starts):
            raise WorkerLost("it did not start")
        worker = ThreadWorker(setup(), self.tasks)
        self.started.append(worker)
        return worker

    def close(self) -> None:
        self.closed = True
