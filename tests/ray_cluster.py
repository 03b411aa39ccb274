"""A Ray cluster of this machine alone, for tests: two processors, no dashboard, no statistics."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket

import psutil

LONGEST = 300.0
ENVIRONMENT = {
    "RAY_worker_register_timeout_seconds": "600",  # of a worker's start, on a loaded machine
    "RAY_worker_niceness": "0",  # Ray would let everybody else go first
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # of the loopback address only
}

os.environ.update(ENVIRONMENT)  # Ray reads some of it when it is imported


@contextmanager
def ray_cluster(processors: int = 2) -> Iterator[str]:
    """Start a cluster, yield its address, and end it with all that it started."""
    root = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    head, agent, export, runtime = _free_ports(4)
    log = root / "log"
    command = [
        Path(sys.executable).with_name("ray"),
        *("start", "--head", "--block", "--num-cpus", processors, "--port", head),
        *("--node-ip-address", "127.0.0.1", "--include-dashboard", "false"),
        *("--object-store-memory", 80_000_000, "--temp-dir", root, "--disable-usage-stats"),
        *("--dashboard-agent-grpc-port", agent, "--metrics-export-port", export),
        *("--runtime-env-agent-port", runtime, "--include-log-monitor", "false"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "RAY_raylet_start_wait_time_s": str(int(LONGEST))},
        )
    try:
        _wait(process, log)
        yield f"127.0.0.1:{head}"
    finally:
        _end(process)
        shutil.rmtree(root, ignore_errors=True)


def seats(*, busy: bool) -> list[psutil.Process]:
    """Return the processes of our actors here; with ``busy`` only those that have a task."""
    title = b"ray::Seat.call" if busy else b"ray::Seat"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):  # a busy one is so for a moment only
        try:
            if path.read_bytes().startswith(title):
                found.append(psutil.Process(int(path.parent.name)))
        except (OSError, psutil.NoSuchProcess):
            continue
    return found


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LONGEST
    while "Ray runtime started" not in (text := log.read_text("utf-8", "replace")):
        assert process.poll() is None, (
            f"{process.args} ended with {process.returncode}: {log.read_text()}"
        )
        assert time.monotonic() < deadline, text
        _no_dashboard_to_wait_for(process.pid)
        time.sleep(0.1)


def _no_dashboard_to_wait_for(head: int) -> None:
    """Say that the dashboard's agent has no port, as it says itself once it is up.

    Ray gives it 15 seconds, which on a loaded machine are too few, and stops without it.
    """
    for child in _children(head):
        try:
            given = dict(part.lstrip("-").split("=", 1) for part in child.cmdline() if "=" in part)
        except psutil.Error:
            continue
        if "session_dir" in given and "node_id" in given and "raylet" in child.name():
            for name in (
                "dashboard_agent_listen_port",
                "metrics_agent_port",
                "metrics_export_port",
            ):
                path = Path(given["session_dir"]) / f"{name}_{given['node_id']}"
                if not path.exists():
                    path.write_text("-1")


def _end(process: subprocess.Popen[bytes]) -> None:
    family = _children(process.pid)
    process.kill()  # asked to end, it would first drain the node, for half a minute
    process.wait()
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(family, timeout=30)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _free_ports(number: int) -> list[int]:
    sockets = [socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
