"""Who gets in, how much, and what the log says of it."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from service_rig import InThread

from engine.errors import DocumentError, UsageError
from engine.service.client import Client
from engine.service.errors import Refused, ServiceError, Unreachable
from engine.service.keys import Keys
from engine.service.logs import JsonLines
from engine.service.server import check
from engine.service.settings import ServiceSettings

NEVER = "the hidden name of the campaign"


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A service with a key, a small limit and little patience."""
    folder = tmp_path_factory.mktemp("locked")
    key = Keys(folder / "keys.json").add("first")
    with InThread(folder, max_request_mb=0.02, receive_seconds=1) as running:
        running.key = key
        yield running


def test_without_a_key_nothing_is_told_but_health(locked):
    for path in ("/v1/releases", "/v1/techniques/T1059", "/metrics"):
        answer = requests.get(locked.url + path, timeout=10)
        assert answer.status_code == 401, path
        assert "ttpscribe serve keys add" in answer.json()["error"]["message"]
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    answer = requests.post(f"{locked.url}/v1/analyse", json={"text": "x"}, timeout=10)
    assert answer.status_code == 401
    for path in ("/health", "/ready", "/openapi.json"):
        assert requests.get(locked.url + path, timeout=10).status_code == 200, path
    with pytest.raises(Refused, match="valid key"):
        Client(locked.url, "ttps_wrong", retries=0).releases()
    assert Client(locked.url, locked.key, retries=0).releases()["serving"]


def test_keys_change_while_it_runs(locked, tmp_path):
    new = locked.service.keys.add("second")
    file = tmp_path / "key"
    file.write_text(f"{locked.key}\n")
    client = Client(locked.url, key_file=file, retries=0)
    assert client.releases()
    file.write_text(new)
    assert client.releases()
    locked.service.keys.revoke("second")
    with pytest.raises(Refused):
        client.releases()


def test_a_damaged_file_of_keys_lets_nobody_in(locked):
    path = locked.settings.keys_path
    good = path.read_bytes()
    path.write_text("[]x")
    try:
        with pytest.raises(ServiceError, match="keys to the service cannot be read"):
            Client(locked.url, locked.key, retries=0).releases()
        path.unlink()
        with pytest.raises(Refused):
            Client(locked.url, retries=0).releases()
    finally:
        path.write_bytes(good)


def test_a_request_over_the_limit(locked):
    client = Client(locked.url, locked.key, retries=0)
    with pytest.raises(DocumentError, match=r"over 0\.02 MB"):
        client.analyse_file(b"x" * 30_000, "big.txt")

    def chunks():  # its length is not announced
        for _ in range(30):
            yield b"x" * 1000

    headers = {"Authorization": f"Bearer {locked.key}", "Content-Type": "application/json"}
    answer = requests.post(f"{locked.url}/v1/analyse", data=chunks(), headers=headers, timeout=10)
    assert answer.status_code == 413


def test_all_requests_together_are_bounded(locked, monkeypatch):
    """Many large requests at once do not fill the memory."""
    held = locked.held
    with monkeypatch.context() as patch:
        patch.setattr(held, "bytes", held.most - 1000)
        client = Client(locked.url, locked.key, retries=0)
        assert client.releases()
        with pytest.raises(Unreachable, match="no place free"):
            client.analyse_file(b"x" * 3000, "big.txt")
    assert client.analyse_file(b"It ran PowerShell. " * 100, "big.txt").release
    assert held.bytes == 0


def test_a_request_that_does_not_arrive(locked):
    host, port = locked.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            f"POST /v1/analyse HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {locked.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        begun = time.monotonic()
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < 5


def test_the_log_and_the_metrics_hold_no_text(locked, caplog):
    caplog.set_level(logging.DEBUG)
    client = Client(locked.url, locked.key, retries=0)
    client.analyse_file(f"{NEVER} ran PowerShell.".encode(), f"{NEVER}.txt")
    headers = {"Authorization": f"Bearer {locked.key}"}
    for body in ({"id": NEVER, "text": 1}, {"text": NEVER, NEVER: NEVER}):
        requests.post(f"{locked.url}/v1/analyse", json=body, headers=headers, timeout=10)
    requests.get(f"{locked.url}/v1/techniques/{NEVER}", headers=headers, timeout=10)
    formatter = JsonLines()
    lines = [
        json.loads(formatter.format(record))
        for record in caplog.records
        if record.name.startswith("ttpscribe")
    ]
    request = next(line for line in lines if line.get("findings") is not None)
    assert (request["status"], request["key"], request["path"]) == (200, "first", "/v1/analyse")
    assert {"request", "ms", "bytes", "release", "sentences"} <= request.keys()
    metrics = requests.get(f"{locked.url}/metrics", headers=headers, timeout=10).text
    for told in (json.dumps(lines), metrics):
        assert NEVER not in told
        assert locked.key not in told
        assert "campaign" not in told
    assert 'ttpscribe_requests_total{path="/v1/analyse",status="200"}' in metrics
    assert re.search(r"^ttpscribe_unknown_words_count [1-9]", metrics, re.MULTILINE)
    assert re.search(r"^ttpscribe_unknown_words_usual 0\.\d+$", metrics, re.MULTILINE)


def test_a_fault_is_logged_by_type_and_place_alone(running, caplog, monkeypatch):
    caplog.set_level("ERROR")  # Libraries that other tests import raise it.

    def broken(*_: object, **__: object) -> None:
        raise ValueError(NEVER)

    monkeypatch.setattr(running.service.engines.current, "analyse", broken)
    answer = requests.post(f"{running.url}/v1/analyse", json={"text": NEVER}, timeout=10)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "fault"
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
    end = time.monotonic() + 10
    while not (faults := [r for r in caplog.records if r.msg == "fault"]):
        assert time.monotonic() < end  # it is logged after the answer went out
        time.sleep(0.01)
    (record,) = faults
    line = JsonLines().format(record)
    assert json.loads(line)["fault"] == "ValueError"
    assert "broken" in line
    assert NEVER not in line


def test_a_foreign_name_for_this_machine_is_refused(running):
    """A page in a browser here could point a name of its own to 127.0.0.1."""
    answer = requests.get(
        f"{running.url}/v1/releases", headers={"Host": "evil.example.org"}, timeout=10
    )
    assert answer.status_code == 421


def test_an_address_others_reach_needs_keys(tmp_path):
    open_to_all = ServiceSettings(host="0.0.0.0", keys_file=tmp_path / "keys.json")  # noqa: S104
    with pytest.raises(UsageError, match="ttpscribe serve keys add NAME"):
        check(open_to_all)
    check(open_to_all.model_copy(update={"allow_anyone": True}))
    check(ServiceSettings(host="::1"))
    Keys(tmp_path / "keys.json").add("one")
    check(open_to_all)


def test_keys_are_hashed_and_end(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    key = keys.add("opencti")
    late = keys.add("late", datetime.now(UTC) - timedelta(seconds=1))
    assert (keys.name_of(key), keys.name_of(late), keys.name_of("")) == ("opencti", None, None)
    content = keys.path.read_text()
    assert key not in content
    assert key[5:] not in content
    assert keys.path.stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="There is a key 'opencti'"):
        keys.add("opencti")
    with pytest.raises(UsageError, match="no valid key 'misp'"):
        keys.revoke("misp")
    keys.revoke("opencti")
    assert keys.name_of(key) is None
    assert keys.name_of(keys.add("opencti")) == "opencti"


def test_a_full_disk_leaves_the_keys_as_they_were(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    key = keys.add("opencti")
    full = Keys(tmp_path / "keys.json")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # as a disk with 10 bytes left
    try:
        with pytest.raises(ServiceError, match="They are as they were before"):
            full.add("misp")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert keys.name_of(key) == "opencti"
    assert [each.name for each in keys.all()] == ["opencti"]
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
