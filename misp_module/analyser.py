"""Who analyses: an engine in this process, or one elsewhere that answers the same two calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.service.client import Client
    from engine.types import Analysis, Document
    from misp_module.settings import Settings

KEPT = 64
# Few: MISP waits ten seconds, and a job of the worker ends after five minutes.
RETRIES = 2


class Analyser(Protocol):
    """What the modules need of an engine, wherever it runs."""

    def release(self) -> str:
        """Return the name of the release in use; a result is kept for one release only."""
        ...

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        """Find the techniques of a document, and infer further ones."""
        ...


class LocalAnalyser:
    """The engine in this process, with its newest analyses kept: a click follows a hover.

    Opened at the first call, and anew when another release becomes the champion.

    Parameters
    ----------
    engine : Engine, optional
        Use this one, whatever the champion is.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine
        self._fixed = engine is not None
        self._champion = ""
        self._kept: OrderedDict[tuple[object, ...], Analysis] = OrderedDict()
        self._opening = threading.Lock()
        self._keeping = threading.Lock()

    def release(self) -> str:
        """Return the name of the champion.

        Raises
        ------
        ReleaseError
            If there is no release on this machine.
        """
        return self._open().release.name

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        """Analyse a document, unless the same text was analysed just before."""
        engine = self._open()
        asked = (engine.release.name, operating_point, inferences)
        key = (*asked, document.digest, document.media_type, len(document.sentences))
        with self._keeping:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return replace(kept, document=document)
        analysis = engine.analyse(document, operating_point, inferences=inferences)
        with self._keeping:
            self._kept[key] = analysis
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return analysis

    def _open(self) -> Engine:
        from engine.analysis import Engine
        from engine.releases import ReleaseStore

        with self._opening:
            if self._engine is not None and self._fixed:
                return self._engine
            store = ReleaseStore()
            champion = store.champion_name()
            if self._engine is None or champion != self._champion:
                self._engine = Engine.open(store.open(champion))
                self._champion = champion
            return self._engine


class RemoteAnalyser:
    """The engine behind a URL: the worker loads no model.

    Parameters
    ----------
    client : Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def release(self) -> str:
        """Return the release that the service answers with now."""
        return self.client.serving().release

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        """Analyse a document."""
        return self.client.analyse(document, operating_point, inferences=inferences)


class ChosenAnalyser:
    """The engine that the settings name.

    Chosen at the first call, so that a wrong setting is an answer and not the end of the worker.

    Parameters
    ----------
    settings : callable that returns Settings
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._chosen: Analyser | None = None

    def release(self) -> str:
        """Return the name of the release in use."""
        return self._analyser().release()

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        """Analyse a document."""
        return self._analyser().analyse(document, operating_point, inferences)

    def _analyser(self) -> Analyser:
        if self._chosen is None:
            client = remote(self._settings())
            self._chosen = LocalAnalyser() if client is None else RemoteAnalyser(client)
        return self._chosen


def remote(settings: Settings) -> Client | None:
    """Return a client of the engine service that the settings name, if they do."""
    if settings.engine_url is None:
        return None
    from engine.service.client import Client

    return Client(
        settings.engine_url,
        settings.engine_key.get_secret_value() if settings.engine_key else None,
        key_file=settings.engine_key_file,
        ca_file=settings.engine_ca_file,
        timeout=settings.engine_timeout,
        retries=RETRIES,
    )
