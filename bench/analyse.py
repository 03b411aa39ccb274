"""Measure what an analysis costs: start, time a report, memory. Run by `make bench`.

Every measurement runs in a process of its own. Reports are made from the example's sentences, in
another order and no two alike, so that nothing kept from one sentence helps with the next.

    python bench/analyse.py                     all, as a table
    python bench/analyse.py --json out.json     and as JSON
    python bench/analyse.py --reports 100       fewer in the long run
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLE = PROJECT / "examples" / "copper-lantern"
TTPSCRIBE = Path(sys.executable).with_name("ttpscribe")
WORDS = 2500
MEGABYTE = 1e6


@dataclass(frozen=True)
class Figure:
    """One measured figure and what it should be under, in the same unit."""

    name: str
    value: float
    unit: str
    limit: float | None = None


def reports(count: int) -> Iterator[str]:
    """Make reports of 2,500 words from the example's sentences."""
    text = EXAMPLE.with_suffix(".md").read_text(encoding="utf-8")
    sentences = re.findall(r"[A-Z][^.!?|`#]{30,}[.]", text.replace("\n", " "))
    chance = random.Random(20261122)  # noqa: S311 - the same reports every time
    for number in range(count):
        made: list[str] = []
        words = 0
        while words < WORDS:
            sentence = chance.choice(sentences)
            made.append(f"{sentence[:-1]} on host{number}x{len(made)}.")
            words += len(made[-1].split())
        paragraphs = (" ".join(made[i : i + 6]) for i in range(0, len(made), 6))
        yield "\n\n".join(paragraphs)


def timed(code: str) -> float:
    """Run a program of Python; return the last number it prints."""
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    return float(done.stdout.split()[-1])


def importing() -> Figure:
    code = "import time; t = time.perf_counter(); import engine; print(time.perf_counter() - t)"
    return Figure("import engine", statistics.median(timed(code) for _ in range(9)), "s", 0.3)


def cold(path: Path, name: str) -> Iterator[Figure]:
    seconds, peaks = [], []
    for _ in range(5):
        start = time.perf_counter()
        command = [TTPSCRIBE, "analyse", path, "--format", "json"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - start)
        peaks.append(usage.ru_maxrss * 1024 / MEGABYTE)
        if status:
            sys.exit(f"ttpscribe analyse {path} failed")
    yield Figure(f"cold start and {name}", statistics.median(seconds), "s", 3)
    yield Figure(f"peak memory, {name}", max(peaks), "MB", 500)


def warm() -> Iterator[Figure]:
    code = f"""
import sys, time
sys.path.insert(0, {str(PROJECT / "bench")!r})
from analyse import reports
from engine import Engine
from engine.documents import from_text
engine = Engine.open()
seconds = []
for text in reports(23):
    start = time.perf_counter()
    engine.analyse(from_text(text))
    seconds.append(time.perf_counter() - start)
print(*sorted(seconds[3:]))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    seconds = [float(word) for word in done.stdout.split()]
    yield Figure(f"{WORDS:,} words warm, median", statistics.median(seconds), "s", 0.5)
    yield Figure(f"{WORDS:,} words warm, slowest of {len(seconds)}", seconds[-1], "s")


def many(count: int) -> Iterator[Figure]:
    """One call with many reports: memory after a tenth of them and at the end."""
    command = [TTPSCRIBE, "analyse", "--input-format", "jsonl", "--format", "jsonl", "-"]
    process = psutil.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def feed() -> None:
        with process.stdin as pipe:
            for number, text in enumerate(reports(count)):
                pipe.write(json.dumps({"id": number, "text": text}) + "\n")

    feeder = threading.Thread(target=feed)
    start = time.perf_counter()
    feeder.start()
    memory = {}
    for number, _ in enumerate(process.stdout, start=1):
        memory[number] = process.memory_info().rss / MEGABYTE
    seconds = time.perf_counter() - start
    feeder.join()
    if process.wait() or len(memory) != count:
        sys.exit(f"ttpscribe analyse answered {len(memory)} of {count} reports")
    early, late = memory[max(count // 10, 1)], memory[count - 1]
    yield Figure(f"{count:,} reports in one call", seconds, "s")
    yield Figure("a report, of these", seconds / count, "s", 0.5)
    yield Figure(f"memory after {max(count // 10, 1):,}", early, "MB", 500)
    yield Figure("growth from there to the end", late - early, "MB", 10)
    yield Figure("most memory at any time", max(memory.values()), "MB", 500)


def measure(count: int) -> Iterator[Figure]:
    yield importing()
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "report.txt"
        text.write_text(next(reports(1)), encoding="utf-8")
        yield from cold(text, f"{WORDS:,} words")
    yield from cold(EXAMPLE.with_suffix(".pdf"), "the example PDF")
    yield from warm()
    yield from many(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=1000, help="reports in the long run")
    parser.add_argument("--json", type=Path, help="write the figures there as JSON, too")
    options = parser.parse_args()

    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}\n\n{'':38}{'measured':>12}{'limit':>10}", flush=True)
    figures = []
    for figure in measure(options.reports):
        figures.append(asdict(figure))
        limit = "" if figure.limit is None else f"{figure.limit:g} {figure.unit}"
        over = "  over" if figure.limit is not None and figure.value > figure.limit else ""
        value = f"{figure.value:.3f}" if figure.unit == "s" else f"{figure.value:.0f}"
        print(f"{figure.name:38}{value:>9} {figure.unit:2}{limit:>10}{over}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2))


if __name__ == "__main__":
    main()
