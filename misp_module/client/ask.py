"""Answer one request of MISP within its time, whatever the worker is doing.

MISP gives up after 10 s (5 s for a hover), and a call that it has given up still holds one of the
server's few threads. So a call waits less than that, and only a few calls wait at once; the others
are told at once to ask again. Their work goes on, and the result is kept for the next click.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from concurrent.futures import TimeoutError as LateError
from functools import cache
from pathlib import Path
from typing import Any

from misp_module.client.process import WorkerDiedError, WorkerProcess

HOVER_S = 4.0
ENRICH_S = 8.0
CROWDED_S = 0.5
OF_TIMEOUT = 0.8  # of the time-out that newer cores send along
RECORD = "ttpscribe.json"
ROOT_VARIABLE = "TTPSCRIBE_MISP_ROOT"

# The server has five threads a processor; two of them stay free for the modules of others.
_SLOTS = threading.BoundedSemaphore(max(1, min(4, 5 * (os.cpu_count() or 1) - 2)))
log = logging.getLogger("ttpscribe")

LATE = (
    "ttpscribe is still reading this. Ask again in a few seconds: the work goes on, and its "
    "result is kept."
)
CROWDED = (
    "ttpscribe is reading other texts, and this one waits its turn. Ask again in a few seconds: "
    "the result will be kept."
)


def ask(q: bytes | str | bool) -> dict[str, Any] | bool:
    """Pass a module's query to the worker.

    Parameters
    ----------
    q : bytes, str or False
        The body of ``POST /query``, as the modules server hands it to ``handler``.

    Returns
    -------
    dict or False
        The module's answer. An error would end a whole Enrich Event job of MISP, which is told by
        an ``attribute_uuid``; such a request gets no results instead, and the log says why.
    """
    if isinstance(q, bool):
        return False
    body = q.encode() if isinstance(q, str) else q
    request = json.loads(body)
    try:
        answer = _answer(body, _deadline(request))
    except OSError as error:
        answer = {
            "error": f"ttpscribe's worker cannot be started ({error}). Run: ttpscribe misp check"
        }
    except WorkerDiedError as error:
        answer = {
            "error": f"ttpscribe's worker died while it read this: {error}. The next call starts "
            "a new one; the log of misp-modules says more."
        }
    if "error" in answer and request.get("attribute_uuid"):
        log.warning("attribute %s: %s", request["attribute_uuid"], answer["error"])
        if answer["error"] in (LATE, CROWDED):
            # Nobody clicks twice in a job: the worker writes the result itself, if it has a key.
            worker().submit(json.dumps({**request, "late": True}).encode())
        return {"results": {}}
    return answer


def _answer(body: bytes, deadline: float) -> dict[str, Any]:
    future = worker().submit(body)
    waits = _SLOTS.acquire(blocking=False)
    try:
        answer: dict[str, Any] = json.loads(future.result(deadline if waits else CROWDED_S))
        return answer
    except LateError:
        return {"error": LATE if waits else CROWDED}
    finally:
        if waits:
            _SLOTS.release()


def _deadline(request: dict[str, Any]) -> float:
    try:
        given = float(request["timeout"]) * OF_TIMEOUT
    except (KeyError, TypeError, ValueError):
        given = 0.0
    if given > 0:
        return given
    hover = "attribute" in request and not request.get("event_id")
    return HOVER_S if hover or request.get("persistent") else ENRICH_S


@cache
def worker() -> WorkerProcess:
    """Return the one worker of this server, for all of our modules."""
    return WorkerProcess(_command())


def _command() -> list[str]:
    """Return the worker's command, as `ttpscribe misp install` recorded it."""
    root = os.environ.get(ROOT_VARIABLE)
    record = (Path(root) if root else Path(__file__).parents[2]) / RECORD
    try:
        command: list[str] = json.loads(record.read_text(encoding="utf-8"))["command"]
    except FileNotFoundError:  # not installed under a root: run from the package itself
        return [sys.executable, "-P", "-m", "misp_module.worker"]
    return command
