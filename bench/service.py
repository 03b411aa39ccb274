"""Measure the engine service under load, on loopback: `ttpscribe serve` and clients beside it.

Reports are made from the example's sentences, no two alike, so that nothing is answered from
memory: notes of three sentences, texts of 400 and of 2,500 words, lists of sentences, and HTML
files. The same mix goes to the engine in process, to the service from one client, and from many.

    python bench/service.py                          two minutes and a half
    python bench/service.py --clients 16 --seconds 60 --json out.json
    python bench/service.py --only many --seconds 240    whether memory levels off
    python bench/service.py --only replicas --seconds 20    one with one core, two with one each
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from service_rig import Process, serving  # noqa: E402

EXAMPLE = PROJECT / "examples" / "copper-lantern.md"
# Sentences of a report, and how often it comes.
MIX = (("note", 3, 5), ("text", 25, 4), ("sentences", 25, 3), ("html", 60, 2), ("long", 130, 2))


SLICES = 12


@dataclass(frozen=True)
class Report:
    kind: str
    sentences: list[str]

    def request(self) -> dict[str, Any]:
        if self.kind == "html":
            page = "".join(f"<p>{sentence}</p>" for sentence in self.sentences)
            return {"files": {"file": ("report.html", f"<html><body>{page}</body></html>")}}
        if self.kind == "sentences":
            return {"json": {"sentences": self.sentences}}
        return {"json": {"text": " ".join(self.sentences)}}


def reports(seed: int) -> Iterator[Report]:
    """Make reports without end; the same seed gives the same ones."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("\n", " ")
    known = re.findall(r"[A-Z][^.!?|`#]{30,}[.]", text)
    chance = random.Random(seed)  # noqa: S311 - the same reports every time
    kinds = [(kind, size) for kind, size, often in MIX for _ in range(often)]
    for number in itertools.count():
        kind, size = chance.choice(kinds)
        chosen = (chance.choice(known)[:-1] for _ in range(size))
        yield Report(kind, [f"{one} on host{seed}x{number}x{n}." for n, one in enumerate(chosen)])


@dataclass
class Run:
    """What one run did."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    sentences: int = 0
    processor: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return self.sentences / self.seconds

    def figures(self) -> dict[str, float]:
        cuts = statistics.quantiles(self.times, n=20)
        return {
            "reports": len(self.times),
            "reports a second": len(self.times) / self.seconds,
            "sentences a second": self.rate,
            "processor time of 1,000 sentences (s)": 1000 * self.processor / self.sentences,
            "p50 (s)": statistics.median(self.times),
            "p95 (s)": cuts[18],
            "slowest (s)": max(self.times),
        }


def in_process(seconds: float) -> Run:
    from engine import Engine
    from engine.documents import from_sentences, from_text, read_bytes

    engine = Engine.open()

    def read(report: Report) -> Any:
        if report.kind == "html":
            return read_bytes(report.request()["files"]["file"][1].encode(), "report.html")
        if report.kind == "sentences":
            return from_sentences(report.sentences)
        return from_text(" ".join(report.sentences))

    engine.analyse(read(next(reports(999))))
    run = Run()
    begun, used = time.perf_counter(), spent(psutil.Process())
    for report in reports(1000):
        start = time.perf_counter()
        engine.analyse(read(report))
        run.times.append(time.perf_counter() - start)
        run.sentences += len(report.sentences)
        run.seconds = time.perf_counter() - begun
        if run.seconds > seconds and len(run.times) > 1:
            run.processor = spent(psutil.Process()) - used
            return run
    raise AssertionError


def spent(process: psutil.Process) -> float:
    """Return the processor time of a process and its parsers, in seconds."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def over_http(services: Sequence[Process], clients: int, seconds: float, first_seed: int) -> Run:
    """Let clients ask without pause, each of one of the services."""
    urls = [each.url for each in services]
    used = sum(spent(psutil.Process(each.pid)) for each in services)
    run, lock, end = Run(), threading.Lock(), time.perf_counter() + seconds

    def client(seed: int, url: str) -> None:
        with requests.Session() as session:
            for report in reports(seed):
                start = time.perf_counter()
                if start > end:
                    return
                try:
                    answer = session.post(f"{url}/v1/analyse", timeout=120, **report.request())
                    status = str(answer.status_code)
                except requests.RequestException as error:
                    status = type(error).__name__
                taken = time.perf_counter() - start
                with lock:
                    run.statuses[status] += 1
                    if status == "200":
                        run.times.append(taken)
                        run.sentences += len(report.sentences)

    threads = [
        threading.Thread(target=client, args=(first_seed + n, urls[n % len(urls)]))
        for n in range(clients)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.seconds = time.perf_counter() - begun
    run.processor = sum(spent(psutil.Process(each.pid)) for each in services) - used
    return run


def replicas(clients: int, seconds: float) -> None:
    """Measure one service on one core, then two, each on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    for count in (1, 2):
        with ExitStack() as stack:
            data = stack.enter_context(tempfile.TemporaryDirectory())
            services = []
            for core in cores[:count]:
                os.sched_setaffinity(0, {core})  # what is started now stays there
                services.append(stack.enter_context(serving({"TTPSCRIBE_DATA_DIR": data})))
                os.sched_setaffinity(0, cores)
            over_http(services, 2 * count, 2, 1)  # warm
            run = over_http(services, clients, seconds, 2000)
        table(f"{count} replicas, {clients} clients", run.figures())
        print("statuses:", dict(run.statuses))


def memory(process: psutil.Process, every: float, ended: threading.Event) -> list[float]:
    """Read the memory of the service and its parsers until it ends, in MB."""
    found = []
    while not ended.wait(every):
        family = [process, *process.children(recursive=True)]
        found.append(sum(one.memory_info().rss for one in family if one.is_running()) / 1e6)
    return found


def _parts(values: list[float], number: int) -> list[list[float]]:
    length = max(1, len(values) // number)
    return [values[start : start + length] for start in range(0, len(values), length)]


def table(title: str, figures: dict[str, float]) -> None:
    told = ", ".join(f"{name} {value:,.2f}".removesuffix(".00") for name, value in figures.items())
    print(f"{title}: {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60, help="of the run with many clients")
    parser.add_argument("--only", choices=["many", "replicas"], help="this alone")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    load = [round(one, 1) for one in os.getloadavg()]
    print(f"{os.cpu_count()} cores, load before {load}", flush=True)

    if options.only == "replicas":
        replicas(options.clients, options.seconds)
        return
    runs: dict[str, Run] = {}
    if options.only is None:
        runs["in process"] = in_process(options.seconds / 2)
        table("in process", runs["in process"].figures())
    with tempfile.TemporaryDirectory() as data, serving({"TTPSCRIBE_DATA_DIR": data}) as it:
        process = psutil.Process(it.pid)
        over_http([it], 1, 2, 1)  # warm
        if options.only is None:
            runs["one client"] = over_http([it], 1, options.seconds / 2, 2000)
            table("one client", runs["one client"].figures())
        readings: list[float] = []
        ended = threading.Event()
        watch: Callable[[], None] = lambda: readings.extend(  # noqa: E731
            memory(process, options.seconds / 120, ended)
        )
        watcher = threading.Thread(target=watch)
        watcher.start()
        many = over_http([it], options.clients, options.seconds, 3000)
        ended.set()
        watcher.join()
        table(f"{options.clients} clients", many.figures())
    result = {f"against {name}": many.rate / run.rate for name, run in runs.items()}
    if result:
        table("so", result)
    slices = [max(part) for part in _parts(readings[1:], SLICES)]
    print("memory, at most in each slice (MB):", ", ".join(f"{most:.0f}" for most in slices))
    print("statuses:", dict(many.statuses))
    if options.json:
        whole = {
            **{name: run.figures() for name, run in runs.items()},
            f"{options.clients} clients": many.figures(),
            "so": result,
            "memory (MB)": slices,
            "statuses": dict(many.statuses),
            "load before": load,
        }
        options.json.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    if bad := {status: n for status, n in many.statuses.items() if status not in ("200", "429")}:
        sys.exit(f"errors: {bad}")


if __name__ == "__main__":
    main()
