"""The steps of a night: harvest, freeze, train, decide, publish, card."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.analysis import Engine
from engine.errors import LedgerError, ReleaseError, TrainingDataError, TtpscribeError
from engine.fusion.adaptation import ARRAYS
from engine.harvest import Harvest
from engine.releases import Release
from training.adapt import Adapting, adapt
from training.adapt.release import BASE_LABELS
from training.gate import Origin, Said, Trial, decide, say
from training.labels import LabelledDocument, read
from training.labels.verdicts import Freezing, FrozenLabels, freeze, frozen
from training.labels.verdicts.suspicious import suspicious
from training.nightly import journal as journals
from training.nightly.encoders import learned_before
from training.nightly.foremost import foremost, not_put_forward
from training.nightly.journal import Journal
from training.nightly.night import Night
from training.nightly.retrain import retrain
from training.nightly.seed import Seed, read_seed
from training.readings import Reader

if TYPE_CHECKING:
    from training.nightly.run import Nightly


class NightSteps:
    """The steps of one night; each is done once, and skipped where the journal has it.

    Parameters
    ----------
    given : Nightly
    journal : Journal
    champion : Release
        In use when the night began.
    """

    def __init__(self, given: Nightly, journal: Journal, champion: Release) -> None:
        self.given = given
        self.settings = given.settings
        self.journal = journal
        self.champion = champion
        self.labels: FrozenLabels | None = None
        self.trial: Trial | None = None
        self.challenger: Release | None = None
        self._reader: Reader | None = None
        self._seed: Seed | None = None
        self._test: tuple[LabelledDocument, ...] | None = None

    def harvest(self) -> None:
        """Ask the platforms. One that does not answer does not keep the night from the rest."""
        if self.journal.done("harvest"):
            return
        harvests = []
        for harvester in self.given.harvesters if self.settings.harvest else ():
            with self.given.steps.step(f"Harvest {harvester.platform}", 1):
                try:
                    found = harvester.harvest(self.given.ledger)
                except LedgerError:
                    raise
                except TtpscribeError as error:
                    note = f"{harvester.platform} was not harvested to the end: {error}"
                    found = Harvest(platform=harvester.platform, notes=(note,), complete=False)
            for note in found.notes:
                self.given.tell(note)
            harvests.append({**asdict(found), "skipped": dict(found.skipped)})
        self.journal.record("harvest", harvests)

    def freeze(self) -> None:
        """Freeze a label set."""
        if not self.journal.done("freeze"):
            harvesters = {harvester.platform: harvester for harvester in self.given.harvesters}
            test = self.test_set()
            given = Freezing(
                self.given.ledger, harvesters, self.reader, self.settings.verdicts, test
            )
            try:
                labels = freeze(given, self.journal.began, steps=self.given.steps)
            except TrainingDataError as error:
                self.given.tell(str(error))
                self.journal.record("freeze", None)
                return
            for platform, why in labels.about["unread"].items():
                self.given.tell(
                    f"{platform} did not answer, so its reports teach by their evidence alone "
                    f"tonight: {why}"
                )
            frozen.write(labels)
            frozen.keep_suspicious(labels.name, suspicious(labels, self.reader))
            self.journal.record("freeze", labels.name)
        name = self.journal.result("freeze")
        self.labels = None if name is None else frozen.load(name)

    def train(self) -> None:
        """Train the challengers, each into a directory that is only whole or absent."""
        if self.journal.done("train") or self.labels is None:
            return
        made: list[str] = []
        if self._knows_it_all(self.labels):
            self.given.tell(f"Nothing was judged since {self.champion.name} learned.")
            self.journal.record("train", made)
            return
        parts = self.journal.folder / "parts"
        for kind, make in self._challengers(self.labels, parts):
            name = self._name(kind, self.labels)
            target = self.journal.folder / name
            if not (target / "manifest.json").is_file():
                unfinished = self.journal.folder / "unfinished" / name
                shutil.rmtree(unfinished.parent, ignore_errors=True)
                unfinished.parent.mkdir()
                try:
                    make(unfinished)
                    unfinished.rename(target)
                except TrainingDataError as error:
                    self.given.tell(f"No challenger by {kind}: {error}")
                    continue
                except OSError as error:
                    raise journals.unwritable(self.journal.folder, error) from error
                finally:
                    shutil.rmtree(unfinished.parent, ignore_errors=True)
            made.append(name)
        shutil.rmtree(parts, ignore_errors=True)
        self.journal.record("train", made)

    def decide(self) -> None:
        """Let champion and challengers speak, and choose the best challenger that may go on."""
        names = self.journal.result("train") if self.journal.done("train") else []
        if not names or self.labels is None:
            return
        test = self.test_set()
        held = self.labels.held
        origins: list[Origin] = ["verdicts"] * len(held)
        origins += ["test set"] * len(test)
        champion = say(self.engine(self.champion), held, test, steps=self.given.steps)
        trials = []
        for name in names:
            release = Release.open(self.journal.folder / name)
            said = say(self.engine(release), held, test, steps=self.given.steps)
            trials.append((self._decide(champion, said, origins), release))
        self.trial, self.challenger = foremost(trials, self._decide)
        if not self.journal.done("decide"):
            for other, _ in trials:
                if other is not self.trial:
                    self.given.tell(not_put_forward(other, self.trial))
            decision = self.trial.decision
            self.journal.record("decide", _plain(decision.to_dict()))
            self.given.tell(
                f"{decision.challenger} against {decision.champion}: "
                f"{'better' if decision.publish else 'refused'}. {' '.join(decision.reasons)}"
            )

    def publish(self) -> None:
        """Put the challenger into the store and make it the champion, where that was decided."""
        if self.journal.done("publish") or self.trial is None or self.challenger is None:
            return
        decision = self.trial.decision
        if not decision.publish or self.settings.dry_run:
            self.journal.record("publish", None)
            return
        store = self.given.store
        current = store.champion_name()
        if current not in (self.champion.name, self.challenger.name):
            raise ReleaseError(
                f"The champion changed to {current} while the night ran, and the "
                "comparison was with another. Start the night again."
            )
        store.publish(self.challenger.path)
        if current != self.challenger.name:
            store.use(self.challenger.name)
        self.journal.record("publish", self.challenger.name)
        self.given.tell(f"{self.challenger.name} is the champion now. Back: releases rollback")

    def card(self) -> None:
        """Write the release card."""
        if self.journal.done("card") or self.challenger is None:
            return
        self.journal.record("card", _write_card(self.night(), self.given))

    def finish(self) -> Night:
        """Record that the night is done, and tidy up."""
        night = self.night()
        if not self.journal.finished:
            self.journal.record(journals.LAST, None)
        journals.keep_newest(self.settings.keep)
        needed = [self.labels.name] if self.labels else []
        about = self.given.store.champion().manifest.figures.get("verdicts")
        if isinstance(about, Mapping):
            needed += [str(about.get(key)) for key in ("labels", BASE_LABELS)]
        frozen.keep_newest(self.settings.keep, needed=needed)
        return night

    def night(self) -> Night:
        """Return what is known so far."""
        return Night(
            run=self.journal.run,
            began=self.journal.began,
            directory=self.journal.folder,
            harvests=tuple(Harvest(**one) for one in self.journal.result("harvest")),
            labels=self.labels,
            challenger=self.challenger,
            trial=self.trial,
            published=self.journal.done("publish") and self.journal.result("publish") is not None,
        )

    @property
    def reader(self) -> Reader:
        """Reads with the champion."""
        if self._reader is None:
            self._reader = Reader(self.champion, self.given.knowledge)
        return self._reader

    @property
    def seed(self) -> Seed | None:
        """The seed data, read once."""
        if self._seed is None:
            self._seed = read_seed(self.settings, self.given.knowledge)
        return self._seed

    def engine(self, release: Release) -> Engine:
        """Open a release as analysts get it."""
        return Engine.open(release, self.given.knowledge)

    def test_set(self) -> tuple[LabelledDocument, ...]:
        """Return the documents that neither release has learned from, beside analysts' own."""
        if self._test is None:
            given: list[LabelledDocument] = []
            if self.settings.test:
                known = learned_before(self.settings)
                found = read(self.settings.test, self.given.knowledge).documents
                given += [document for document in found if document.id not in known]
                if len(given) < len(found):
                    self.given.tell(
                        f"{len(found) - len(given)} documents of --test are not measured on: the "
                        "encoder that is given has learned from them."
                    )
            about = self.champion.manifest.figures.get("verdicts")
            digest = about.get("test") if isinstance(about, Mapping) else None
            if self.seed is not None and digest == self.seed.digest:
                # Only a champion that was trained without them may be measured on them.
                given += self.seed.test
            self._test = tuple(given)
        return self._test

    def _challengers(
        self, labels: FrozenLabels, parts: Path
    ) -> list[tuple[str, Callable[[Path], object]]]:
        knowledge, began, steps = self.given.knowledge, self.journal.began, self.given.steps
        ways: list[tuple[str, Callable[[Path], object]]] = []

        def adapted(directory: Path) -> object:
            given = Adapting(self.reader, labels, knowledge, self.settings.adapt)
            release, found = adapt(given, directory, began, steps=steps)
            if found.adaptation is None and _says_the_same(release, self.champion):
                raise TrainingDataError(
                    "No correction predicts the verdicts better than the champion alone."
                )
            return release

        ways.append(("adapt", adapted))
        seed = self.seed
        if seed is not None:
            ways.append(
                (
                    "retrain",
                    lambda directory: retrain(
                        self.champion,
                        seed,
                        labels,
                        directory,
                        began,
                        self.settings,
                        knowledge,
                        parts=parts,
                        tell=self.given.tell,
                        steps=steps,
                    ),
                )
            )
        return ways

    def _knows_it_all(self, labels: FrozenLabels) -> bool:
        about = self.champion.manifest.figures.get("verdicts")
        known = about.get("judged") if isinstance(about, Mapping) else None
        return known is not None and known == labels.about.get("judged")

    def _name(self, kind: str, labels: FrozenLabels) -> str:
        return f"{self.journal.began:%Y%m%d-%H%M}-{kind}-{labels.digest[:8]}"

    def _decide(self, champion: Said, challenger: Said, origins: Sequence[Origin]) -> Trial:
        assert self.labels is not None  # noqa: S101 - callers check
        verdicts = self.labels.counts.verdicts
        return decide(champion, challenger, origins, verdicts, self.settings.gate)


def _says_the_same(release: Release, champion: Release) -> bool:
    """Tell whether a release without corrections is the champion again, for every report."""
    same = release.manifest.operating_points == champion.manifest.operating_points
    return same and f"fusion/{ARRAYS}" not in champion.manifest.files


def _plain(value: Any) -> Any:
    """Return JSON values, numpy's numbers as Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _write_card(night: Night, given: Nightly) -> str | None:
    from training.card import write_card
    from training.card.night import card_of_night

    made = card_of_night(night, given.ledger, given.knowledge)
    return None if made is None else str(write_card(made, given.knowledge)[0])
