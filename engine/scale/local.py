"""Workers that are processes of this machine, and what runs inside a worker anywhere."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from engine import __version__
from engine.recognizers.onnx_encoder import THREADS
from engine.scale.crew import ScaleError, Setup, WorkerLost


def one_core() -> None:
    """Hold this process to one core: workers are many, and each library would take all.

    It also makes sums come out alike everywhere: their order depends on the number of threads.
    """
    for name in (THREADS, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        os.environ[name] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


class Seat:
    """What a worker keeps: the function that does its tasks."""

    def __init__(self) -> None:
        self._function: Callable[[Any], Any] | None = None

    def prepare(self, setup: Setup, version: str) -> None:
        """Become able to do tasks, for a caller of the same version.

        Raises
        ------
        ScaleError
            If the caller's is another.
        """
        if version != __version__:
            raise ScaleError(
                f"Worker {platform.node()} has ttpscribe {__version__}, the caller {version}: "
                "install the same on every machine."
            )
        one_core()
        self._function = setup()

    def call(self, task: Any) -> Any:
        """Do a task."""
        if self._function is None:
            raise RuntimeError("a worker was given a task before it was prepared")
        return self._function(task)


def _serve(pipe: Connection) -> None:
    """Be a worker, until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends this one
    seat = Seat()
    while True:
        try:
            step, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, (seat.prepare if step == "prepare" else seat.call)(*arguments)
        except Exception as error:
            answer = False, error
        pipe.send(answer)


class LocalWorker:
    """One process."""

    def __init__(self) -> None:
        # Fresh, not forked: libraries that have started threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def prepare(self, setup: Setup) -> None:
        """Become able to do tasks."""
        self._ask("prepare", setup, __version__)

    def call(self, task: Any, /) -> Any:
        """Do a task."""
        return self._ask("call", task)

    def close(self) -> None:
        """End the process; who waits for an answer learns that the worker is lost."""
        self._process.kill()
        self._process.join()

    def _ask(self, step: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((step, arguments))
            good, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise WorkerLost(f"its process ended with code {self._process.exitcode}") from error
        if not good:
            raise answer
        return answer


class LocalWorkers:
    """As many processes as asked for.

    Parameters
    ----------
    size : int, optional
        One a core, if left out.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size or os.cpu_count() or 1

    def start(self, setup: Setup, wanted: Callable[[], bool], /) -> LocalWorker:
        """Start a process."""
        if not wanted():
            raise WorkerLost("it is not needed any more")
        worker = LocalWorker()
        try:
            worker.prepare(setup)
        except BaseException:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        """Nothing is taken but the workers, which are closed one by one."""
