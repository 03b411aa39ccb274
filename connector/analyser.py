"""What the connector asks of the engine: in this process, or a service at a URL."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from engine.errors import TtpscribeError
from engine.types import Analysis, Document

if TYPE_CHECKING:
    from connector.settings import TtpscribeSettings
    from engine.analysis import Engine
    from engine.knowledge import Knowledge
    from engine.service.client import Client

log = logging.getLogger(__name__)


class Analyser(Protocol):
    """Analyses documents with the release in use."""

    @property
    def knowledge(self) -> Knowledge:
        """The ATT&CK that its answers speak of."""

    def follow_champion(self) -> str:
        """Take up the release in use; return its name. One enrichment asks once."""

    def analyse(
        self,
        document: Document,
        operating_point: str,
        threshold: float | None,
        inferences: int,
        added: Mapping[str, float],
        removed: frozenset[str],
    ) -> Analysis:
        """Find techniques, and infer further ones from them and from what analysts added."""


class LocalAnalyser:
    """The engine in this process: opened once, and anew when another release is in use.

    Parameters
    ----------
    engine : Engine, optional
        Without one, the release in use is opened at first need.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine
        self._fixed = engine is not None
        self._warned: str | None = None

    @property
    def engine(self) -> Engine:
        """The engine, opened."""
        if self._engine is None:
            from engine.analysis import Engine

            self._engine = Engine.open()
        return self._engine

    @property
    def knowledge(self) -> Knowledge:
        """The ATT&CK in use."""
        return self.engine.knowledge

    def follow_champion(self) -> str:
        """Open the release in use, if it is another one than before.

        Where it cannot be opened, the one that is open goes on serving, and the log says so:
        a damaged release must not stop the analysts' work.
        """
        current = self.engine.release.name
        if self._fixed:
            return current
        from engine.analysis import Engine
        from engine.releases import ReleaseStore

        champion = ReleaseStore().champion_name()
        if champion not in (current, str(self.engine.release.path)) and champion != self._warned:
            try:
                self._engine = Engine.open(champion)
            except TtpscribeError as error:
                self._warned = champion
                log.error("Still with release %s: %s", current, error)
        return self.engine.release.name

    def analyse(
        self,
        document: Document,
        operating_point: str,
        threshold: float | None,
        inferences: int,
        added: Mapping[str, float],
        removed: frozenset[str],
    ) -> Analysis:
        """Find techniques, and infer further ones from them and from what analysts added."""
        return self.engine.analyse(
            document,
            operating_point,
            threshold=threshold,
            inferences=inferences,
            added=added,
            removed=removed,
        )


class RemoteAnalyser:
    """The engine behind a URL: no model is loaded here.

    Parameters
    ----------
    client : Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def knowledge(self) -> Knowledge:
        """The ATT&CK of this machine; ``ttpscribe connector check`` compares it."""
        from engine.knowledge import Knowledge

        return Knowledge.load()

    def follow_champion(self) -> str:
        """Return the release that the service answers with now."""
        return self.client.serving().release

    def analyse(
        self,
        document: Document,
        operating_point: str,
        threshold: float | None,
        inferences: int,
        added: Mapping[str, float],
        removed: frozenset[str],
    ) -> Analysis:
        """Find techniques, and infer further ones from them and from what analysts added."""
        return self.client.analyse(
            document,
            operating_point,
            threshold=threshold,
            inferences=inferences,
            added=added,
            removed=removed,
        )


def chosen(settings: TtpscribeSettings) -> Analyser:
    """Return the engine that the settings name."""
    if settings.engine_url is None:
        return LocalAnalyser()
    from engine.service.client import Client

    return RemoteAnalyser(
        Client(
            str(settings.engine_url),
            settings.engine_key.get_secret_value() if settings.engine_key else None,
            key_file=settings.engine_key_file,
            ca_file=settings.engine_ca_file,
            timeout=settings.engine_timeout,
            retries=settings.retries,
        )
    )
