"""The real modules server with our modules in its custom root, and a double of MISP."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from misp_double import MispDouble
from pymisp import MISPObject

from misp_module.install import RECORD, install

if TYPE_CHECKING:
    from .harvest_rig import Rig

STORY = (
    "Copper Heron sent spearphishing e-mails with a malicious attachment (T1566.001). The macro "
    "started PowerShell, which downloaded a second stage over HTTPS. The group then dumped LSASS "
    "memory with Mimikatz and created a scheduled task for persistence (T1053.005)."
)
ATTRIBUTE_UUID = "5f0f2a34-7c1e-4a3d-9d53-0a1b2c3d4e5f"
TRIVIAL = """
mispattributes = {"input": ["text"], "format": "misp_standard"}
def handler(q=False): return {"results": {}}
def introspection(): return mispattributes
def version(): return {"version": "1", "module-type": ["expansion"], "config": []}
"""


class ModulesServer:
    """A running misp-modules."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, root: Path, log: Path) -> None:
        self.process = psutil.Process(process.pid)
        self.url = f"http://127.0.0.1:{port}"
        self.root = root
        self.log = log

    def query(self, body: Mapping[str, Any], timeout: float = 10.0) -> dict[str, Any]:
        """Ask as MISP does, with its time-out."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/query",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return json.loads(response.read())

    def ask(self, body: Mapping[str, Any], attempts: int = 20) -> dict[str, Any]:
        """Click again as long as the answer says so."""
        for _ in range(attempts):
            answer = self.query(body)
            if "Ask again" not in answer.get("error", ""):
                return answer
        raise AssertionError("still not ready")

    def modules(self) -> dict[str, dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/modules", timeout=1) as response:  # noqa: S310
            return {module["name"]: module for module in json.loads(response.read())}

    def worker(self) -> psutil.Process | None:
        return next(iter(self.process.children()), None)


@contextmanager
def serve(root: Path, environment: Mapping[str, str] | None = None) -> Iterator[ModulesServer]:
    binary = Path(__file__).parents[2] / ".venv-misp" / "bin" / "misp-modules"
    if not binary.exists():
        pytest.fail("The real modules server is not there: run make install.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = root / "server.log"
    # As few variables as a service has: nothing of this virtual environment.
    kept = {k: v for k, v in os.environ.items() if k in ("HOME", "TTPSCRIBE_DATA_DIR", "LANG")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [binary, "-l", "127.0.0.1", "-p", str(port), "-c", str(root)],
            stdout=out,
            stderr=out,
            env={**kept, "PATH": "/usr/bin:/bin", **(environment or {})},
        )
    server = ModulesServer(process, port, root, log)
    try:
        for _ in range(1200):
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
        yield server
    finally:
        children = server.process.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        _, alive = psutil.wait_procs(children, 5)
        assert not alive, "the worker outlives the server"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("modules")
    install(root)
    return root


@pytest.fixture(scope="session")
def server(root: Path) -> Iterator[ModulesServer]:
    """One server without a MISP key, with the release that ships, warm."""
    with serve(root, {"TTPSCRIBE_MISP_FETCH_NETWORKS": "127.0.0.2/32"}) as server:
        server.ask(hover("Warm (T1566)."), attempts=100)
        yield server


@pytest.fixture(scope="session")
def stand_in_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose worker does what the text says: sleep, crash, hang."""
    root = tmp_path_factory.mktemp("stand-in")
    install(root)
    command = [sys.executable, str(Path(__file__).with_name("stand_in_worker.py"))]
    (root / RECORD).write_text(json.dumps({"command": command, "version": "0"}))
    (root / "expansion" / "trivial_module.py").write_text(TRIVIAL)
    return root


@pytest.fixture
def misp() -> Iterator[MispDouble]:
    with MispDouble() as double:
        yield double
    assert double.unknown == []


@pytest.fixture
def instance_environment(
    misp: MispDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """The variables that name the double, set for this process too."""
    from misp_module import instance, settings
    from misp_module.harvesting import settings as harvest_settings

    variables = {
        "TTPSCRIBE_MISP_URL": misp.url,
        "TTPSCRIBE_MISP_KEY": misp.bot.key,
        "TTPSCRIBE_DATA_DIR": str(tmp_path / "data"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    caches = (settings.load, harvest_settings.load, instance.connect)
    for cache in caches:
        cache.cache_clear()
    yield variables
    for cache in caches:
        cache.cache_clear()


def attribute(value: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """An attribute as MISP sends it."""
    return {
        "id": "1204", "event_id": "17", "object_id": "0", "object_relation": None,
        "category": "Other", "type": kind, "value1": value, "value2": "", "to_ids": False,
        "uuid": ATTRIBUTE_UUID, "timestamp": "1763800000", "distribution": "5",
        "sharing_group_id": "0", "comment": "", "deleted": False, "disable_correlation": False,
        "first_seen": None, "last_seen": None, "value": value, **more,
    }  # fmt: skip


def enrich(value: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """The interface: enrich an attribute."""
    config = {
        "operating_point": None, "inferences": None, "event_report": None, "tag_event": None,
        "local_tags": None, "fetch_links": None, **more.pop("config", {}),
    }  # fmt: skip
    return {
        "module": "ttpscribe_attack",
        "attribute": attribute(value, kind, **more),
        "event_id": "17",
        "config": config,
    }


def hover(value: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"module": "ttpscribe_attack", "attribute": attribute(value, kind), "config": {}, **more}


def importing(data: bytes, name: str | None = "report.pdf", **config: Any) -> dict[str, Any]:
    body = {
        "module": "ttpscribe_import",
        "event_id": "17",
        "config": config,
        "data": base64.b64encode(data).decode(),
    }
    return body if name is None else {**body, "filename": name}


def techniques(answer: Mapping[str, Any]) -> list[str]:
    """The techniques of an answer's objects, in their order."""
    objects = answer["results"].get("Object", [])
    names = [o["Attribute"][0]["value"] for o in objects if o["name"] == "attack-pattern"]
    return [name.split()[0] for name in names]


def tags(element: Mapping[str, Any]) -> list[str]:
    return [tag["name"] for tag in element.get("Tag", [])]


def check_answer(answer: Mapping[str, Any]) -> None:
    """What MISP needs of every answer, or it drops parts silently."""
    results = answer["results"]
    assert results["Object"], "without an object, MISP's simple parser drops tags and reports"
    assert answer["comment"].startswith("ttpscribe")
    for values in results["Object"]:
        element = MISPObject(values["name"], strict=True)
        element.from_dict(**values)
        element.to_json(strict=True)  # PyMISP's check of required relations and of their types
        assert values["comment"].startswith("ttpscribe")
        for one in values["Attribute"]:
            assert one["comment"].startswith("ttpscribe")
            assert one["disable_correlation"] is True
            assert one["to_ids"] is False
    for report in results.get("EventReport", []):
        assert report["distribution"] in (5, "5")
        assert report["sharing_group_id"] in (0, "0")
    assert set(results) <= {"Object", "Tag", "EventReport", "comment"}


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def rig(misp: MispDouble, instance_environment: dict[str, str]) -> Iterator[Rig]:
    """The double with a ledger, and the harvester between them."""
    from engine.ledger import Ledger

    from .harvest_rig import Answers, Rig

    with Ledger.open() as ledger:
        yield Rig(misp, ledger, Answers())


@pytest.fixture
def set_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set variables of ttpscribe by the end of their names, or unset them with None."""
    from misp_module import settings
    from misp_module.harvesting import settings as harvest_settings

    def change(**values: str | None) -> None:
        for name, value in values.items():
            variable = f"TTPSCRIBE_MISP_{name.upper()}"
            monkeypatch.delenv(variable, raising=False)
            if value is not None:
                monkeypatch.setenv(variable, value)
        settings.load.cache_clear()
        harvest_settings.load.cache_clear()

    return change
