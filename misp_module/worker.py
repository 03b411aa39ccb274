"""The worker process: reads requests from its socket, answers each when it is ready.

Started by `misp_module.client` inside the modules server, as
``python -P -m misp_module.worker FD``. It ends when the server does.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from engine.errors import TtpscribeError
from misp_module import settings
from misp_module.analyser import Analyser, ChosenAnalyser
from misp_module.answer import Answerer
from misp_module.client import frames
from misp_module.jobs import Answer, Jobs
from misp_module.request import digest, is_background

HEARTBEAT_S = 5.0
JOB_LIMIT_S = 300.0
log = logging.getLogger("ttpscribe.worker")


class Worker:
    """Answers requests from a socket.

    Parameters
    ----------
    sock : socket
    analyser : Analyser
    """

    def __init__(self, sock: socket.socket, analyser: Analyser) -> None:
        self._socket = sock
        self._sending = threading.Lock()
        self._jobs = Jobs()
        self._answerer = Answerer(analyser, settings.load)
        self._analyser = analyser

    def run(self) -> None:
        """Serve until the other side ends."""
        threading.Thread(target=self._beat, daemon=True).start()
        self._jobs.submit("warm-up", self._answerer.warm_up)
        while True:
            try:
                head, data = frames.receive(self._socket)
            except (frames.ClosedError, OSError):
                return
            self._take(head["number"], data)

    def _take(self, number: int, data: bytes) -> None:
        try:
            body: dict[str, Any] = json.loads(data)
            key = digest(body)
        except ValueError as error:
            self._send({"number": number}, {"error": f"The request is no JSON: {error}."})
            return

        def work() -> Answer:
            return self._guarded(body)

        if is_background(body):
            self._send({"number": number}, self._begun(body, key, work))
            return
        future = self._jobs.submit(key, work)
        if body.get("late"):
            future.add_done_callback(lambda done: self._save(body, key, _result(done)))
            self._send({"number": number}, {})
            return
        future.add_done_callback(lambda done: self._send({"number": number}, _result(done)))

    def _begun(self, body: dict[str, Any], key: str, work: Callable[[], Answer]) -> Answer:
        """Begin work that nobody waits for; only what is wrong at once is told at once."""
        try:
            self._answerer.check_action(body)
        except TtpscribeError as error:
            return {"error": str(error)}
        self._jobs.submit(key, work).add_done_callback(_log_failure)
        return {"data": True}

    def _save(self, body: dict[str, Any], key: str, answer: Answer) -> None:
        """Write what came too late for a job of MISP into the event."""
        event = str(body.get("event_id") or "")

        def work() -> Answer:
            try:
                told = self._answerer.save(event, answer["results"])
            except TtpscribeError as error:
                return {"error": str(error)}
            log.info("late for a job, event %s: %s", event, "; ".join(told))
            return {"data": True}

        if answer.get("results"):
            self._jobs.submit(f"save {key}", work).add_done_callback(_log_failure)

    def _guarded(self, body: dict[str, Any]) -> Answer:
        try:
            return self._answerer.answer(body)
        except TtpscribeError as error:
            return {"error": str(error)}
        except Exception:
            log.exception("a request failed")
            return {
                "error": "ttpscribe failed on this, which is a fault of it: the log of "
                "misp-modules has the details. Please report them."
            }

    def _beat(self) -> None:
        while True:
            self._send({"heartbeat": True}, {})
            if self._jobs.longest() > JOB_LIMIT_S:
                log.error("a job runs for over %.0f s: the worker ends itself", JOB_LIMIT_S)
                os._exit(os.EX_SOFTWARE)  # a hanging thread would hold an orderly exit
            time.sleep(HEARTBEAT_S)

    def _send(self, head: dict[str, Any], answer: Answer) -> None:
        body = json.dumps(answer).encode() if answer else b""
        try:
            with self._sending:
                frames.send(self._socket, head, body)
        except OSError:
            os._exit(os.EX_OK)  # the server has gone; nobody waits for the rest


def _result(done: Future[Answer]) -> Answer:
    error = done.exception()
    return {"error": f"ttpscribe's worker failed: {error!r}."} if error else done.result()


def _log_failure(done: Future[Answer]) -> None:
    if error := _result(done).get("error"):
        log.error("an event was not enriched: %s", error)


def main(analyser: Analyser | None = None) -> None:
    """Serve the socket whose descriptor is the last argument."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    sock = socket.socket(fileno=int(sys.argv[-1]))
    Worker(sock, analyser or ChosenAnalyser(settings.load)).run()
    os._exit(os.EX_OK)  # jobs that still run have nobody to answer


if __name__ == "__main__":
    main()
