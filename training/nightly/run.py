"""One night, from top to bottom; each step is done once, however often the night is broken off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine import __version__
from engine.harvest import Harvester
from engine.releases import ReleaseStore
from training.nightly import journal as journals
from training.nightly.night import Night
from training.nightly.progress import WithinBudget
from training.nightly.settings import NightlySettings
from training.nightly.steps import NightSteps
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.ledger import Ledger

Tell = Callable[[str], None]


@dataclass
class Nightly:
    """All that a night needs.

    Attributes
    ----------
    ledger : Ledger
    harvesters : tuple of Harvester
        Of the platforms that are configured here.
    knowledge : Knowledge
    settings : NightlySettings
    store : ReleaseStore
    steps : Steps
        Told of progress.
    tell : callable
        Told in a sentence what happened.
    began : datetime, optional
        Of a night that begins; given to get the same bytes again.
    """

    ledger: Ledger
    harvesters: tuple[Harvester, ...]
    knowledge: Knowledge
    settings: NightlySettings = field(default_factory=NightlySettings)
    store: ReleaseStore = field(default_factory=ReleaseStore)
    steps: Steps = NO_STEPS
    tell: Tell = lambda _: None
    began: datetime | None = None

    def run(self) -> Night:
        """Run the night, or go on with the one that was broken off.

        Raises
        ------
        AnotherRunError
            If one is running.
        OutOfTimeError
            If the time budget is spent.
        TtpscribeError
            If a step cannot be done; the next call tries it again.
        """
        with journals.alone():
            self.steps = WithinBudget(self.steps, self.settings.budget_minutes)
            resume = timedelta(hours=self.settings.resume_hours)
            dry_run = self.settings.dry_run
            journal = journals.begin(
                self._fingerprint(),
                self.store.champion_name(),
                resume,
                dry_run=dry_run,
                began=self.began,
            )
            champion = self.store.open(journal.champion)
            night = NightSteps(self, journal, champion)
            night.harvest()
            night.freeze()
            night.train()
            night.decide()
            night.publish()
            night.card()
            return night.finish()

    def _fingerprint(self) -> str:
        """Name what a night must have in common with one that it goes on with."""
        settings = self.settings.model_dump_json(exclude={"budget_minutes", "resume_hours"})
        # Another ATT&CK reads labels otherwise, another ttpscribe may train otherwise.
        given = "\n".join([settings, self.knowledge.version, __version__])
        return hashlib.sha256(given.encode()).hexdigest()
