"""The parser's process: ``python -m engine.documents.worker``, one frame in, one frame out.

It reads untrusted bytes, so it gives up what it does not need: it opens no connection, starts
no program, writes no file, and is bounded in memory and processor time for each document.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import traceback
from typing import Any, BinaryIO

from engine.documents.limits import Limits
from engine.documents.parse import parse
from engine.documents.protocol import receive, send
from engine.errors import DocumentError

_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "ctypes.dlopen",
)


def main() -> None:
    """Answer frames until the stream ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the frames
    _confine()
    while True:
        try:
            message, data = receive(requests)
        except EOFError:
            return
        _answer(message, data, replies)


def _answer(message: dict[str, Any], data: bytes, replies: BinaryIO) -> None:
    limits = Limits(**message["limits"])
    reply: dict[str, Any]
    try:
        _bound(limits)
        parsed = parse(data, message["media_type"], limits)
        headings = list(dict.fromkeys(span.heading for span in parsed.spans))
        place = {heading: index for index, heading in enumerate(headings)}
        reply = {
            "text": parsed.text,
            "headings": headings,
            "spans": [[s.start, s.end, s.page, s.kind, place[s.heading]] for s in parsed.spans],
            "pages": parsed.pages,
            "warnings": parsed.warnings,
        }
        send(replies, reply)
        return
    except DocumentError as error:
        reply = {"error": str(error)}
    except MemoryError:
        reply = {"memory": True}
    except Exception as error:  # a parser met what nobody foresaw: say so, keep the others going
        reply = {"fault": f"{type(error).__name__}: {error}"[:300], "trace": traceback.format_exc()}
    send(replies, reply)


def _bound(limits: Limits) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(usage.ru_utime + usage.ru_stime + limits.timeout_s) + 1
    _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_AS, limits.memory_mb * 2**20)


def _lower(which: int, soft: int) -> None:
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _confine() -> None:
    for which in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(which, (0, 0))

    def refuse(event: str, _: tuple[object, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise PermissionError(f"the parser's process may not {event}")

    import pypdfium2  # noqa: F401  (loads its library before loading is forbidden)

    sys.addaudithook(refuse)


if __name__ == "__main__":
    main()
