"""The parts of a running service, in one place, for the routes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from math import nan
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from engine.documents import Limits
from engine.service.deployment import Deployment
from engine.service.encoder import Cores, SharedEncoder, share
from engine.service.engines import Engines
from engine.service.errors import Refusal
from engine.service.keys import Keys
from engine.service.metrics import Metrics
from engine.service.passing import Passing
from engine.service.queue import Queue
from engine.service.settings import MEGABYTE, ServiceSettings

if TYPE_CHECKING:
    from engine.analysis import Engine

log = logging.getLogger("ttpscribe.service")


class Service:
    """Engine, line, keys and metrics of a service.

    Parameters
    ----------
    settings : ServiceSettings
    """

    def __init__(self, settings: ServiceSettings) -> None:
        processors = len(os.sched_getaffinity(0))
        self.settings = settings
        self.keys = Keys(settings.keys_path)
        self.metrics = Metrics()
        self.cores = Cores(settings.cores or processors)
        self.queue = Queue(settings.threads or processors + 1, settings.queue)
        self.engines = Engines(self._prepare)
        self.limits = Limits(
            max_bytes=settings.max_request_bytes,
            max_text_chars=settings.max_text_chars,
            max_pages=settings.max_pages,
            timeout_s=settings.parse_seconds,
            memory_mb=settings.parse_memory_mb,
        )
        self._encoder: SharedEncoder | None = None
        self._measure()

    async def run(self, request: Request, work: Callable[[Engine, Passing], Any]) -> Response:
        """Do a request's work in the line, and answer with what it returns, as JSON.

        The engine is taken when the work begins, and is the same to its end.
        """
        passing: Passing = request.scope["state"]["request"]

        def answer() -> bytes:
            values = work(self.engines.current, passing)
            told = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
            return told.encode("utf-8", "replace")

        asked = asyncio.ensure_future(self.queue.run(answer, self.settings.deadline_seconds))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return Response(asked.result(), media_type="application/json")
            raise Refusal(499, "gone", "The client has closed the connection.")
        finally:
            asked.cancel()
            gone.cancel()

    def close(self) -> None:
        """End threads; what still runs ends at its next batch."""
        self.engines.close()
        self.queue.close()
        self.cores.close()

    def _prepare(self, engine: Engine) -> None:
        keep = int(self.settings.keep_mb * MEGABYTE)
        self._encoder = share(engine, self.cores, keep)
        self.metrics.release.info(
            {"release": engine.release.name, "attack_version": engine.knowledge.version}
        )

    def _measure(self) -> None:
        self.metrics.registry.register(Deployment())
        gauge = self.metrics.gauge
        gauge("queue_waiting", "Requests that wait.", lambda: self.queue.waiting)
        gauge("queue_places", "Requests that may wait.", lambda: self.queue.places)
        gauge(
            "requests_running", "Requests worked on.",
            lambda: self.queue.inside - self.queue.waiting,
        )  # fmt: skip
        gauge("ready", "Whether a release is open: 1 or 0.", lambda: self.engines.is_open)
        gauge(
            "champion_problem", "1 where the champion could not be taken up.",
            lambda: self.engines.problem is not None,
        )  # fmt: skip
        gauge("releases_taken_up", "Releases opened.", lambda: self.engines.taken_up)
        gauge(
            "release_created_seconds", "When the release in use was made, in seconds since 1970.",
            self._created,
        )  # fmt: skip
        gauge(
            "unknown_words_usual",
            "That share in the reports that the release learned from; NaN where it does not tell.",
            self._usual,
        )  # fmt: skip
        gauge("encoder_batches", "Batches encoded.", lambda: self.cores.batches)
        gauge(
            "encoder_spared", "Texts of the release in use that need not be encoded again.",
            lambda: self._encoder.spared if self._encoder else 0,
        )  # fmt: skip

    def _usual(self) -> float:
        if not self.engines.is_open:
            return nan
        return float(self.engines.current.release.manifest.figures.get("unknown_words", nan))

    def _created(self) -> float:
        if not self.engines.is_open:
            return 0.0
        return self.engines.current.release.manifest.created.timestamp()


async def _gone(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
