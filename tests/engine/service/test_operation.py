"""The service as a process: started, drained, killed, under TLS, with another champion."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from service_rig import InThread, serving

from engine.commands.serve import serve
from engine.documents import from_text
from engine.errors import UsageError
from engine.releases import ReleaseStore, open_default, write_release
from engine.releases.manifest import ManifestDraft
from engine.service.client import Client
from engine.service.errors import Refused, ServiceError, Unreachable

TEXT = "The macro ran PowerShell and dumped LSASS memory. It deleted the shadow copies."


@pytest.fixture(scope="module")
def newer(tmp_path_factory) -> Path:
    """The shipped release under another name, with other operating points."""
    shipped = open_default()
    folder = tmp_path_factory.mktemp("newer") / "2099-01"
    shutil.copytree(shipped.path, folder)
    (folder / "manifest.json").unlink()
    draft = {name: getattr(shipped.manifest, name) for name in ManifestDraft.model_fields}
    write_release(folder, ManifestDraft(**{**draft, "name": "2099-01"}))
    return folder


class Load:
    """Clients that ask without pause, each for a text of its own, until told to stop."""

    def __init__(self, url: str, clients: int = 3) -> None:
        self.answers: list[tuple[str, str]] = []
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(Client(url, retries=8), number))
            for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, condition) -> None:
        end = time.monotonic() + 120
        while not condition(self.answers) and not self.errors:
            assert time.monotonic() < end, self.answers
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)
        assert self.errors == []

    def _ask(self, client: Client, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            text = f"{TEXT} It called host{number}x{count} by HTTPS."
            try:
                analysis = client.analyse(from_text(text))
            except BaseException as error:
                self.errors.append(error)
                return
            assert analysis.document.text == text
            self.answers.append((analysis.release, analysis.findings[0].technique))


def test_a_new_champion_is_taken_up_under_load(tmp_path, newer, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    store = ReleaseStore()
    first = store.champion_name()
    with InThread(tmp_path) as running:
        running.service.engines._every = 0.05
        load = Load(running.url)
        load.wait_for(lambda answers: len(answers) > 3)
        store.publish(newer)
        store.use("2099-01")
        load.wait_for(lambda answers: answers[-1][0] == "2099-01")
        store.rollback()
        load.wait_for(lambda answers: answers[-1][0] == first)
        load.stop()
        assert {release for release, _ in load.answers} == {first, "2099-01"}
        told = Client(running.url).releases()
        assert (told["serving"], told["champion"]) == (first, first)
        assert [r["name"] for r in told["releases"] if r["serving"]] == [first]

        # A damaged champion changes nothing but what health tells.
        model = next((store.root / "2099-01").rglob("svc.safetensors"))
        model.chmod(0o644)
        model.write_bytes(b"damaged" + model.read_bytes()[7:])
        (store.root / "champion.json").write_text(
            json.dumps([{"action": "use", "name": "2099-01", "at": "2099-01-01T00:00:00Z"}])
        )
        end = time.monotonic() + 20
        while running.service.engines.problem is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert "damaged" in running.service.engines.problem
        ready = requests.get(f"{running.url}/ready", timeout=10).json()
        assert (ready["release"], ready["champion"]) == (first, "2099-01")
        assert Client(running.url).analyse(from_text(TEXT)).release == first
        metrics = requests.get(f"{running.url}/metrics", timeout=10).text
        assert "ttpscribe_champion_problem 1.0" in metrics


def test_killed_under_load_and_started_again_nothing_is_lost(tmp_path):
    environment = {"TTPSCRIBE_SERVICE_KEYS_FILE": str(tmp_path / "keys.json")}
    with serving(environment) as first:
        port = first.port
        load = Load(first.url)
        load.wait_for(lambda answers: len(answers) > 3)
        first.kill()
    before = len(load.answers)
    with serving(environment, port) as second:
        assert second.port == port
        load.wait_for(lambda answers: len(answers) > before + 6)
        load.stop()  # no client saw an error

        # SIGTERM: what runs is still answered, then the process ends.
        found: list[object] = []
        # No two sentences alike, so that it runs for as long as it takes to see it run.
        long = " ".join(f"The actor dumped the memory of LSASS on host {n}." for n in range(600))
        ask = threading.Thread(
            target=lambda: found.append(Client(second.url, retries=0).analyse(from_text(long)))
        )
        ask.start()
        busy = f"{second.url}/metrics"
        while "requests_running 1.0" not in requests.get(busy, timeout=10).text:
            assert ask.is_alive()
        assert second.terminate() in (0, -15)
        ask.join(60)
        assert len(found) == 1
        assert any(line["event"] == "draining" for line in second.lines)
    with pytest.raises(Unreachable, match="ttpscribe serve"):
        Client(second.url, retries=0).serving()


def test_tls(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    environment = {
        "TTPSCRIBE_SERVICE_TLS_CERT": str(cert),
        "TTPSCRIBE_SERVICE_TLS_KEY": str(key),
        "TTPSCRIBE_SERVICE_TLS_MIN_VERSION": "1.3",
    }
    with serving(environment) as process:
        assert process.url.startswith("https://")
        assert Client(process.url, ca_file=cert, retries=0).serving().release
        with pytest.raises(Refused, match="is not trusted"):
            Client(process.url, retries=0).serving()
        old = ssl.create_default_context(cafile=str(cert))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        import socket

        with (
            socket.create_connection(("127.0.0.1", process.port), 10) as connection,
            pytest.raises(ssl.SSLError),
        ):
            old.wrap_socket(connection, server_hostname="127.0.0.1")


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call ``ttpscribe serve``; what it raises is what the command line prints."""
    monkeypatch.setenv("TTPSCRIBE_SERVICE_KEYS_FILE", str(tmp_path / "keys.json"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(serve, arguments, standalone_mode=False)

    return run


def test_keys_are_made_listed_and_revoked(call):
    key = call("keys", "add", "opencti", "--days", "30").stdout.strip()
    assert key.startswith("ttps_")
    listed = call("keys", "list").stdout
    assert "valid    opencti" in listed
    assert "until 20" in listed
    assert key not in listed
    assert "opencti-2" in str(call("keys", "add", "opencti").exception)
    call("keys", "revoke", "opencti")
    assert "revoked  opencti" in call("keys", "list").stdout


def test_what_would_not_work_or_let_anybody_in_does_not_start(call, monkeypatch):
    error = call("--host", "0.0.0.0").exception  # noqa: S104
    assert isinstance(error, UsageError)
    assert "ttpscribe serve keys add NAME" in str(error)
    monkeypatch.setenv("TTPSCRIBE_SERVICE_TLS_CERT", "cert.pem")
    assert "TLS needs both" in str(call().exception)
    monkeypatch.setenv("TTPSCRIBE_SERVICE_QUEUE", "many")
    monkeypatch.setenv("TTPSCRIBE_SERVICE_CORES", "-1")
    error = call().exception
    assert isinstance(error, UsageError)
    assert "TTPSCRIBE_SERVICE_QUEUE" in str(error)
    assert "TTPSCRIBE_SERVICE_CORES" in str(error)


def test_without_the_extra_it_says_what_to_install(call, monkeypatch):
    monkeypatch.delitem(sys.modules, "engine.service.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as where it is not installed
    error = call().exception
    assert isinstance(error, ServiceError)
    assert "pip install 'ttpscribe[service]'" in str(error)


def test_a_port_that_is_taken(running):
    port = running.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [Path(sys.executable).with_name("ttpscribe"), "serve", "--port", port],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == ServiceError.exit_code
    assert "Choose another address or port" in done.stderr
    assert "Traceback" not in done.stderr
