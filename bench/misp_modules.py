"""Measure what the modules server of MISP costs and how it answers, with the release that ships.

Starts the real misp-modules of ``.venv-misp`` with our modules in a root of their own.

    python bench/misp_modules.py                as a table
    python bench/misp_modules.py --json         as JSON
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import random
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pypdfium2

from misp_module.install import install

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLE = PROJECT / "examples" / "copper-lantern"
SERVER = PROJECT / ".venv-misp" / "bin" / "misp-modules"
TRIVIAL = """
mispattributes = {"input": ["text"], "format": "misp_standard"}
def handler(q=False): return {"results": {}}
def introspection(): return mispattributes
def version(): return {"version": "1", "module-type": ["expansion"], "config": []}
"""
AT_ONCE = 10
RETRY = ("Ask again", "The next call starts a new one")


class Server:
    """A running misp-modules."""

    def __init__(self, process: psutil.Process, url: str) -> None:
        self.process = process
        self.url = url

    def get(self, path: str, body: dict[str, Any] | None = None, timeout: float = 60) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data)  # noqa: S310
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return json.loads(response.read())

    def click(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Ask until the answer is there; return how often it took."""
        for clicks in range(1, 100):
            answer = self.get("/query", body)
            if not any(words in str(answer.get("error")) for words in RETRY):
                return clicks, answer
        raise SystemExit("no answer")


@contextmanager
def serve() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        install(root)
        (root / "expansion" / "trivial_module.py").write_text(TRIVIAL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {**os.environ, "TTPSCRIBE_DATA_DIR": str(root / "data")}
        command = [SERVER, "-l", "127.0.0.1", "-p", str(port), "-c", str(root)]
        log = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
            try:
                while True:
                    try:
                        socket.create_connection(("127.0.0.1", port), 0.2).close()
                        break
                    except OSError:
                        time.sleep(0.05)
                yield Server(psutil.Process(process.pid), f"http://127.0.0.1:{port}")
            finally:
                process.terminate()


def text(number: int, words: int) -> str:
    """Sentences of the example in another order, no two texts alike."""
    whole = EXAMPLE.with_suffix(".md").read_text(encoding="utf-8").replace("\n", " ")
    sentences = re.findall(r"[A-Z][^.!?|`#]{30,}[.]", whole)
    chance, made = random.Random(number), []  # noqa: S311 - the same texts every time
    while sum(len(each.split()) for each in made) < words:
        made.append(f"{chance.choice(sentences)[:-1]} on host{number}x{len(made)}.")
    return " ".join(made)


def ten_pages() -> bytes:
    source, target = pypdfium2.PdfDocument(EXAMPLE.with_suffix(".pdf")), pypdfium2.PdfDocument.new()
    target.import_pages(source)
    target.import_pages(source, [0, 1, 2, 3])
    buffer = io.BytesIO()
    target.save(buffer)
    return buffer.getvalue()


def enrich(value: str, **more: Any) -> dict[str, Any]:
    kind = "attachment" if "data" in more else "text"
    attribute = {"type": kind, "value": value, "uuid": f"{abs(hash(value)):032x}"[:32], **more}
    return {"module": "ttpscribe_attack", "attribute": attribute, "event_id": "17", "config": {}}


def hover(value: str) -> dict[str, Any]:
    body = enrich(value)
    del body["event_id"]
    return body


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.monotonic()
    result = call()
    return time.monotonic() - start, result


def measure(server: Server) -> Iterator[tuple[str, float, str, float | None]]:
    """Yield name, value, unit, and the limit where there is one."""
    listing, _ = timed(lambda: server.get("/modules"))
    yield "memory before the first call", server.process.memory_info().rss / 1e6, "MB", 120
    yield "/modules, idle", listing, "s", 1
    cold, (clicks, _) = timed(lambda: server.click(hover(text(0, 40))))
    yield "first answer, cold", cold, "s", None
    yield "clicks until then", clicks, "", None
    hovers = [timed(lambda n=n: server.get("/query", hover(text(n, 40))))[0] for n in range(1, 8)]
    yield "hover, warm, median of 7", statistics.median(hovers), "s", 2
    yield "hover, warm, slowest of 7", max(hovers), "s", None
    data = base64.b64encode(ten_pages()).decode()
    took, (clicks, _) = timed(lambda: server.click(enrich("report.pdf", data=data)))
    yield "10-page PDF, enriched", took, "s", 8
    yield "clicks until then", clicks, "", None

    bodies = [enrich(text(100 + number, 2500)) for number in range(AT_ONCE)]
    listings, trivial, done = [], [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            listings.append(timed(lambda: server.get("/modules"))[0])
            trivial.append(timed(lambda: server.get("/query", {"module": "trivial_module"}))[0])
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    with ThreadPoolExecutor(AT_ONCE) as clicks_at_once:
        watcher.start()
        answers = list(clicks_at_once.map(lambda b: timed(lambda: server.get("/query", b)), bodies))
        took, _ = timed(lambda: [server.click(body) for body in bodies])
        done.set()
        watcher.join()
    yield f"{AT_ONCE} reports at once: slowest call", max(t for t, _ in answers), "s", 10
    late = sum("error" in answer for _, answer in answers)
    yield "of them told to ask again", late, "", None
    yield "until all are answered, at further clicks", took, "s", None
    yield "/modules meanwhile, slowest", max(listings), "s", 1
    yield "a trivial module meanwhile, slowest", max(trivial), "s", 1
    yield "memory of the server after all", server.process.memory_info().rss / 1e6, "MB", None
    worker = server.process.children()[0]
    yield "memory of the worker", worker.memory_info().rss / 1e6, "MB", None
    worker.kill()
    took, _ = timed(lambda: server.click(hover(text(999, 40))))
    yield "answer after the worker was killed", took, "s", None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    with serve() as server:
        figures = list(measure(server))
    if as_json:
        print(json.dumps([dict(zip(("name", "value", "unit", "limit"), f, strict=True))
                          for f in figures], indent=2))  # fmt: skip
        return
    for name, value, unit, limit in figures:
        shown = "" if limit is None else f"   (under {limit:g} {unit})"
        print(f"{name:45} {value:8.2f} {unit}{shown}")


if __name__ == "__main__":
    main()
