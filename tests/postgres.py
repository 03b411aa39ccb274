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


class Server:
    """A throwaway cluster that listens at a socket in its directory, and nowhere else."""

    def __init__(self, home: Path, command: list[str]) -> None:
        self.home = home
        self._command = command
        self._log = (home / "log").open("ab")
        self._shell: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._shell = subprocess.Popen(
            ["sh", "-c", _SUPERVISOR, "sh", *self._command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            cwd=self.home,
            env={**os.environ, "DATA": str(self.home / "data")},
        )
        _wait(self.home)

    def stop(self) -> None:
        """End it as a crash does: nobody is waited for, and the next start recovers."""
        assert self._shell is not None
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(timeout=30)

    def close(self) -> None:
        self.stop()
        self._log.close()
        shutil.rmtree(self.home, ignore_errors=True)


@contextmanager
def running_server() -> Iterator[Path]:
    """The directory of the socket of a server that runs."""
    with restartable_server() as server:
        yield server.home


@contextmanager
def restartable_server() -> Iterator[Server]:
    """A server that may be stopped and started."""
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
    command = [programs / "postgres", "-D", data, "-k", home, "-h", "", "-F", "-c", "jit=off"]
    server = Server(home, [*as_user, *map(str, command)])
    try:
        server.start()
        yield server
    finally:
        server.close()


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
