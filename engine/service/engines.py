"""The engine in use: opened once, and anew when another release becomes the champion.

A request takes the engine once, at its beginning, and keeps it to its end; so no answer is made
of two releases, and what runs while a new champion is taken up ends with the old one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import ReleaseError, TtpscribeError

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.knowledge import Knowledge

log = logging.getLogger("ttpscribe.service")
# Long enough to fill one batch of the encoder, so that the first client does not pay for it.
WARM_UP = "The macro ran PowerShell, which dumped the memory of LSASS. " * 8


class Engines:
    """Holds the engine in use, and watches for another champion or another ATT&CK.

    Parameters
    ----------
    prepare : callable
        Called with each engine before it is warmed up and used.
    every : float
        Seconds between two looks at the champion.
    """

    def __init__(self, prepare: Callable[[Engine], None], every: float = 1.0) -> None:
        self._prepare = prepare
        self._every = every
        self._current: Engine | None = None
        self._tried: tuple[str, Knowledge] | None = None
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        self.problem: str | None = None
        self.taken_up = 0

    @property
    def current(self) -> Engine:
        """The engine to answer a request with.

        Raises
        ------
        ReleaseError
            If none is open yet.
        """
        if self._current is None:
            raise ReleaseError(self.problem or "No release is open yet: ask again in some seconds.")
        return self._current

    @property
    def is_open(self) -> bool:
        """Tell whether there is an engine to answer with."""
        return self._current is not None

    def open(self) -> None:
        """Open the champion.

        Raises
        ------
        TtpscribeError
            If it cannot be opened, nor the knowledge.
        """
        from engine.analysis import Engine
        from engine.knowledge import Knowledge

        name = self.champion()
        engine = Engine.open(name, Knowledge.load())
        self._prepare(engine)
        engine.analyse_text(WARM_UP)
        self._current, self.problem = engine, None
        self._tried = (name, engine.knowledge)
        self.taken_up += 1
        log.info(
            "release open",
            extra={"fields": {"release": engine.release.name, "attack": engine.knowledge.version}},
        )

    def follow(self) -> None:
        """Take up another champion or other knowledge, if there is one.

        Where it cannot be opened, the engine in use goes on serving, and `problem` says why: a
        damaged release must not stop the analysts' work.
        """
        from engine.knowledge import Knowledge

        try:
            wanted = (
                self.champion(),
                Knowledge.load(),
            )  # read once as long as its file is the same
            if wanted == self._tried:
                return
            self._tried = wanted
            self.open()
        except TtpscribeError as error:
            if self.problem != str(error):
                self.problem = str(error)
                log.error("release not taken up", extra={"fields": {"problem": self.problem}})

    def watch(self) -> None:
        """Follow the champion in a thread, until `close`."""
        self._watcher = threading.Thread(target=self._watch, name="champion", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()

    @staticmethod
    def champion() -> str:
        """Return the name of the release that should be in use."""
        from engine.releases import ReleaseStore

        return ReleaseStore().champion_name()

    def _watch(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self.follow()
            except Exception as error:  # the thread must outlive whatever a release does
                self.problem = f"The champion cannot be taken up ({type(error).__name__})."
                log.exception("release not taken up")
