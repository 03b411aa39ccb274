"""The parser's processes: started when needed, used for many documents, ended when they fail.

A start costs some tenths of a second, so a process is kept; it is replaced after ``RECYCLE``
documents, and at once after it passed a limit or died. Threads share the pool.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from engine.documents.blocks import Parsed, Span
from engine.documents.limits import Limits
from engine.documents.protocol import receive, send
from engine.errors import DocumentError
from engine.types import SentenceKind

RECYCLE = 250
_KINDS = frozenset(("prose", "heading", "list_item", "table_row", "code"))
_COMMAND = (sys.executable, "-P", "-s", "-m", "engine.documents.worker")


class _Process:
    """One child and its pipes; used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        # Nothing of the environment goes along: no secret, no proxy. The path is this one's.
        path = os.pathsep.join(os.path.abspath(p or ".") for p in sys.path)  # noqa: PTH100
        self.child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONHASHSEED": "0"},
            close_fds=True,
        )
        self.done = 0

    def ask(self, message: dict[str, Any], data: bytes, limits: Limits) -> dict[str, Any] | None:
        """Send a document and wait for the reply; None if time ran out."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.child.kill()

        timer = threading.Timer(limits.timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            send(cast("Any", self.child.stdin), message, data)
            # A character is at most 12 bytes of ASCII JSON, and a sentence has some 60 more.
            reply, _ = receive(cast("Any", self.child.stdout), 80 * limits.max_text_chars + 10**6)
        except (EOFError, OSError, ValueError):
            if late.is_set():
                return None
            raise
        finally:
            timer.cancel()
        # A kill that came too late to matter still killed it.
        self.done = RECYCLE if late.is_set() else self.done + 1
        return reply

    def close(self) -> None:
        self.child.kill()
        for stream in (self.child.stdin, self.child.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self.child.wait()


class Pool:
    """Parses documents in child processes.

    Parameters
    ----------
    size : int or None
        Most processes at a time; the number of processors, at most 4, if left out.
    command : sequence of str
        What to start.
    """

    def __init__(self, size: int | None = None, command: Sequence[str] = _COMMAND) -> None:
        self._command = command
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(size or min(4, os.cpu_count() or 1))

    def parse(self, data: bytes, name: str, media_type: str, limits: Limits) -> Parsed:
        """Parse one document in a child process.

        Raises
        ------
        DocumentError
            If it cannot be read, or reading it passed a limit or ended the process.
        """
        message = {"media_type": media_type, "limits": asdict(limits)}
        with self._places:
            try:
                reply = self._ask(message, data, limits)
            except (EOFError, OSError, ValueError) as error:
                raise DocumentError(
                    f"{name} made its parser break down, so it was left out; the file is damaged "
                    "or hostile. Convert it to plain text where that is safe."
                ) from error
        return _parsed(reply, name, limits)

    def _ask(self, message: dict[str, Any], data: bytes, limits: Limits) -> dict[str, Any] | None:
        while True:
            process = self._take()
            used, keep = process.done > 0, False
            try:
                reply = process.ask(message, data, limits)
                keep = reply is not None and not reply.keys() & {"memory", "fault"}
                return reply
            except (EOFError, OSError, ValueError):
                # A process may suffer from an earlier document: only a new one's word counts.
                if not used:
                    _check_started(process)
                    raise
            finally:
                self._give(process, keep)

    def close(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    def _take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.child.poll() is None:
                    return process
                process.close()
        try:
            return _Process(self._command)
        except OSError as error:
            raise DocumentError(
                f"The parser's process cannot be started ({error}); check the machine's limits on "
                "processes and open files."
            ) from error

    def _give(self, process: _Process, keep: bool) -> None:
        if keep and process.done < RECYCLE:
            with self._lock:
                self._idle.append(process)
        else:
            process.close()


def _check_started(process: _Process) -> None:
    """Tell a process that never came up, which is no document's fault."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        # 1 is how Python ends for an exception; a crash or a limit ends it by a signal.
        if process.child.wait(1) == 1:
            raise DocumentError(
                "The parser's process does not start; run `python -m engine.documents.worker` to "
                "see why."
            )


def _parsed(reply: dict[str, Any] | None, name: str, limits: Limits) -> Parsed:
    if reply is None:
        raise DocumentError(
            f"{name} took longer than {limits.timeout_s:g} s to read and was left out; raise "
            "timeout_s, or split it."
        )
    if "error" in reply:
        raise DocumentError(f"{name}: {reply['error']}")
    if "memory" in reply:
        raise DocumentError(
            f"{name} needs more than {limits.memory_mb} MB of memory to read and was left out; "
            "raise memory_mb, or split it."
        )
    if "fault" in reply:
        error = DocumentError(
            f"{name} cannot be read ({reply['fault']}). Convert it to another format, and report "
            "the file if you may share it."
        )
        error.add_note(str(reply.get("trace")))
        raise error
    try:
        return _checked(reply)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DocumentError(f"{name}: the parser's reply makes no sense; left out.") from error


def _checked(reply: dict[str, Any]) -> Parsed:
    """Believe nothing: the process has read hostile bytes."""
    text, headings, end = reply["text"], reply["headings"], 0
    if not isinstance(text, str):
        raise TypeError("text")
    spans = []
    for start, stop, page, kind, heading in reply["spans"]:
        if not (end <= start < stop <= len(text)) or kind not in _KINDS:
            raise ValueError("span")
        end = stop
        spans.append(Span(start, stop, page, cast("SentenceKind", kind), headings[heading]))
    return Parsed(text, tuple(spans), reply["pages"], tuple(map(str, reply["warnings"])))


_shared: Pool | None = None
_shared_lock = threading.Lock()


def shared_pool() -> Pool:
    """Return the pool that all callers in this process share."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Pool()
        return _shared


def _close() -> None:
    if _shared is not None:
        _shared.close()


def _forget() -> None:
    # A forked copy must not speak into its parent's pipes.
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


atexit.register(_close)
os.register_at_fork(after_in_child=_forget)
