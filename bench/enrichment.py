"""Measure the OpenCTI connector against the double: speed, memory, and a long run with kills.

    python bench/enrichment.py                       all, about a quarter of an hour
    python bench/enrichment.py --only speed
    python bench/enrichment.py --only memory --reports 100
    python bench/enrichment.py --only kills --reports 50
    python bench/enrichment.py --only connectors --reports 60    1, 2 and 3 on one queue

Needs RabbitMQ, as the tests do. The OpenCTI server is the double of the tests; times count from
the message to the bundle in the queue, so what OpenCTI itself takes is not in them.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "bench"), str(PROJECT / "tests")]

from analyse import reports as texts  # noqa: E402
from connector_rig import CONNECTOR_ID, CONTENT, PDF_SENTENCE, STORY, Processes, Rig, pdf  # noqa: E402
from opencti_double import OpenCTIDouble, RabbitMQ, Worker  # noqa: E402
from postgres import new_database, running_server  # noqa: E402

from connector import orders  # noqa: E402
from connector.analyser import LocalAnalyser  # noqa: E402
from engine import Engine  # noqa: E402

REPORT = PROJECT / "examples" / "copper-lantern.pdf"
CONNECTORS = (1, 2, 3)
SPEED_LIMIT = 3.0  # seconds, from the message to the bundle sent


@contextmanager
def scene(broker: RabbitMQ) -> Iterator[tuple[OpenCTIDouble, Rig]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        OpenCTIDouble(broker) as platform,
        Worker(platform),
    ):
        rig = Rig(platform, f"sqlite:///{folder}/ledger.sqlite")
        try:
            yield platform, rig
        finally:
            rig.close()


def speed(broker: RabbitMQ, _: int) -> None:
    with scene(broker) as (platform, rig):
        rig.analyser = LocalAnalyser(Engine.open())
        begun: list[float] = []
        sent: list[float] = []
        used: list[float] = []
        marks = {"taken": begun, "sent": sent}
        connector = rig.open(at=lambda step: marks.get(step, []).append(time.monotonic()))
        spider = platform.create("Intrusion-Set", name="Copper Lantern")
        for number in range(6):
            report = platform.create_report(
                f"Report {number}",
                description=STORY,
                objects=[spider],
                files=[("report.pdf", REPORT.read_bytes(), "application/pdf")],
            )
            found = orders.find(connector.platform, report.id)
            before = _processor_time()
            outcome = orders.enrich(connector, found)
            used.append(_processor_time() - before)
            if outcome.failed:
                sys.exit(outcome.message)
        times = [end - start for start, end in zip(begun, sent, strict=True)][1:]
        print(f"{REPORT.name}: {outcome.message}")
        print(
            f"message to bundle sent: median {statistics.median(times):.2f} s, "
            f"most {max(times):.2f} s (to be under {SPEED_LIMIT:.0f} s)"
        )
        print(
            f"processor time of it all, double and import included: median "
            f"{statistics.median(used[1:]):.2f} s"
        )


def _processor_time() -> float:
    """Return what this process and its children have used; it tells on a busy machine, too."""
    own = psutil.Process()
    everyone = [own, *own.children(recursive=True)]
    times = [each.cpu_times() for each in everyone if "python" in each.name()]
    return float(sum(each.user + each.system for each in times))


def memory(broker: RabbitMQ, reports: int) -> None:
    with scene(broker) as (platform, rig):
        rig.ttpscribe["read_back_timeout"] = 0
        processes = Processes()
        number = processes.start(rig)
        while CONNECTOR_ID not in platform.works.connectors:
            time.sleep(0.1)
        measured = []
        for index in range(reports):
            report = platform.create_report(
                f"Report {index}",
                description=f"Case {index}. {STORY}",
                content=CONTENT,
                files=[("a.pdf", pdf(PDF_SENTENCE, f"Case {index}."), "application/pdf")],
            )
            if errors := rig.enrich(report).errors:
                sys.exit(str(errors))
            if index % max(1, reports // 10) == 0:
                measured.append(psutil.Process(number).memory_info().rss / 1e6)
                print(f"{index:>4} reports: {measured[-1]:.0f} MB", flush=True)
        processes.close()
        growth = measured[-1] - measured[len(measured) // 3]
        print(f"growth over the last two thirds: {growth:+.0f} MB")


def kills(broker: RabbitMQ, reports: int) -> None:
    chance = random.Random(20261122)  # noqa: S311 - the same kills every time
    with scene(broker) as (platform, rig):
        registered = rig.open()
        made = [
            platform.create_report(f"Report {n}", description=f"Case {n}. {STORY}")
            for n in range(reports)
        ]
        works = [platform.ask_enrichment(each, CONNECTOR_ID) for each in made]
        processes = Processes()
        running = [processes.start(rig), processes.start(rig)]
        begun, killed = time.monotonic(), 0
        # By what has been done rather than by time, so that a slow machine gets on as well.
        left = len(works)
        while left:
            aim = max(0, left - chance.randint(3, 12))
            while left > aim:
                time.sleep(chance.uniform(0.05, 0.2))
                left = sum(platform.work(each).processed_time is None for each in works)
            processes.kill(running.pop(0))
            killed += 1
            running.append(processes.start(rig))
        took = time.monotonic() - begun
        done = [rig.wait(each) for each in works]
        processes.close()
        states = [platform.state(each) for each in made]
        right = sum(
            state["techniques"] == ["T1059.001", "T1566.001"] and len(state["notes"]) == 1
            for state in states
        )
        errors = sum(len(work.errors) for work in done)
        over = registered.journal.counts()
        print(
            f"{reports} reports, {killed} kills, {took:.0f} s: {right} right, {errors} errors, "
            f"{over['waiting'] + over['taken']} left over"
        )


def connectors(broker: RabbitMQ, reports: int) -> None:
    """Reports of 500 words through competing connectors, their ledger in PostgreSQL."""
    written = words(500 * reports)
    with running_server() as server:
        for count in CONNECTORS:
            with scene(broker) as (platform, rig):
                rig.ttpscribe["ledger_url"] = new_database(server)
                processes = Processes()
                started = [processes.start(rig) for _ in range(count)]
                while CONNECTOR_ID not in platform.works.connectors:
                    time.sleep(0.1)
                cold = [platform.create_report(f"Cold {n}", description=STORY) for n in range(9)]
                for work in [platform.ask_enrichment(each, CONNECTOR_ID) for each in cold]:
                    rig.wait(work)
                made = [
                    platform.create_report(
                        f"Report {n}", description=" ".join(written[500 * n : 500 * (n + 1)])
                    )
                    for n in range(reports)
                ]
                used = sum(_spent(each) for each in started)
                begun = time.monotonic()
                works = [platform.ask_enrichment(each, CONNECTOR_ID) for each in made]
                errors = sum(len(rig.wait(each, 600).errors) for each in works)
                took = time.monotonic() - begun
                used = sum(_spent(each) for each in started) - used
                processes.close()
            print(
                f"{count} connectors: {3600 * reports / took:,.0f} reports an hour, "
                f"{used / reports:.2f} s of a processor each, {errors} errors",
                flush=True,
            )


def words(count: int) -> list[str]:
    """Return so many words of reports, no two sentences alike."""
    return " ".join(texts(1 + count // 2_500)).split()[:count]


def _spent(process: int) -> float:
    times = psutil.Process(process).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["speed", "memory", "kills", "connectors"])
    parser.add_argument("--reports", type=int)
    given = parser.parse_args()
    broker = RabbitMQ()
    broker.start()
    try:
        for measure, usual in ((speed, 5), (memory, 500), (kills, 200), (connectors, 60)):
            if given.only in (None, measure.__name__):
                measure(broker, given.reports or usual)
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
