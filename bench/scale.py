"""Measure how the cost grows: with sentences, techniques, reports, workers and the ledger.

    python bench/scale.py                                   all, about ten minutes on two cores
    python bench/scale.py --only sentences
    python bench/scale.py --json scale.json --plot docs/images/scale.svg

Costs are seconds of processor time, which a busy machine hardly changes; only what workers reach
together is by the clock, and the machine's load is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "bench"), str(PROJECT / "tests")]

from analyse import reports  # noqa: E402

from engine import Engine  # noqa: E402
from engine.documents import from_text  # noqa: E402
from engine.ledger import Enrichment, Ledger, Written  # noqa: E402
from engine.recognizers.svc import SvcRecognizer  # noqa: E402
from engine.scale import Crew, LocalWorkers  # noqa: E402
from engine.scale.analysing import Identity, Lines, Options, Reading  # noqa: E402

WORDS = (250, 500, 1_000, 2_500, 5_000, 10_000)
SHARES = (0.25, 0.5, 1, 2, 4)
TECHNIQUES_A_REPORT = 15
Row = dict[str, Any]


def text_of(words: int) -> str:
    """Return a text of so many words, no two sentences alike."""
    whole = " ".join(reports(1 + words // 2_500))
    return " ".join(whole.split()[:words])


def cpu(work: Callable[[], object], times: int = 11) -> float:
    """Return the processor seconds of one call: the least of some, as others only add to it."""
    work()
    seconds = []
    for _ in range(times):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def sentences(engine: Engine) -> Iterator[Row]:
    """From short notes to books: processor time of an analysis, and of its parts."""
    for words in WORDS:
        text = text_of(words)
        document = from_text(text)
        parts: dict[str, list[float]] = {}

        def part(name: str, work: Callable[[], Any], parts: Any = parts) -> Any:
            begun = time.process_time()
            result = work()
            parts.setdefault(name, []).append(time.process_time() - begun)
            return result

        for _ in range(4):
            part("splitting", partial(from_text, text))
            found = [part(one.name, partial(one.recognize, document)) for one in engine.recognizers]
            part("fusion", partial(engine.fusion.score, document, found))
            part("total", partial(engine.analyse, document))
        medians = {name: sorted(seconds[1:])[1] for name, seconds in parts.items()}
        yield {"words": words, "sentences": len(document.sentences)} | medians


def techniques(engine: Engine) -> Iterator[Row]:
    """With fewer techniques, and with each several times: the svc's processor time."""
    document = from_text(text_of(2_500))
    (svc,) = (one for one in engine.recognizers if isinstance(one, SvcRecognizer))
    model = svc.sentences
    for share in SHARES:
        chosen = np.arange(int(len(model.labels) * share)) % len(model.labels)
        larger = replace(
            model,
            labels=tuple(f"T{9000 + n}" for n in range(len(chosen))),
            weights=model.weights[:, chosen].tocsr(),
            **{name: getattr(model, name)[chosen] for name in ("bias", "slope", "offset")},
        )
        other = SvcRecognizer(svc.tfidf, larger, svc.documents)
        yield {"techniques": len(chosen), "svc": cpu(partial(other.recognize, document))}


def workers(engine: Engine, count: int = 40) -> Iterator[Row]:
    """Reports of 2,500 words through a crew of processes: an hour's reports, and their cost."""
    setup = Lines(Identity.of(engine), Options())
    tasks = [
        Reading(bytes([n]), partial(from_text, text, str(n)), str(n), n)
        for n, text in enumerate(reports(count))
    ]
    for size in (1, 2, 4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with Crew(LocalWorkers(size), setup) as crew:
            crew.ready()
            for _, future in crew.each(tasks[: 2 * size]):  # all are up, none is cold
                future.result()
            begun = time.monotonic()
            for _, future in crew.each(tasks):
                future.result()
            took = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        yield {
            "workers": size,
            "reports an hour": 3600 * count / took,
            "cpu a report": spent / (count + 2 * size),
            "largest MB": after.ru_maxrss / 1000,
            "load": os.getloadavg()[0],
        }


def ledger(_engine: Engine, count: int = 1_000) -> Iterator[Row]:
    """Enrichments into a ledger that grows: processor time, rows and bytes of each."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "ledger.sqlite"
        yield from _fill("SQLite", f"sqlite:///{path}", count, lambda: path.stat().st_size)
        import psycopg
        from postgres import running_server

        try:
            home = stack.enter_context(running_server())
        except BaseException as error:  # pytest's skip is no Exception
            print(f"PostgreSQL is left out: {error}", file=sys.stderr)
            return
        url = f"postgresql+psycopg://ledger@/postgres?host={home}"
        with psycopg.connect(host=str(home), user="ledger", dbname="postgres") as asking:
            asking.autocommit = True

            def size() -> int:
                row = asking.execute("SELECT pg_database_size('postgres')").fetchone()
                return int(row[0]) if row else 0

            for writers in (1, 4):
                yield from _fill(f"PostgreSQL, {writers} at once", url, count, size, writers)


def _fill(
    name: str, url: str, count: int, size: Callable[[], int], writers: int = 1
) -> Iterator[Row]:
    with Ledger.open(url) as opened:
        _enter(opened, 20)
        begun, spent = time.monotonic(), time.process_time()
        first = size()
        threads = [
            threading.Thread(target=_enter, args=(opened, count // writers)) for _ in range(writers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - begun
        yield {
            "ledger": name,
            "enrichments a second": count / took,
            "cpu ms": 1000 * (time.process_time() - spent) / count,
            "bytes": (size() - first) / count,
            "load": os.getloadavg()[0],
        }


def _enter(opened: Ledger, count: int) -> None:
    """Enter what an enrichment with fifteen techniques does."""
    for _ in range(count):
        identifier = uuid.uuid4().hex
        with opened.transaction():
            opened.begin_enrichment(
                Enrichment(
                    platform="opencti", report=identifier, digest=identifier, release="2026-11",
                    attack_version="18.1", operating_point="balanced", digests={}, id=identifier,
                ),
                {},
            )  # fmt: skip
            opened.record_written(
                *(
                    Written(
                        enrichment=identifier, kind="ref", technique=f"T{1000 + n}",
                        object=f"attack-pattern--{uuid.uuid4()}", probability=0.9,
                        recognizer="svc", evidence="The actor did what is described. " * 5,
                        source="report.pdf", page=1,
                    )
                    for n in range(TECHNIQUES_A_REPORT)
                )
            )  # fmt: skip


MEASURES = {
    "sentences": sentences, "techniques": techniques, "workers": workers, "ledger": ledger,
}  # fmt: skip


def draw(found: dict[str, list[Row]], path: Path) -> None:
    """Draw what was measured, a panel each."""
    from matplotlib.figure import Figure

    panels: dict[str, Callable[[Any, list[Row]], None]] = {
        "sentences": _draw_sentences, "techniques": _draw_techniques, "workers": _draw_workers,
    }  # fmt: skip
    shown = [name for name in panels if name in found]
    figure = Figure(figsize=(3.2 * len(shown), 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        panels[name](axes, found[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_sentences(axes: Any, rows: list[Row]) -> None:
    x = [row["sentences"] for row in rows]
    axes.loglog(x, [row["total"] for row in rows], "o-", color="black", label="all")
    for name in [name for name in rows[0] if name not in {"words", "sentences", "total"}]:
        axes.loglog(x, [row[name] for row in rows], ".-", label=name)
    axes.set(xlabel="sentences of a report", ylabel="processor seconds")
    axes.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))


def _draw_techniques(axes: Any, rows: list[Row]) -> None:
    axes.plot([row["techniques"] for row in rows], [1000 * row["svc"] for row in rows], "o-")
    axes.set(xlabel="techniques of the svc", ylabel="processor ms, 2,500 words", ylim=0)


def _draw_workers(axes: Any, rows: list[Row]) -> None:
    axes.plot([row["workers"] for row in rows], [row["reports an hour"] for row in rows], "o-")
    axes.set(xlabel=f"workers on {os.cpu_count()} cores", ylabel="reports an hour", ylim=0)
    axes.set_xticks([row["workers"] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(MEASURES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a panel for each measure that was made")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    engine = Engine.open()
    found: dict[str, list[Row]] = {}
    for name, measure in MEASURES.items():
        if given.only not in (None, name):
            continue
        found[name] = []
        for row in measure(engine):
            found[name].append(row)
            shown = "  ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in row.items()
            )
            print(f"{name}: {shown}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    if given.plot:
        draw(found, given.plot)


if __name__ == "__main__":
    main()
