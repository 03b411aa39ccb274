from __future__ import annotations

import random
import signal
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, inspect, select, text

from engine.errors import LedgerError
from engine.ledger import Curation, Ledger, Verdict, Withdrawal, database, schema
from engine.ledger.database import Database, resolve
from engine.ledger.tables import metadata, verdicts, withdrawals

OLD = Path(__file__).parent / "schema_0001.sql"


def rejected(technique: str = "T1059") -> Verdict:
    return Verdict(
        platform="opencti", report="r", technique=technique, verdict="rejected", known_by="stream"
    )


def driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def test_migrations_make_the_tables_that_the_code_expects(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    Ledger.open(url).close()
    engine = create_engine(driver(url))
    with engine.connect() as connection:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        found = inspect(connection)
        for table in metadata.sorted_tables:
            checks = {c["name"] for c in found.get_check_constraints(table.name)}
            expected = {f"ck_{table.name}_{c.name}" for c in table.columns if c.constraints}
            assert checks == expected
    engine.dispose()


def test_the_head_named_in_the_code_is_the_newest_revision():
    from alembic.script import ScriptDirectory

    directory = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(directory)).get_current_head() == schema.HEAD


def test_a_kept_ledger_of_the_first_schema_is_brought_up_to_date(tmp_path):
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))

    with Ledger.open(path) as ledger:
        assert ledger.removed("opencti", "report-1") == {"T1059.001"}
        assert ledger.last_enrichment("opencti", "report-1").release == "2026-05-03"
        assert [w.evidence for w in ledger.written("opencti", "report-1")] == ["It ran PowerShell."]
        assert ledger.journal("opencti", "q").put("m1", "body")
        assert ledger.schema == schema.HEAD


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_an_older_schema_is_migrated_on_each_database(url, monkeypatch, revision):
    monkeypatch.setattr(database, "migrate", lambda c, where: schema.migrate(c, where, revision))
    curated = Curation(platform="opencti", report="r", known_by="status")
    with closing(Database(url)) as old:
        verdict = asdict(rejected())
        with old.writing() as connection:
            old.insert(connection, verdicts, [verdict])
        with pytest.raises(LedgerError), old.writing() as connection:
            connection.execute(select(withdrawals))
    monkeypatch.undo()

    with Ledger.open(url) as new:
        assert new.removed("opencti", "r") == {"T1059"}
        assert new.record_curations(curated) == 1
        assert new.curation("opencti", "r") == curated
        assert new.journal("opencti", "q").put("m1", "body")
        new.withdraw(
            Withdrawal(platform="opencti", report="r", technique="T1059", verdict=verdict["id"])
        )
        assert new.removed("opencti", "r") == frozenset()


def test_a_migration_that_fails_leaves_the_old_schema(url, monkeypatch):
    from alembic import op

    create = op.create_table

    def fail(name, *parts, **options):
        if name == "steps":
            raise RuntimeError("cut off")
        return create(name, *parts, **options)

    monkeypatch.setattr(database, "migrate", lambda c, where: schema.migrate(c, where, "0001"))
    Ledger.open(url).close()
    monkeypatch.undo()
    monkeypatch.setattr(op, "create_table", fail)
    with pytest.raises(RuntimeError):
        Ledger.open(url)
    monkeypatch.undo()
    Ledger.open(url).close()


def test_a_ledger_of_a_newer_version_is_refused(url):
    with Ledger.open(url) as ledger:
        ledger.record_verdicts(rejected())
    engine = create_engine(driver(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_version SET version_num = '0999'"))
    with pytest.raises(LedgerError, match=r"schema 0999.*Update ttpscribe"):
        Ledger.open(url)
    engine.dispose()


OPENER = """
import sys
from engine.ledger import Ledger
Ledger.open(sys.argv[1]).close()
"""


def test_processes_that_open_a_new_ledger_together_do_not_meet(url, program):
    openers = [program(OPENER, url) for _ in range(4)]
    assert [opener.wait(timeout=60) for opener in openers] == [0] * 4


WRITER = """
import sys
from engine.ledger import Ledger, Observation
ledger = Ledger.open(sys.argv[1])
begin = int(ledger.cursor("opencti", "harvest") or 0)
for number in range(begin + 1, 100_000):
    with ledger.transaction():
        ledger.observe(*(
            Observation(platform="opencti", report=f"r{number}", technique=f"T{n:04}")
            for n in range(40)
        ))
        ledger.set_cursor("opencti", "harvest", str(number))
    if number == begin + 1:
        print("writes", flush=True)
"""


def test_a_writer_killed_in_the_middle_leaves_whole_transactions(url, program):
    rng = random.Random(7)  # noqa: S311
    before = 0
    for _ in range(2):
        writer = program(WRITER, url)
        assert writer.stdout.readline() == "writes\n"
        time.sleep(rng.uniform(0.05, 0.3))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        with Ledger.open(url) as ledger:
            cursor = int(ledger.cursor("opencti", "harvest"))
            assert ledger.counts()["observations"] == 40 * cursor
            assert cursor > before
            before = cursor
            ledger.check()
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_sqlite_is_durable_private_and_lets_readers_read(tmp_path):
    path = tmp_path / "a directory" / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ledger.location == str(path)
        with ledger._database.reading() as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
            }
        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "secure_delete": 1,
        }
        with closing(sqlite3.connect(path)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert ledger.current_verdicts("opencti", "r") == {}


def test_a_locked_ledger_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another process has been writing to it for too"):
            ledger.record_verdicts(rejected())
        other.rollback()
        assert ledger.record_verdicts(rejected()) == 1


def test_a_locked_table_of_postgresql_says_so(new_url, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    url = new_url("postgresql")
    with Ledger.open(url) as ledger:
        engine = create_engine(driver(url))
        with engine.connect() as other:
            other.execute(text("LOCK TABLE verdicts"))
            with pytest.raises(LedgerError, match="another process has been writing to it for too"):
                ledger.record_verdicts(rejected())
        engine.dispose()


def test_a_full_disk_says_so_and_keeps_what_was_there(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.record_verdicts(rejected("T1001"))
        engine = ledger._database._engine
        engine.dispose()

        @event.listens_for(engine, "connect")
        def fill(connection, _record):
            connection.execute("PRAGMA max_page_count = 1")  # SQLite raises it to what is there.

        with pytest.raises(LedgerError, match="the disk is full"):
            ledger.record_verdicts(*(rejected(f"T{n}") for n in range(2000)))
        assert ledger.removed("opencti", "r") == {"T1001"}


def test_a_full_disk_keeps_the_journal_and_takes_more_when_there_is_room(disk):
    with Ledger.open(disk.root / "ledger.sqlite") as ledger:
        journal = ledger.journal("opencti", "queue")
        claim = journal.take("first", "{}")
        disk.fill()
        with pytest.raises(LedgerError, match="the disk is full"):
            claim.step("sent", {"techniques": ["T1001"] * 10_000})
        with pytest.raises(LedgerError, match="the disk is full"):
            journal.put("second", "{}" * 100_000)
        assert journal.counts() == {"waiting": 0, "taken": 1, "done": 0, "failed": 0}
        disk.free()
        claim.step("sent", {"techniques": []})
        claim.done()
        assert journal.put("second", "{}")
        assert journal.counts() == {"waiting": 1, "taken": 0, "done": 1, "failed": 0}


def test_postgresql_that_does_not_answer_says_so_without_the_password():
    with pytest.raises(LedgerError, match="does not answer") as caught:
        Ledger.open("postgresql://me:hunter2@127.0.0.1:1/ledger")
    assert "me:***@127.0.0.1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_database_of_postgresql_says_so(postgres_server):
    with pytest.raises(LedgerError, match="no database of this name"):
        Ledger.open(f"postgresql://ledger@/nowhere?host={postgres_server}")


def test_connections_that_the_server_closed_are_replaced(new_url):
    url = new_url("postgresql")
    with Ledger.open(url) as ledger:
        engine = create_engine(driver(url))
        with engine.connect() as other:
            other.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            )
        engine.dispose()
        assert ledger.record_verdicts(rejected()) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://h/db", "SQLite or PostgreSQL"),
        ("postgresql://u:hunter2@h:port/db", "cannot be read"),
    ],
)
def test_urls_that_make_no_ledger_are_refused(given, said):
    with pytest.raises(LedgerError, match=said) as caught:
        Ledger.open(given)
    assert "hunter2" not in str(caught.value)


def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path):
    words, other, inside = tmp_path / "a.txt", tmp_path / "b.sqlite", tmp_path / "a.txt" / "x"
    words.write_text("no database at all " * 100)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE verdicts (mine TEXT)")
    for path, said in ((words, "no SQLite database"), (other, "not a ledger"), (inside, "be made")):
        with pytest.raises(LedgerError, match=said):
            Ledger.open(path)
    assert words.read_text() == "no database at all " * 100
    with closing(sqlite3.connect(other)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("verdicts",)]


def test_the_ledger_is_named_by_argument_variable_or_data_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("TTPSCRIBE_LEDGER_URL", raising=False)
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path))
    assert resolve(None).database == str(tmp_path / "ledger.sqlite")
    monkeypatch.setenv("TTPSCRIBE_LEDGER_URL", "postgresql://h/db")
    assert resolve(None).drivername == "postgresql+psycopg"
    assert resolve(tmp_path / "x").database == str(tmp_path / "x")


def test_opening_again_does_not_import_what_only_migrations_need(tmp_path, program):
    Database(tmp_path / "ledger.sqlite").close()
    code = OPENER + "assert 'alembic' not in sys.modules"
    assert program(code, str(tmp_path / "ledger.sqlite")).wait(timeout=60) == 0
