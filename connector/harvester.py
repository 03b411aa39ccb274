"""Harvests from OpenCTI what analysts made of reports: verdicts, and which reports are curated.

One run asks what changed since the last one (``changes``), looks up who did what (``history``),
hears what was said in so many words (``opinions``, ``hearing``), decides whether a report counts
as curated (``curation``) and compares with the ledger (``judging``); ``harvesting`` leads through
it page by page, ``stream`` brings changes as they happen, ``review`` marks reports for analysts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from connector.changes import Changes
from connector.errors import OutOfScope, Unavailable
from connector.harvesting import Run, Tally, read_text
from connector.history import People
from connector.memory import PLATFORM
from connector.platform import Platform, connect
from connector.review import Marks
from connector.settings import Settings
from connector.statements import statements
from connector.stream import Event, Stream
from engine.harvest import Harvest, QueueEntry, ReportText
from engine.ledger import Ledger

ASKED_AGAIN = 600.0  # seconds


def from_settings() -> OpenCTIHarvester | None:
    """Return the harvester of this machine's OpenCTI; None where none is configured.

    Raises
    ------
    SettingsError
        If OpenCTI is half configured.
    """
    return OpenCTIHarvester(Settings.load()) if Settings.configured() else None


def _silent(_message: str) -> None:
    """Say nothing."""


class OpenCTIHarvester:
    """Reads from OpenCTI what analysts did, and marks what they should look at.

    Parameters
    ----------
    settings : Settings
    """

    platform = PLATFORM

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: Platform | None = None
        self._ledger: Ledger | None = None
        self._following: tuple[float, Run] | None = None

    def close(self) -> None:
        """Let go of connections."""
        if self._opened is not None:
            self._opened.api.session.close()
        if self._ledger is not None:
            self._ledger.close()
        self._opened = self._ledger = None

    def harvest(self, ledger: Ledger, advance: Callable[[str], None] = _silent) -> Harvest:
        """Record what changed since the last run: verdicts, curations, the cursors.

        Where the platform goes away half-way, what came in until then stays recorded, and the
        next run goes on there.

        Raises
        ------
        Unavailable
            If OpenCTI cannot be reached from the start.
        Refused
            If it does not take the token, or refuses what is asked.
        """
        run = self._run(ledger, advance)
        try:
            run.everything()
        except Unavailable as error:
            run.tally.notes[
                f"{error} What was harvested until then is recorded; the next harvest goes on "
                "there."
            ] = None
            return run.tally.harvest(complete=False)
        return run.tally.harvest()

    def follow(
        self,
        ledger: Ledger,
        advance: Callable[[str], None] = _silent,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Harvest]:
        """Harvest, then go on with the live stream until ``stopped``; yield what each step gave.

        Where the stream breaks off it is taken up again where it was. What it does not hold any
        more, the harvest at each beginning finds.

        Raises
        ------
        Refused
            If the connector's user may not read the stream.
        Unavailable
            If it stays away.
        """
        stream = Stream(self._platform)
        for event in stream.events(lambda: ledger.cursor(PLATFORM, "stream"), stopped):
            if event.kind == "connected":
                yield self.harvest(ledger, advance)
            else:
                yield self._harvest_event(ledger, event, advance)

    def read(self, report: str) -> ReportText | None:
        """Return a report as it is now; None where it is gone, has no text or may not be read."""
        look = Changes(self._platform).find(report)
        if look is None:
            return None
        try:
            reading = read_text(self.settings, self._platform, look.entity_type, look.id)
        except OutOfScope:
            return None
        if reading.document is None:
            return None
        return ReportText(
            platform=PLATFORM,
            report=look.id,
            document=reading.document,
            tlp=look.tlp,
            techniques=look.techniques,
            digest=reading.digest,
        )

    def mark(self, entries: Sequence[QueueEntry]) -> dict[str, str]:
        """Put the review label on exactly these reports, and take it off where we had put it."""
        if self._ledger is None:
            url = self.settings.ttpscribe.ledger_url
            self._ledger = Ledger.open(url.get_secret_value() if url else None)
        marks = Marks(self._platform, self._ledger, self.settings.harvest.review_label)
        return marks.put([each.report for each in entries if each.platform == PLATFORM])

    @property
    def _platform(self) -> Platform:
        if self._opened is None:
            self._opened = connect(self.settings)
        return self._opened

    def _run(self, ledger: Ledger, advance: Callable[[str], None]) -> Run:
        harvest = self.settings.harvest
        people, notes = People.of(self._platform, harvest.bots, harvest.mass_edits)
        now = Changes(self._platform).now()
        run = Run(self.settings, self._platform, ledger, people, now, advance)
        run.tally.notes |= dict.fromkeys(notes)
        return run

    def _run_of_stream(self, ledger: Ledger, advance: Callable[[str], None]) -> Run:
        """Return a run with nothing in its tally; who connectors are is asked now and then."""
        since, run = self._following or (0.0, None)
        if run is None or run.ledger is not ledger or monotonic() - since > ASKED_AGAIN:
            run = self._run(ledger, advance)
            self._following = (monotonic(), run)
        run.tally, run.now = Tally(), Changes(self._platform).now()
        return run

    def _harvest_event(
        self, ledger: Ledger, event: Event, advance: Callable[[str], None]
    ) -> Harvest:
        """Look at what an event of the stream is about, and remember the event."""
        run = self._run_of_stream(ledger, advance)
        if event.entity_type in ("Opinion", "Note"):
            statements(run, None)
        page = []
        if event.entity_type in run.kinds:
            look = run.changes.look(event.entity_type, event.entity_id)
            page = [look] if look is not None else []
        run.take(page, ("stream", event.id), event.edits)
        return run.tally.harvest()
