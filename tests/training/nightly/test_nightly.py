"""Nights on a small site: published, refused, broken off, disturbed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nightly_program
import pytest
from click.testing import CliRunner
from nightly_program import nightly
from small_verdicts import NOON, judge, site_reports

from engine.errors import LedgerError, ReleaseError, TtpscribeError
from engine.harvest import Harvest
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.releases import ReleaseStore
from training.adapt import release
from training.labels.verdicts import frozen
from training.nightly import journal
from training.nightly.errors import AnotherRunError, OutOfTimeError
from training.nightly.progress import WithinBudget
from training.nightly.run import Nightly
from training.nightly.steps import NightSteps
from training.progress import NO_STEPS

STEPS = ("harvest", "freeze", "train", "decide", "publish", "card", "tell")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("TTPSCRIBE_RELEASE", raising=False)
    return tmp_path / "data"


@pytest.fixture
def shipped(site, tmp_path):
    folder = tmp_path / "shipped" / site.release.name
    shutil.copytree(site.release.path, folder)
    return folder


@pytest.fixture
def ledger(site):
    with Ledger.open(site.ledger) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(site, tmp_path_factory):
    """A night that nothing disturbed: its data directory."""
    home = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch, Ledger.open(site.ledger) as ledger:
        patch.setenv("TTPSCRIBE_DATA_DIR", str(home))
        patch.delenv("TTPSCRIBE_RELEASE", raising=False)
        given = nightly(ledger, site.release.path)
        given.store = ReleaseStore(shipped=_shipped(site, home))
        return home, given.run(), given


def _shipped(site, home):
    folder = home.with_name(f"{home.name}-shipped")
    shutil.copytree(site.release.path, folder / site.release.name)
    return folder


def test_a_night_publishes_what_is_better_and_writes_its_card(whole, monkeypatch):
    home, night, given = whole
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(home))
    assert night.published
    assert night.trial.decision.publish
    assert given.store.champion_name() == night.challenger.name
    assert given.store.champion().digest == night.challenger.digest
    card = journal.last().result("card")
    assert night.challenger.name in Path(card).read_text("utf-8")
    assert all(journal.last().done(step) for step in STEPS)


def test_a_second_night_without_news_trains_nothing(whole, monkeypatch):
    home, night, given = whole
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(home))
    told = []
    again = replace(given, tell=told.append, began=NOON.astimezone(UTC) + timedelta(days=1)).run()
    assert again.challenger is None
    assert any("Nothing was judged since" in line for line in told)
    assert given.store.champion_name() == night.challenger.name


def test_rolling_back_is_one_call(whole, monkeypatch, site):
    home, night, given = whole
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(home))
    assert given.store.rollback().name == site.release.name
    given.store.use(night.challenger.name)


def test_killed_at_each_step_a_night_ends_with_the_same_bytes(whole, home, shipped, site):
    _, night, _ = whole
    program = Path(nightly_program.__file__)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join([str(program.parent), *sys.path])}
    call = [sys.executable, str(program), str(site.ledger), str(shipped)]
    for deadly in STEPS:
        killed = subprocess.run([*call, deadly], env=path, capture_output=True, check=False)
        assert killed.returncode == -9, killed.stderr.decode()
        assert not journal.last().done(deadly)
    done = subprocess.run([*call, "none"], env=path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    champion = ReleaseStore(shipped=shipped.parent).champion()
    assert champion.name == night.challenger.name
    assert champion.digest == night.challenger.digest
    assert len(list(journal.directory().glob("2026*"))) == 1


@pytest.mark.parametrize("newer", ["ttpscribe", "ATT&CK"])
def test_a_night_is_not_gone_on_with_by_another_ttpscribe_or_attack(
    home, shipped, ledger, monkeypatch, newer
):
    first = nightly(ledger, shipped)
    monkeypatch.setattr(NightSteps, "train", lambda self: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            first.run()
    assert len(list(journal.directory().glob("2026*"))) == 1, "the same goes on"
    if newer == "ttpscribe":
        monkeypatch.setattr("training.nightly.run.__version__", "99.0.0")
    else:
        monkeypatch.setattr(Knowledge, "version", "99.0")
    again = replace(nightly(ledger, shipped), began=first.began + timedelta(days=1))
    with pytest.raises(ZeroDivisionError):
        again.run()
    assert len(list(journal.directory().glob("2026*"))) == 2


def test_two_nights_never_run_at_once(home, shipped, ledger):
    with journal.alone(), pytest.raises(AnotherRunError, match="is running"):
        nightly(ledger, shipped).run()


def test_a_ledger_without_verdicts_ends_quietly(home, shipped, tmp_path):
    told = []
    with Ledger.open(tmp_path / "empty.sqlite") as empty:
        given = nightly(empty, shipped)
        given.tell = told.append
        night = given.run()
    assert night.labels is None
    assert not night.published
    assert "nothing to learn from" in told[0]


class Down:
    platform = "misp"

    def harvest(self, ledger, advance=None):
        raise ReleaseError("MISP does not answer.")  # any error with advice

    def read(self, report):
        raise AssertionError("not asked: the ledger keeps the texts")

    def mark(self, entries):
        return {}

    def close(self):
        pass


class Half(Down):
    platform = "opencti"

    def harvest(self, ledger, advance=None):
        return Harvest(platform="opencti", reports=3, notes=("Broke off.",), complete=False)


def test_a_platform_that_is_down_does_not_stop_the_night_nor_does_time_that_ran_out(
    home, shipped, ledger
):
    told = []
    ticks = iter(range(0, 10**6, 30))
    given = nightly(ledger, shipped)
    given.harvesters, given.tell = (Down(), Half()), told.append
    given.steps = WithinBudget(NO_STEPS, 1, lambda: float(next(ticks)))
    with pytest.raises(OutOfTimeError, match="goes on with this night"):
        given.run()
    broken = journal.last()
    assert not broken.finished
    given.steps = NO_STEPS
    night = given.run()
    assert night.run == broken.run
    assert night.published
    assert [one.complete for one in night.harvests] == [False, False]
    assert any("misp was not harvested to the end: MISP does not answer." in t for t in told)


def test_publishing_fails_whole_and_is_made_up_for(home, shipped, ledger, monkeypatch):
    store = ReleaseStore(shipped=shipped.parent)
    before = store.champion_name()

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    given = nightly(ledger, shipped)
    with monkeypatch.context() as patch:
        patch.setattr(ReleaseStore, "_copy_in", full)
        with pytest.raises(ReleaseError, match="The store is as it was before"):
            given.run()
    assert store.champion_name() == before
    with monkeypatch.context() as patch:
        publish = NightSteps.publish

        def publish_too_late(night):
            patch.setattr(ReleaseStore, "champion_name", lambda self: "another")
            publish(night)

        patch.setattr(NightSteps, "publish", publish_too_late)
        with pytest.raises(ReleaseError, match="changed to another while the night ran"):
            given.run()
    assert given.run().published
    assert store.champion_name() != before


def test_a_disk_that_fills_at_each_step_costs_nothing_but_that_step(
    whole, disk, shipped, site, ledger, monkeypatch
):
    _, undisturbed, _ = whole
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(disk.root))
    monkeypatch.delenv("TTPSCRIBE_RELEASE", raising=False)
    for step in ("freeze", "train", "decide", "publish", "card", "tell"):
        with monkeypatch.context() as patch:
            name = "finish" if step == "tell" else step
            work = getattr(NightSteps, name)

            def on_a_full_disk(night, work=work):
                disk.fill()
                return work(night)

            patch.setattr(NightSteps, name, on_a_full_disk)
            with pytest.raises(TtpscribeError, match="No space left"):
                nightly(ledger, shipped).run()
        assert not journal.last().done(step)
        disk.free()
    night = nightly(ledger, shipped).run()
    assert night.published
    champion = ReleaseStore(shipped=shipped.parent).champion()
    assert champion.digest == undisturbed.challenger.digest


def test_a_ledger_that_fails_stops_the_night(home, shipped, ledger):
    class Broken(Down):
        def harvest(self, ledger, advance=None):
            raise LedgerError("the disk is full")

    given = nightly(ledger, shipped)
    given.harvesters = (Broken(),)
    with pytest.raises(LedgerError):
        given.run()


def test_a_champion_damaged_by_hand_is_refused_before_anything_is_trained(home, shipped, ledger):
    (shipped / "fusion" / "fusion.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"fusion/fusion\.json does not match its hash"):
        nightly(ledger, shipped).run()
    assert frozen.names() == []


def test_what_corrects_nothing_is_no_challenger(home, shipped, ledger, monkeypatch):
    fit = release.fit_adaptation

    def nothing(*args, **more):
        return replace(fit(*args, **more), adaptation=None, strength=None)

    monkeypatch.setattr(release, "fit_adaptation", nothing)
    monkeypatch.setattr(release, "moved_points", lambda points, *_: dict(points))
    said: list[str] = []
    given = nightly(ledger, shipped)
    given.tell = said.append
    night = given.run()
    assert night.labels is not None
    assert night.challenger is None
    assert night.trial is None
    assert not night.published
    assert any("No challenger by adapt: No correction" in line for line in said)


def test_verdicts_wrong_at_random_are_refused_or_cost_little(home, shipped, site, tmp_path):
    reports = site_reports(36, seed=31)
    with Ledger.open(tmp_path / "noise.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, reports, wrong=0.3, seed=4)
        given: Nightly = nightly(ledger, shipped)
        night = given.run()
    from engine.analysis import Engine
    from training.evaluation import document_f1s

    fresh = site_reports(16, seed=98, first=900)

    def f1(engine):
        gold = [report.techniques for report in fresh]
        found = [{f.technique for f in engine.analyse(r.document).findings} for r in fresh]
        return document_f1s(gold, found, sorted(frozenset().union(*gold, *found))).mean()

    champion = Engine.open(given.store.champion(), given.knowledge)
    assert not night.published or f1(champion) > f1(site.engine) - 0.05


def test_the_commands_say_what_happened(home, shipped, site, monkeypatch):
    from training.commands import nightly as command

    monkeypatch.setattr(ReleaseStore.__init__, "__kwdefaults__", {"shipped": shipped.parent})
    runner = CliRunner()
    call = ["--ledger", str(site.ledger), "--no-harvest", "--quiet", "--json", "--dry-run"]
    result = runner.invoke(command.nightly, call, standalone_mode=False)
    assert result.exception is None, result.output
    said = json.loads(result.stdout)
    assert said["challenger"]
    assert said["published"] is False
    assert said["decision"]["measures"]
    status = runner.invoke(command.nightly, ["--status"])
    assert "publish  done" in status.output


def test_a_cron_line_that_is_none_is_refused():
    from training.commands.nightly import schedule, scheduler_next

    result = CliRunner().invoke(schedule, ["--cron", "at two"])
    assert "no time of crontab" in str(result.exception)
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab("0 2 * * *", timezone="UTC")
    assert " 02:00 UTC" in scheduler_next(trigger)
    assert datetime.now(UTC) < trigger.get_next_fire_time(None, datetime.now(UTC))
