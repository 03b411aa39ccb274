"""The seam between learning and the platforms: what a harvester is, and where they are found.

A harvester belongs to a platform's package, and learning may import none of these. So each joins
by an entry point of the group ``ttpscribe.harvesters``: a callable without arguments that gives a
harvester, or None where its platform is not configured on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from engine.ledger import Ledger
    from engine.types import Document

GROUP = "ttpscribe.harvesters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What one run of one harvester did.

    Attributes
    ----------
    platform : str
        As in the ledger.
    reports : int
        Looked at.
    curated : int
        Newly recorded as curated.
    verdicts : int
        Newly recorded.
    withdrawn : int
        Verdicts that somebody took back.
    skipped : mapping from reason to int
        What was seen and is no verdict: "own write", "bot", "mass import", "over TLP", ...
    notes : tuple of str
        Sentences for the admin.
    complete : bool
        False where it ended before it had seen everything (the platform went down half-way); the
        cursor then stands where the next run goes on.
    """

    platform: str
    reports: int = 0
    curated: int = 0
    verdicts: int = 0
    withdrawn: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportText:
    """A report as the platform's reader gives it to the engine, now.

    Attributes
    ----------
    report : str
        As in the ledger.
    document : Document
        All its texts as one document.
    tlp : str or None
        Its highest marking now.
    techniques : frozenset of str
        On the report now.
    digest : str or None
        Over all texts, as ``Enrichment.digest`` and ``Curation.digest`` of the same platform:
        equal means that the text is the one that was judged.
    """

    platform: str
    report: str
    document: Document
    tlp: str | None
    techniques: frozenset[str]
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A report whose verdicts would teach most.

    Attributes
    ----------
    priority : float
        In [0, 1], highest first.
    techniques : tuple of str
        Those to judge, the most telling first.
    why : str
        A sentence for the analyst.
    """

    platform: str
    report: str
    priority: float
    techniques: tuple[str, ...]
    why: str


def _no_progress(_message: str) -> None:
    """Say nothing."""


@runtime_checkable
class Harvester(Protocol):
    """Reads from one platform what analysts did, and marks what they should look at.

    All methods raise a ``TtpscribeError`` where the platform cannot be reached or refuses.
    """

    @property
    def platform(self) -> str:
        """Its name in the ledger: ``"opencti"``, ``"misp"``."""

    def harvest(self, ledger: Ledger, advance: Callable[[str], None] = _no_progress) -> Harvest:
        """Record what changed since the last run: verdicts, curations, the cursor.

        What was found and the cursor are recorded together, in steps: a run that breaks off loses
        nothing that it recorded and skips nothing that it had not seen.

        Parameters
        ----------
        ledger : Ledger
        advance : callable
            Told in a few words of each step.
        """

    def read(self, report: str) -> ReportText | None:
        """Return a report as it is now; None where it is gone or may not be read."""

    def mark(self, entries: Sequence[QueueEntry]) -> Mapping[str, str]:
        """Mark exactly these reports for review, and take our mark off all others.

        Returns
        -------
        mapping from report to str
            What was done, or why not.
        """

    def close(self) -> None:
        """Let go of connections."""


def names() -> list[str]:
    """Names of all installed harvesters, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


@contextmanager
def harvesters() -> Iterator[tuple[Harvester, ...]]:
    """Give the harvesters of all platforms that are configured here, by name; close them after.

    Raises
    ------
    UsageError
        If a platform is half configured: its own message says what is missing.
    """
    with ExitStack() as opened:
        found = []
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            make: Callable[[], Harvester | None] = point.load()
            harvester = make()
            if harvester is not None:
                opened.callback(harvester.close)
                found.append(harvester)
        yield tuple(found)
