"""One worker process: started when first needed, watched, and started again when it has died.

The worker sends a heartbeat from a thread of its own. Where none comes for ``SILENCE_S`` seconds,
native code hangs in it, and it is killed: what it was reading is lost, the server is not.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import socket
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from misp_module.client import frames

SILENCE_S = 60.0
log = logging.getLogger("ttpscribe")


class WorkerDiedError(Exception):
    """The worker ended before it answered."""


class WorkerProcess:
    """Sends requests to a worker, whichever process that is at the moment.

    Parameters
    ----------
    command : sequence of str
        The worker's command line; the number of its socket's descriptor is appended.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def submit(self, body: bytes) -> Future[bytes]:
        """Pass a request on, without waiting.

        Returns
        -------
        Future of bytes
            The answer; ends with WorkerDiedError if the worker does.

        Raises
        ------
        OSError
            If no worker can be started.
        """
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = _Connection(self.command)
            return self._connection.submit(body)

    @property
    def pid(self) -> int | None:
        """Process id of the worker that runs now."""
        connection = self._connection
        return None if connection is None or connection.closed else connection.process.pid


class _Connection:
    """A worker with its socket, a thread that writes and one that reads."""

    def __init__(self, command: list[str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # Its own session, so that Ctrl-C in a terminal reaches the server alone; the worker
            # ends by itself when the socket closes.
            self.process = subprocess.Popen(  # noqa: S603
                [*command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.settimeout(SILENCE_S)
        self._socket = ours
        self._numbers = itertools.count()
        self._pending: dict[int, Future[bytes]] = {}
        self._outbox: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.closed = False
        for loop in (self._write, self._read):
            threading.Thread(target=loop, name="ttpscribe", daemon=True).start()

    def submit(self, body: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        with self._lock:
            if self.closed:
                future.set_exception(WorkerDiedError("it has just ended"))
                return future
            number = next(self._numbers)
            self._pending[number] = future
        # Written by a thread: a worker that does not read must not hold the server's threads.
        self._outbox.put((number, body))
        return future

    def _write(self) -> None:
        while (item := self._outbox.get()) is not None:
            number, body = item
            try:
                frames.send(self._socket, {"number": number}, body)
            except OSError as error:
                self._close(f"it does not take requests ({error})")

    def _read(self) -> None:
        try:
            while True:
                head, body = frames.receive(self._socket)
                if head.get("heartbeat"):
                    continue
                with self._lock:
                    future = self._pending.pop(head["number"], None)
                if future is not None:
                    future.set_result(body)
        except TimeoutError:
            self._close(f"it was silent for {SILENCE_S:.0f} s")
        except (OSError, ValueError, KeyError, frames.ClosedError):
            self._close("it ended")

    def _close(self, why: str) -> None:
        with self._lock:
            if self.closed:
                return
            self.closed = True
            pending, self._pending = self._pending, {}
        self._outbox.put(None)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.process.kill()
        code = self.process.wait()
        log.warning("ttpscribe's worker is gone: %s, exit code %s", why, code)
        for future in pending.values():
            future.set_exception(WorkerDiedError(f"{why}, exit code {code}"))
