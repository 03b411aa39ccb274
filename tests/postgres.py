"""A PostgreSQL server of our own, for tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

HINT = "PostgreSQL's server is missing: apt-get install postgresql"
_numbers = count()

# The server ends with this process, also when it is killed: the shell then reads the pipe's end.
_SUPERVISOR = """
"$@" </dev/null &
cat >/dev/null
kill -QUIT "$(head -n 1 "$DATA/postmaster.pid")"
wait
"""


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@contextmanager
def running_server() -> Iterator[Path]:
    """The directory of the socket at which a throwaway cluster listens, and nowhere else."""
    programs = _programs()
    if programs is None:
        pytest.skip(HINT)
    home = Path(tempfile.mkdtemp(prefix="ledger-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root.
        user = "postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody"
        shutil.chown(home, user)
        as_user = ["runuser", "-u", user, "--"]
    data = home / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "ledger", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run(
        [*as_user, *map(str, initdb), "--locale=C"], check=True, capture_output=True, cwd=home
    )
    server = [programs / "postgres", "-D", data, "-k", home, "-h", "", "-F", "-c", "jit=off"]
    log = (home / "log").open("wb")
    shell = subprocess.Popen(
        ["sh", "-c", _SUPERVISOR, "sh", *as_user, *map(str, server)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=home,
        env={**os.environ, "DATA": str(data)},
    )
    try:
        _wait(home)
        yield home
    finally:
        assert shell.stdin is not None
        shell.stdin.close()
        shell.wait(timeout=30)
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _wait(home: Path) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(host=str(home), user="ledger", dbname="postgres").close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                pytest.fail(f"PostgreSQL does not start: {(home / 'log').read_text()}")
            time.sleep(0.1)
        else:
            return


def new_database(home: Path) -> str:
    """Make an empty database; return its URL."""
    name = f"ledger_{next(_numbers)}"
    with psycopg.connect(
        host=str(home), user="ledger", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://ledger@/{name}?host={home}"
