"""Backup and restore as docs/operations.md writes them, on real databases."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from postgres import running_server

from engine.ledger import Ledger, Verdict
from engine.ledger.records import now

CONTAINER = re.compile(r"docker compose (exec|run)( -T| --rm| --entrypoint \w+)* ")


def commands(project: Path, word: str) -> list[str]:
    """Return the commands of the page with a word, as they run inside their container."""
    text = (project / "docs" / "operations.md").read_text(encoding="utf-8")
    found = [line[2:] for line in text.splitlines() if line.startswith("$ ") and word in line]
    return [
        re.sub(r"^(ledger|cli) ", "tar " if "--entrypoint tar" in line else "", inner)
        for line in found
        for inner in [CONTAINER.sub("", line)]
    ]


def run(command: str, folder: Path, **environment: str) -> None:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stderr}"


def rejected(technique: str) -> Verdict:
    return Verdict(
        platform="opencti", report="report", technique=technique, verdict="rejected",
        known_by="removal", confidence=1.0, at=now(),
    )  # fmt: skip


def fill(url: str | Path) -> None:
    with Ledger.open(url) as ledger:
        ledger.record_verdicts(rejected("T1001"))
        journal = ledger.journal("opencti", "queue")
        journal.put("cut off", "{}", work="work")
        claim = journal.claim()
        assert claim is not None
        claim.step("sent", {"techniques": ["T1001"]})
        journal.put("waits", "{}")


def said(url: str | Path) -> tuple[set[str], dict[str, tuple[str, ...]]]:
    with Ledger.open(url) as ledger:
        entries = ledger.journal("opencti", "queue").entries()
        return ledger.removed("opencti", "report"), {one.message: one.steps for one in entries}


BEFORE = ({"T1001"}, {"cut off": ("sent",), "waits": ()})


def test_the_ledger_in_postgresql(project, tmp_path):
    (dump,) = commands(project, "pg_dump")
    (restore,) = commands(project, "pg_restore")
    if shutil.which("pg_dump") is None:
        pytest.skip("PostgreSQL's client is missing: apt-get install postgresql-client")
    with running_server() as home:
        with psycopg.connect(
            host=str(home), user="ledger", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("CREATE ROLE ttpscribe LOGIN")
            connection.execute("CREATE DATABASE ttpscribe OWNER ttpscribe")
        url = f"postgresql://ttpscribe@/ttpscribe?host={home}"
        fill(url)
        with Ledger.open(url) as in_use:
            run(dump, tmp_path, PGHOST=str(home))
            in_use.record_verdicts(rejected("T1002"))
        assert said(url)[0] == {"T1001", "T1002"}
        run(restore, tmp_path, PGHOST=str(home))  # over one
        assert said(url) == BEFORE
        with psycopg.connect(
            host=str(home), user="ledger", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("DROP DATABASE ttpscribe")
            connection.execute("CREATE DATABASE ttpscribe OWNER ttpscribe")
        run(restore, tmp_path, PGHOST=str(home))  # into an empty one
        assert said(url) == BEFORE


def test_the_ledger_in_sqlite(project, tmp_path):
    (backup,) = commands(project, '".backup')
    if shutil.which("sqlite3") is None:
        pytest.skip("the program sqlite3 is missing: apt-get install sqlite3")
    data = tmp_path / "data"
    fill(data / "ledger.sqlite")
    with Ledger.open(data / "ledger.sqlite") as in_use:
        run(backup.replace("/var/lib/ttpscribe", str(data)), tmp_path)
        in_use.record_verdicts(rejected("T1002"))
    for restore in commands(project, "install -m 600 ledger.backup"):
        run(restore.replace("/var/lib/ttpscribe", str(data)), tmp_path)
    assert said(data / "ledger.sqlite") == BEFORE


def test_the_files(project, tmp_path):
    pack, unpack = commands(project, "data.tar")
    data = tmp_path / "data"
    for name in ("releases", "knowledge", "cards", "labels", "nightly", "keys"):
        (data / name).mkdir(parents=True)
        (data / name / "file").write_text(name)
    run(pack.replace("/var/lib/ttpscribe", str(data)), tmp_path)
    shutil.rmtree(data)
    data.mkdir()
    run(unpack.replace("/var/lib/ttpscribe", str(data)), tmp_path)
    assert {path.parent.name: path.read_text() for path in data.rglob("file")} == {
        name: name for name in ("releases", "knowledge", "cards", "labels", "nightly", "keys")
    }
