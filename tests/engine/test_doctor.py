"""``ttpscribe doctor``: what is well is said, what is not is named with what to do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.commands.doctor import doctor
from engine.doctor import Line, look, looking, machine, parts
from engine.doctor import ledger as ledger_check
from engine.errors import TtpscribeError
from engine.ledger import Ledger
from engine.ledger.database import Database
from engine.releases import ReleaseStore
from engine.releases.store import SHIPPED

OURS = {"champion", "engine", "knowledge", "ledger", "machine", "misp", "nightly", "opencti",
        "secrets"}  # fmt: skip


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, and nothing set up."""
    for name in list(os.environ):
        if name.startswith(("OPENCTI_", "TTPSCRIBE_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(doctor, arguments, standalone_mode=False)


def lines(*only: str) -> list[Line]:
    return list(look(only))


def test_every_part_is_looked_at():
    assert {part.name for part in parts()} >= OURS


def test_all_is_well_on_a_new_machine():
    result = run()

    assert result.return_value == 0
    assert result.output.endswith("All is well.\n")
    states = {line.part: line.state for line in lines()}
    assert states["champion"] == states["ledger"] == states["knowledge"] == "ok"
    assert states["opencti"] == states["misp"] == states["engine"] == "unused"


def test_json_says_the_same(data):
    (data / "releases").mkdir()
    (data / "releases" / "champion.json").write_text("nonsense")
    result = run("--only", "champion", "--json")
    told = json.loads(result.output)

    assert result.return_value == 1
    assert told["well"] is False
    [line] = told["lines"]
    assert line["state"] == "failed"
    assert "ttpscribe releases use NAME" in line["says"]


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(TtpscribeError, match="Choose from: machine, secrets"):
        lines("nothing")


def test_warnings_fail_only_where_it_is_asked(monkeypatch, shipped_name):
    monkeypatch.setenv("TTPSCRIBE_RELEASE", shipped_name)

    assert run("--only", "champion").return_value == 0
    assert run("--only", "champion", "--strict").return_value == 1
    assert "→ Unset TTPSCRIBE_RELEASE" in run("--only", "champion").output


def test_a_damaged_champion_is_found_by_its_hash(data, shipped_name):
    copy = data / "releases" / shipped_name
    shutil.copytree(SHIPPED / shipped_name, copy)
    (copy / "fusion" / "fusion.json").chmod(0o644)
    with (copy / "fusion" / "fusion.json").open("a") as file:
        file.write(" ")
    ReleaseStore()._pointer.path.parent.mkdir(exist_ok=True)
    ReleaseStore()._pointer.turn("use", shipped_name)

    [line] = lines("champion")
    assert line.state == "failed"
    assert "fusion/fusion.json does not match its hash" in line.says


def test_the_ledger_is_not_changed_by_looking(data):
    assert [line.state for line in lines("ledger")] == ["ok"]
    assert not (data / "ledger.sqlite").exists()


def test_an_old_ledger_is_told_and_left_as_it_is():
    with Ledger.open():
        pass
    database = Database(None, migrating=False)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE ledger_version SET version_num = '0001'")
    [line] = lines("ledger")

    assert line.state == "warning"
    assert "schema 0001" in line.says
    assert "Back it up" in str(line.do)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE ledger_version SET version_num = '9999'")
    database.close()
    [line] = lines("ledger")
    assert line.state == "failed"
    assert line.do == "Update ttpscribe on this machine."


def test_work_that_waits_too_long_is_told(monkeypatch):
    with Ledger.open() as ledger:
        ledger.journal("opencti", "queue").put("message", "body")
    assert not [line for line in lines("ledger") if line.part == "journal"]

    monkeypatch.setattr(ledger_check, "LONG", timedelta(seconds=-1))
    [line] = [line for line in lines("ledger") if line.part == "journal"]
    assert line.state == "warning"
    assert "opencti: 1 enrichments wait" in line.says


def test_a_ledger_that_cannot_be_reached_fails_and_hides_its_password(monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_LEDGER_URL", "postgresql://u:hidden@127.0.0.1:1/none")
    [line] = lines("ledger")

    assert line.state == "failed"
    assert "does not answer" in line.says
    assert "hidden" not in line.says


def test_secrets_that_others_may_read_are_told(tmp_path, monkeypatch):
    secret = tmp_path / "token"
    secret.write_text("abc")
    secret.chmod(0o644)
    monkeypatch.setenv("OPENCTI_TOKEN_FILE", str(secret))
    monkeypatch.setattr(machine, "_seen_by_others", lambda path: path.stat().st_mode & 0o004)
    [line] = lines("secrets")
    assert (line.state, line.do) == ("warning", f"chmod 600 {secret}")

    secret.chmod(0o600)
    assert [line.state for line in lines("secrets")] == ["ok"]
    secret.unlink()
    assert [line.state for line in lines("secrets")] == ["failed"]


def test_a_directory_that_keeps_others_out_keeps_its_files(tmp_path):
    inner = tmp_path / "private"
    inner.mkdir(mode=0o700)
    (inner / "file").write_text("abc")
    (inner / "file").chmod(0o644)

    assert not machine._seen_by_others(inner / "file")


def test_a_full_disk_fails(monkeypatch):
    monkeypatch.setattr(machine, "FULL", 1e18)

    assert [line.state for line in lines("machine") if line.part == "disk"] == ["failed"] * 2


def test_a_clock_before_the_champion_fails(monkeypatch):
    class Early(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2020, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(machine, "datetime", Early)
    [line] = [line for line in lines("machine") if line.part == "clock"]
    assert line.state == "failed"
    assert "before the champion was made" in line.says


def test_a_check_that_stumbles_keeps_none_of_the_others(monkeypatch):
    points = [
        EntryPoint("absent", "nowhere.to.be:found", looking.GROUP),
        EntryPoint("broken", f"{__name__}:_stumble", looking.GROUP),
        EntryPoint("machine", "engine.doctor.machine:machine", looking.GROUP),
    ]
    monkeypatch.setattr(looking, "entry_points", lambda group: points)
    monkeypatch.setitem(__import__("sys").modules, __name__, _Here())
    states = {line.part: line.state for line in look()}

    assert states["absent"] == "unused"
    assert states["broken"] == "failed"
    assert states["data"] == "ok"


class _Here:
    @staticmethod
    def _stumble():
        raise ZeroDivisionError("as it happens")
        yield


def test_the_engine_service_is_asked(monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DOCTOR_ENGINE", "http://127.0.0.1:1")
    [line] = lines("engine")

    assert line.state == "failed"
    assert "ttpscribe serve" in str(line.do)


def test_opencti_and_misp_are_looked_at_where_they_are_set_up(monkeypatch):
    monkeypatch.setenv("OPENCTI_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("OPENCTI_TOKEN", "not shown")
    told = lines("opencti")
    assert [line.state for line in told] == ["ok", "failed"]
    assert "could not be reached" in told[-1].says
    assert not any("not shown" in line.says for line in told)

    from misp_module import settings

    settings.load.cache_clear()
    monkeypatch.setenv("TTPSCRIBE_MISP_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TTPSCRIBE_MISP_MODULES_URL", "http://127.0.0.1:1")
    told = lines("misp")
    settings.load.cache_clear()
    assert [line.state for line in told] == ["failed", "warning"]
    assert "does not answer" in told[0].says


@pytest.fixture
def night(data: Path) -> Callable[[timedelta, dict[str, object]], None]:
    """Leave the journal of a night, as the nightly does."""

    def leave(ago: timedelta, steps: dict[str, object]) -> None:
        from training.nightly.journal import begin

        journal = begin("fingerprint", "x", timedelta(hours=1), dry_run=False)
        for step, result in steps.items():
            journal.record(step, result)
        moment = (datetime.now(UTC) - ago).timestamp()
        os.utime(journal.folder / "journal.json", (moment, moment))

    return leave


DONE = {"harvest": [], "freeze": "x", "train": ["y"], "publish": "y", "tell": None}


@pytest.mark.parametrize(
    ("ago", "steps", "state", "says"),
    [
        (timedelta(hours=5), DONE, "ok", "y is the champion since"),
        (timedelta(hours=5), {"harvest": [], "freeze": None, "tell": None}, "ok", "nothing to"),
        (timedelta(hours=50), DONE, "warning", "none since"),
        (timedelta(hours=1), {"harvest": []}, "ok", "is at work"),
        (timedelta(hours=13), {"harvest": []}, "failed", "was broken off"),
    ],
)
def test_the_last_night_is_told(night, ago, steps, state, says):
    night(ago, steps)
    [line] = lines("nightly")

    assert line.state == state
    assert says in line.says


def test_no_night_is_no_fault():
    assert [line.state for line in lines("nightly")] == ["unused"]
