"""Who analyses: an engine in this process, or one elsewhere that answers the same two calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.types import Analysis, Document

KEPT = 64


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
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
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
            store = ReleaseStore()
            champion = store.champion_name()
            if self._engine is None or champion != self._champion:
                self._engine = Engine.open(store.open(champion))
                self._champion = champion
            return self._engine
