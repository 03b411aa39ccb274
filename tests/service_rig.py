"""A real service on loopback for tests: in a thread of this process, or as ``ttpscribe serve``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from engine.service.app import build
from engine.service.gate import Gate
from engine.service.service import Service
from engine.service.settings import ServiceSettings


class InThread:
    """A service in this process, with its parts at hand."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        given = {"keys_file": tmp_path / "keys.json", "receive_seconds": 10, **settings}
        self.settings = ServiceSettings(**given)
        self.service = Service(self.settings)
        self.service.engines.open()
        app = Gate(
            build(self.service),
            settings=self.settings,
            keys=self.service.keys,
            metrics=self.service.metrics,
        )
        self.held = app._held
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on")
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> InThread:
        self._thread.start()
        end = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < end, "the service does not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "the service does not end"


class Process:
    """``ttpscribe serve`` as an admin starts it; its log lines are kept."""

    def __init__(self, environment: Mapping[str, str], port: int = 0, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("ttpscribe"), "serve", "--port", str(port), *arguments],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str, seconds: float = 180) -> dict[str, Any]:
        """Wait for a line of the log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in list(self.lines):
                if line["event"] == event:
                    return line
            assert self._process.poll() is None or self._reader.is_alive(), self.lines
            time.sleep(0.02)
        raise AssertionError(f"no {event} in {self.lines}")

    @property
    def url(self) -> str:
        return str(self.wait_for("listening")["url"])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait(10)

    def terminate(self) -> int:
        """End it as a deployment does; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(40)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(json.loads(line) if line.startswith("{") else {"event": line})


@contextmanager
def serving(environment: Mapping[str, str], port: int = 0, *arguments: str) -> Iterator[Process]:
    """Start ``ttpscribe serve`` and end it after."""
    process = Process(environment, port, *arguments)
    try:
        yield process
    finally:
        process.kill()
