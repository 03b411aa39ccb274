"""Reads from MISP what analysts did with techniques, for learning.

``ttpscribe misp harvest`` and the nightly training run it. It only reads, but for the review tag.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from engine.errors import UsageError
from engine.harvest import Harvest, QueueEntry, ReportText
from engine.knowledge import Knowledge
from engine.ledger import text_digest
from misp_module import settings as module_settings
from misp_module.asking import InstanceError
from misp_module.audit import AuditLog
from misp_module.harvesting import settings as harvest_settings
from misp_module.harvesting.changes import Changed, Changes
from misp_module.harvesting.curating import Curator
from misp_module.harvesting.looking import Looker
from misp_module.harvesting.marking import Marker
from misp_module.harvesting.states import States
from misp_module.harvesting.texts import joined, texts_digest, words
from misp_module.instance import LONG_TIMEOUT_S, Instance, connect
from misp_module.reader import Reader
from misp_module.records import PLATFORM, Records
from misp_module.settings import Options, Settings
from misp_module.snapshot import Snapshot
from misp_module.tlp import is_above

if TYPE_CHECKING:
    from engine.ledger import Ledger
    from engine.types import Document
    from misp_module.harvesting.settings import HarvestSettings

log = logging.getLogger("ttpscribe.harvester")
TOGETHER: Final = 10  # events fetched in one call and recorded in one transaction


class MispHarvester:
    """The harvester of MISP, which is not asked before there is something to ask.

    Parameters
    ----------
    settings : Settings
    harvest : HarvestSettings
    """

    def __init__(self, settings: Settings, harvest: HarvestSettings) -> None:
        self._settings = settings
        self._harvest = harvest
        self._records = Records()
        self._knowledge = Knowledge.load()

    @cached_property
    def _instance(self) -> Instance:
        return connect(self._settings, LONG_TIMEOUT_S)

    @cached_property
    def _audit(self) -> AuditLog:
        return AuditLog(self._instance, self._knowledge, self._harvest.zone)

    @cached_property
    def _looker(self) -> Looker:
        organisation = self._instance.user["org_id"]
        return Looker(
            knowledge=self._knowledge,
            settings=self._harvest,
            people=self._instance.people(self._harvest.bots),
            audit=self._audit,
            curator=Curator(self._harvest, organisation, self._knowledge.version),
        )

    @property
    def platform(self) -> str:
        """Its name in the ledger."""
        return PLATFORM

    def harvest(self, ledger: Ledger, advance: Callable[[str], None] = lambda _: None) -> Harvest:
        """Record what changed since the last run; see `engine.harvest.Harvester`.

        Raises
        ------
        InstanceError
            If MISP does not answer at all, or does not accept the key. Where it stops answering
            half-way, the harvest says so and is not complete.
        """
        states = States(ledger)
        advance("asking MISP what changed")
        changes = Changed(
            self._instance, ledger, states, self._audit, self._harvest, datetime.now(UTC)
        ).find()
        run = _Run(self._instance, self._looker, ledger, states, changes)
        while run.left:
            try:
                run.look()
            except InstanceError as error:
                if not run.looked:
                    raise
                note = f"{run.left} events were not looked at: {error} The next harvest does it."
                return run.told(note, complete=False)
            advance(f"{run.looked} of {len(changes.events)} events")
        run.finish()
        return run.told()

    def read(self, report: str) -> ReportText | None:
        """Return an event's texts as they are now; None where it is gone, too secret, or empty.

        Its digest is that of the curation, which speaks of the whole event. Of an event that does
        not count as curated only single texts were judged: it has none as long as every sentence
        that proved something is still there.
        """
        found = self._instance.events([report])
        if not found:
            return None
        snapshot = Snapshot(found[0], self._knowledge, {})
        if is_above(snapshot.tlp, self._harvest.max_tlp):
            return None
        self._instance.fetch_files(found[0])
        sources, _ = Reader(Options(), self._settings, imported=True).event(snapshot.event)
        # What an attribute and a report both say is one text.
        sources = list({words(source.document.text): source for source in sources}.values())
        if not sources:
            return None
        document = joined(sources, str(snapshot.event.get("info") or f"event {report}"))
        return ReportText(
            platform=PLATFORM,
            report=report,
            document=document,
            tlp=snapshot.tlp,
            techniques=snapshot.present,
            digest=None if self._is_as_judged(report, document) else texts_digest(snapshot.event),
        )

    def _is_as_judged(self, report: str, document: Document) -> bool:
        ledger = self._records.open()
        curation = ledger.curation(PLATFORM, report)
        if curation is not None and curation.complete:
            return False  # its digest tells
        there = {text_digest(sentence.text) for sentence in document.sentences}
        proofs = {row.evidence_digest for row in ledger.written(PLATFORM, report)}
        return proofs - {None} <= there

    def mark(self, entries: Sequence[QueueEntry]) -> Mapping[str, str]:
        """Put the review tag on exactly these events; see `engine.harvest.Harvester`."""
        marker = Marker(self._instance, self._records.open(), self._harvest.review_tag)
        return marker.mark([entry.report for entry in entries if entry.platform == PLATFORM])

    def close(self) -> None:
        """Let go of connections."""
        self._records.close()


class _Run:
    """One harvest: looks at events some at a time, and counts."""

    def __init__(
        self,
        instance: Instance,
        looker: Looker,
        ledger: Ledger,
        states: States,
        changes: Changes,
    ) -> None:
        self._instance = instance
        self._looker = looker
        self._ledger = ledger
        self._states = states
        self._changes = changes
        self._skipped: Counter[str] = Counter()
        self._reports = self._curated = self._verdicts = self._withdrawn = self.looked = 0

    @property
    def left(self) -> int:
        """How many events have not been looked at yet."""
        return len(self._changes.events) - self.looked

    def look(self) -> None:
        """Look at the next events: what is found, and that they were looked at, is one."""
        numbers = self._changes.events[self.looked : self.looked + TOGETHER]
        events = self._instance.events(numbers)
        crowded = self._changes.crowded
        found, odd = [], set()
        for event in events:
            try:
                found.append(self._looker.look(self._ledger, event, crowded))
            except (KeyError, TypeError, ValueError):  # one of them must not hold up all others
                log.exception("event %s is not as MISP writes events", event["id"])
                odd.add(str(event["id"]))
        with self._ledger.transaction():
            for one in found:
                self._verdicts += self._ledger.record_verdicts(*one.verdicts)
                self._withdrawn += self._ledger.withdraw(*one.withdrawn)
                self._ledger.observe(*one.observations)
                if one.curation is not None:
                    new = self._ledger.record_curations(one.curation)
                    self._curated += new if one.curation.complete else 0
            # The index was read before the events: what changed in between is looked at again.
            settled = [n for n in numbers if n not in self._changes.unsettled | odd]
            self._states.keep({number: self._changes.states[number] for number in settled})
        for one in found:
            self._skipped += one.skipped
        if odd:
            self._skipped["not understood"] += len(odd)
            self._changes.notes.append(
                f"Not understood, see the log: event {', '.join(sorted(odd, key=int))}. They are "
                "looked at again the next time."
            )
        self._reports += len(found)
        self.looked += len(numbers)

    def finish(self) -> None:
        """Record where the other sources of changes stand: all they told was looked at."""
        with self._ledger.transaction():
            for name, value in self._changes.cursors.items():
                self._ledger.set_cursor(PLATFORM, name, value)

    def told(self, *notes: str, complete: bool = True) -> Harvest:
        """Return what was done."""
        return Harvest(
            platform=PLATFORM,
            reports=self._reports,
            curated=self._curated,
            verdicts=self._verdicts,
            withdrawn=self._withdrawn,
            skipped=dict(self._skipped),
            notes=(*self._changes.notes, *notes),
            complete=complete,
        )


def from_settings() -> MispHarvester | None:
    """Return the harvester of the MISP that the environment names; None where it names none.

    Raises
    ------
    UsageError
        If only the address or only the key is set, or a setting is wrong.
    """
    settings = module_settings.load()
    key = settings.secret()
    if not settings.url and not key:
        return None
    if not settings.url or not key:
        missing = "TTPSCRIBE_MISP_KEY (or TTPSCRIBE_MISP_KEY_FILE)" if settings.url else (
            "TTPSCRIBE_MISP_URL"
        )  # fmt: skip
        raise UsageError(f"MISP is half set up for harvesting: set {missing} too, or neither.")
    return MispHarvester(settings, harvest_settings.load())
