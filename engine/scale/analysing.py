"""What a worker does with documents: the same as this machine would, or it says why not."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.errors import ReleaseError, TtpscribeError
from engine.types import Analysis, Document

if TYPE_CHECKING:
    from engine.analysis import Engine


@dataclass(frozen=True, slots=True)
class Identity:
    """What an answer depends on besides the document: equal here and there, or no answer.

    Attributes
    ----------
    version : str
        Of ttpscribe.
    release : str
        Its name, or its directory.
    digest : str
        SHA-256 of its manifest, and so of the whole release.
    attack : str
        SHA-256 of the file of ATT&CK in use.
    """

    version: str
    release: str
    digest: str
    attack: str

    @classmethod
    def of(cls, engine: Engine, reference: str | None = None) -> Identity:
        """Describe an engine.

        ``reference`` is the name or directory that it was opened by, None for the champion.
        """
        from engine.releases import ReleaseStore

        attack = hashlib.sha256(engine.knowledge.path.read_bytes()).hexdigest()
        reference = reference or ReleaseStore().champion_name()
        return cls(__version__, reference, engine.release.digest, attack)

    def open(self) -> Engine:
        """Open the same engine, on whatever machine this is.

        Raises
        ------
        TtpscribeError
            If this machine would give other answers.
        """
        from engine.analysis import Engine

        here = platform.node()
        try:
            engine = Engine.open(self.release)
        except ReleaseError as error:
            raise ReleaseError(
                f"Worker {here} cannot open the release {self.release}: {error} Put it there: "
                "ttpscribe releases import DIR"
            ) from error
        found = Identity.of(engine, self.release)
        if found.digest != self.digest:
            raise ReleaseError(
                f"Worker {here} has another release {self.release} (manifest "
                f"{found.digest[:12]}, the caller's {self.digest[:12]}): import the same there."
            )
        if found.attack != self.attack:
            raise TtpscribeError(
                f"Worker {here} has another ATT&CK file ({engine.knowledge.version}): bring "
                "every machine to the same by 'ttpscribe knowledge update'."
            )
        return engine


@dataclass(frozen=True, slots=True)
class Options:
    """How a document is analysed; see `engine.analysis.Engine.analyse`."""

    operating_point: str = "balanced"
    threshold: float | None = None
    inferences: int = 10
    top: int | None = None

    def analyse(self, engine: Engine, document: Document) -> Analysis:
        """Analyse a document in this way."""
        found = engine.analyse(
            document,
            self.operating_point,
            threshold=self.threshold,
            inferences=self.inferences,
        )
        return found if self.top is None else found.best(self.top)


@dataclass(frozen=True, slots=True)
class Reading:
    """A document still to be read: ``read`` needs nothing of the machine that asks.

    ``key`` is the caller's, to know it by.
    """

    key: bytes
    read: Callable[[], Document]
    name: str
    identifier: Any


@dataclass(frozen=True, slots=True)
class Lines:
    """Setup of workers that turn a ``Reading`` into a line of JSON."""

    identity: Identity
    options: Options

    def __call__(self) -> Callable[[Reading], str]:
        """Open the engine; return what does a task."""
        from engine.outputs import OUTPUTS, Context

        engine = self.identity.open()
        write, context = OUTPUTS["jsonl"].write, Context(engine.knowledge)

        def line(reading: Reading) -> str:
            document = replace(reading.read(), name=reading.name)
            analysis = self.options.analyse(engine, document)
            return write(analysis, replace(context, identifier=reading.identifier))

        return line


@dataclass(frozen=True, slots=True)
class Analyses:
    """Setup of workers that turn a document and options into an analysis."""

    identity: Identity

    def __call__(self) -> Callable[[tuple[Document, Options]], Analysis]:
        """Open the engine; return what does a task."""
        engine = self.identity.open()

        def analyse(task: tuple[Document, Options]) -> Analysis:
            document, options = task
            return options.analyse(engine, document)

        return analyse
