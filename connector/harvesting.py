"""One run of the harvester: pages of reports looked at, and what came out of them recorded.

Everything is asked of the platform first; then what a page gave and the cursor are recorded in
one transaction. Cursors hold the platform's own time of what was last looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from connector import curation
from connector.changes import Changes, Look, iso, moment
from connector.curation import Reason, needs_history, reason
from connector.errors import OutOfScope, Refused
from connector.history import Edit, History, People, read_history
from connector.judging import Judged, judge
from connector.kinds import KINDS
from connector.known import Known, open_questions, recall, vanished
from connector.memory import PLATFORM
from connector.platform import Platform, allowed
from connector.reader import Reading, read
from connector.statements import deletions, statements
from engine.harvest import Harvest
from engine.ledger import Curation, Ledger

if TYPE_CHECKING:
    from connector.settings import Settings

JUST_BROUGHT = timedelta(minutes=1)
NO_HISTORY = (
    "The history of reports cannot be read ({reason}), so it is not known who did what. What is "
    "gone counts as rejected, less surely; what is new counts only on curated reports."
)


@dataclass
class Tally:
    """What a run has come to so far."""

    reports: int = 0
    curated: int = 0
    verdicts: int = 0
    withdrawn: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)

    def harvest(self, *, complete: bool = True) -> Harvest:
        """Return it as the report of a run."""
        return Harvest(
            platform=PLATFORM,
            reports=self.reports,
            curated=self.curated,
            verdicts=self.verdicts,
            withdrawn=self.withdrawn,
            skipped=dict(sorted(self.skipped.items())),
            notes=tuple(self.notes),
            complete=complete,
        )


@dataclass(frozen=True)
class Found:
    """One report that was looked at, before anything of it is recorded."""

    look: Look
    known: Known
    history: History | None
    reason: Reason | None
    digest: str | None
    deleted: frozenset[str]


class Run:
    """One run.

    Parameters
    ----------
    settings : Settings
    platform : Platform
    ledger : Ledger
    people : People
    now : datetime
        The platform's time.
    advance : callable
        Told how far it is.
    """

    def __init__(
        self,
        settings: Settings,
        platform: Platform,
        ledger: Ledger,
        people: People,
        now: datetime,
        advance: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.platform = platform
        self.changes = Changes(platform)
        self.ledger = ledger
        self.people = people
        self.now = now
        self.advance = advance
        self.tally = Tally()
        self.kinds = kinds(settings)
        self._history_refused = False
        # Ids of verdicts that no longer hold, whether that is recorded already or not.
        self.withdrawn: set[str] = set()
        # The names under which drafts of reports were written to.
        self._drafts: dict[str, list[str]] = {}
        for _, key in ledger.reports(PLATFORM):
            report, draft, _ = key.partition("@")
            if draft:
                self._drafts.setdefault(report, []).append(key)

    # -- what to look at --

    def everything(self) -> None:
        """Look at all that changed since the last run."""
        delay = self.settings.harvest.delay
        until = self.now - timedelta(seconds=delay) if delay else None
        for kind in self.kinds:
            for name, age in curation.ages(self.settings.harvest):
                self._came_of_age(kind, f"{name} {kind}", self.now - age)
            name = f"changes {kind}"
            for page in self.changes.reports(kind, self.after(name), until):
                self.take(page, (name, self.forward(name, page[-1].updated)))
        statements(self, until)
        deletions(self)

    def _came_of_age(self, kind: str, name: str, end: datetime) -> None:
        """Look at what nobody has changed for so long that it may count as curated by now.

        Every report passes ``end`` once, unless it changes again.
        """
        before = self.ledger.cursor(PLATFORM, name)
        if before is not None:
            for page in self.changes.reports(kind, moment(before), end):
                self.take(page, (name, iso(page[-1].updated)))
        # At the first run what is older is looked at anyhow, among all that changed.
        if before is None or moment(before) < end:
            self.ledger.set_cursor(PLATFORM, name, iso(end))

    def after(self, name: str) -> datetime | None:
        """Return the time to ask from: a little before the last run's end."""
        before = self.ledger.cursor(PLATFORM, name)
        if before is not None:
            return moment(before) - timedelta(seconds=self.settings.harvest.overlap)
        since = self.settings.harvest.since
        return None if since is None else datetime.combine(since, time.min, UTC)

    def forward(self, name: str, at: datetime) -> str:
        """Return a cursor's next value: what is looked at again does not move it back."""
        before = self.ledger.cursor(PLATFORM, name)
        return iso(at if before is None else max(at, moment(before)))

    # -- reports --

    def take(
        self, page: Sequence[Look], cursor: tuple[str, str], told: Sequence[Edit] = ()
    ) -> None:
        """Look into the reports of a page, then record what they gave, with the cursor.

        Parameters
        ----------
        page : sequence of Look
        cursor : tuple of (name, value)
        told : sequence of Edit
            What the stream told of them.
        """
        found = []
        for look in page:
            self.tally.reports += 1
            if not self.may_read(look):
                self.tally.skipped["over TLP"] += 1
            elif not self._is_ours(look):
                found.append(self.look_into(look, told))
        for each in found:
            self.people.count(each.look.id, each.history.edits if each.history else ())
        with self.ledger.transaction():
            for each in found:
                self.record(each)
            self.ledger.set_cursor(PLATFORM, *cursor)
        self.advance(f"{self.tally.reports} reports looked at, {self.tally.verdicts} verdicts")

    def look_into(self, look: Look, told: Sequence[Edit], *, afresh: bool = False) -> Found:
        """Ask for what is needed to judge a report: its history, its text where it is curated."""
        harvest, people = self.settings.harvest, self.people
        known = self.recall(look)
        history = None
        if (
            told
            or afresh
            or curation.said_so(look, harvest)
            or (
                self._touched(look, known)
                and (open_questions(look, known) or needs_history(look, harvest, self.now))
            )
        ):
            history = self._history(look, told)
        why = reason(look, history, people, harvest, self.now)
        digest = None if why is None else self._text_digest(look)
        unexplained = vanished(look, known, history)
        held = self.platform.techniques(unexplained)
        return Found(look, known, history, why, digest, unexplained - held.keys())

    def _touched(self, look: Look, known: Known) -> bool:
        """Say whether a person may have been at a report: not if a connector just brought it.

        Its creators are those who imported it; who edited it by hand need not be among them.
        """
        return (
            known.judged
            or look.updated - look.created > JUST_BROUGHT
            or any(self.people.whose(each) == "person" for each in look.creators)
        )

    def _history(self, look: Look, told: Sequence[Edit]) -> History | None:
        if not self._history_refused:
            try:
                history = read_history(self.platform, look.id)
                return history.joined(told).from_start(look, self.people)
            except Refused as error:
                self.without_history(error)
        return History().joined(told) if told else None

    def without_history(self, error: Refused) -> None:
        """Note that the history is shut to us."""
        self._history_refused = True
        self.tally.notes[NO_HISTORY.format(reason=error)] = None

    def record(self, found: Found) -> None:
        """Judge a report that was looked at, and record what came out."""
        judged = judge(
            found.look, found.known, found.history, self.people, found.reason, found.deleted
        )
        self.keep(judged)
        before = self.ledger.curation(PLATFORM, found.look.id)
        news = curation.record(
            before, found.look, found.reason, found.digest, sure=found.history is not None
        )
        if news is not None and self.ledger.record_curations(news) and news.complete:
            self.tally.curated += 1

    def _text_digest(self, look: Look) -> str | None:
        """Return the digest of a report's text as it is now; None where there is none to read."""
        before: Curation | None = self.ledger.curation(PLATFORM, look.id)
        if before is not None and before.complete and before.at == look.updated:
            return before.digest
        try:
            reading = read_text(self.settings, self.platform, look.entity_type, look.id)
        except (OutOfScope, Refused):
            return None
        return reading.digest if reading.document is not None else None

    def _is_ours(self, look: Look) -> bool:
        """Say whether a report is a note that we wrote."""
        return look.entity_type == "Note" and all(
            self.people.whose(each) == "own" for each in look.creators
        )

    # -- parts --

    def recall(self, look: Look) -> Known:
        """Ask the ledger for all that it knows of a report."""
        return recall(self.ledger, look.id, self._drafts.get(look.id, ()), self.withdrawn)

    def keep(self, judged: Judged) -> None:
        """Record what came out of a look."""
        self.ledger.observe(*judged.observations)
        self.tally.verdicts += self.ledger.record_verdicts(*judged.verdicts)
        self.tally.skipped += judged.skipped

    def may_read(self, look: Look) -> bool:
        """Say whether a report's markings let us read it."""
        return may_read(look.markings, self.settings)


def may_read(markings: Iterable[str], settings: Settings) -> bool:
    """Say whether markings let us read."""
    return all(allowed(each, settings.ttpscribe.max_tlp) for each in markings)


def kinds(settings: Settings) -> list[str]:
    """Return the types of the scope that can refer to techniques."""
    return [kind for kind in settings.connector.scope if KINDS[kind].container]


def read_text(settings: Settings, platform: Platform, entity_type: str, any_id: str) -> Reading:
    """Read a report's texts as an enrichment does.

    Raises
    ------
    OutOfScope
        If it is gone, or marked above the highest TLP.
    """
    platform.check_markings(entity_type, any_id, settings.ttpscribe.max_tlp)
    report = platform.report(entity_type, any_id)
    return read(report, settings.ttpscribe, platform)
