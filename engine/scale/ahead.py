"""An engine whose documents can be sent ahead to workers, so that its answers are there in time.

A platform's backfill takes one report after the other, since each is written before the next is
read. It lists what comes next, sends that ahead, and finds the analyses done. What was not sent,
or has changed since, is analysed here; the answers are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, Self, TypeVar

from engine.analysis import DEFAULT_INFERENCES, DEFAULT_POINT, NOTHING, Engine
from engine.scale import Crew, Workers, workers_at
from engine.scale.analysing import Analyses, Identity, Options
from engine.types import Analysis, Document

T = TypeVar("T")
log = logging.getLogger(__name__)
_Key = tuple[str, str, tuple[tuple[int, int], ...], Options]


class EngineAhead(Engine):
    """An engine with workers. Use it as a context manager.

    Parameters
    ----------
    engine : Engine
        The one in this process; workers must have the same release.
    workers : Workers
    """

    def __init__(self, engine: Engine, workers: Workers) -> None:
        super().__init__(engine.release, engine.recognizers, engine.fusion, engine.knowledge)
        self.crew = Crew(workers, Analyses(Identity.of(engine)))
        self.crew.ready()
        self.ahead = 2 * workers.size
        self._sent: dict[_Key, Future[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.crew.close()

    def send(
        self, document: Document, operating_point: str, threshold: float | None = None
    ) -> None:
        """Have a document analysed by a worker; `analyse` will be asked for it later."""
        options = Options(operating_point, threshold, inferences=0)
        key = _key(document, options)
        if key in self._sent or self.crew.error is not None:
            return
        self._sent[key] = self.crew.submit((document, options))
        while len(self._sent) > 2 * self.ahead:  # sent, and then never asked for
            del self._sent[next(iter(self._sent))]

    def analyse(
        self,
        document: Document,
        operating_point: str = DEFAULT_POINT,
        *,
        threshold: float | None = None,
        inferences: int = DEFAULT_INFERENCES,
        added: Mapping[str, float] = NOTHING,
        removed: Collection[str] = (),
    ) -> Analysis:
        """Take the analysis that was sent for and infer from it, or analyse here."""
        options = Options(operating_point, threshold, inferences=0)
        sent = self._sent.pop(_key(document, options), None)
        if sent is not None:
            try:
                analysis: Analysis = sent.result()
            except Exception as error:
                if self.crew.error is None:
                    raise  # the document's own fault; all workers gone is not
                log.warning("Analysing here: %s", error)
            else:
                return replace(
                    analysis,
                    document=document,
                    warnings=document.warnings,
                    inferences=self._beside(
                        analysis.findings, analysis.suggestions, inferences, added, removed
                    ),
                )
        return super().analyse(
            document,
            operating_point,
            threshold=threshold,
            inferences=inferences,
            added=added,
            removed=removed,
        )

    def sending(self, items: Iterable[T], send: Callable[[T], None]) -> Iterator[T]:
        """Yield the items, having called ``send`` with those that come next."""
        source = iter(items)
        window = list(islice(source, self.ahead))
        for item in window:
            send(item)
        while window:
            yield window.pop(0)
            for item in islice(source, 1):
                send(item)
                window.append(item)


@contextmanager
def engine_ahead(address: str | None, size: int | None) -> Iterator[EngineAhead | None]:
    """Open an engine with workers, if the caller named a Ray cluster or a number of them."""
    if address is None and size is None:
        yield None
        return
    workers = workers_at(address, size)
    with EngineAhead(Engine.open(), workers) as engine:
        yield engine


def _key(document: Document, options: Options) -> _Key:
    places = tuple((sentence.start, sentence.end) for sentence in document.sentences)
    return document.digest, document.media_type, places, options
