"""Trains the svc and all recommenders from many curated reports; tells time and memory.

    python bench/scale_training.py --data tram2_sentences.jsonl.gz --data procedures.jsonl.gz

The reports are put together from real sentences. A made-up name goes into each, so that hardly two
are the same and none is left out as a repetition. Each part is trained in a process of its own;
memory is that of it and its children together.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from scipy.sparse import csr_matrix

from engine.knowledge import Knowledge
from engine.recommenders import Matrix, Row, registry
from training.labels import Example, LabelledDocument, LabelSet, read
from training.svc import SvcSettings, train_svc

SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo")


def curated(labels: LabelSet, reports: int, sentences: int, seed: int = 0) -> LabelSet:
    """Return reports of real sentences, about every third of which shows a technique."""
    choice = random.Random(seed)  # noqa: S311
    shown = [e for e in labels.examples if e.techniques and 40 < len(e.text) < 500]
    plain = [e for e in labels.examples if not e.techniques and 40 < len(e.text) < 500]
    documents, examples = [], []
    for number in range(reports):
        name = f"report-{number:05d}"
        own: list[Example] = []
        start = 0
        for place in range(sentences):
            one = choice.choice(shown if place % 3 == 0 or not plain else plain)
            words = one.text.split()
            words.insert(choice.randrange(len(words)), "".join(choice.choices(SYLLABLES, k=3)))
            text = " ".join(words)
            own.append(
                Example(
                    text, one.techniques, f"{name}-{place}", name, "verdicts", fold=number % 5,
                    start=start, end=start + len(text), kind="sentence",
                )
            )  # fmt: skip
            start += len(text) + 1
        techniques = frozenset().union(*(one.techniques for one in own))
        text = "\n".join(one.text for one in own)
        documents.append(
            LabelledDocument(name, text, techniques, tuple(own), "verdicts", fold=number % 5)
        )
        examples += own
    return LabelSet(tuple(examples), tuple(documents))


def matrix(labels: LabelSet) -> Matrix:
    """Return the reports as rows for the recommenders."""
    techniques = sorted({t for document in labels.documents for t in document.techniques})
    column = {technique: number for number, technique in enumerate(techniques)}
    cells = [sorted(column[t] for t in document.techniques) for document in labels.documents]
    indptr = np.cumsum([0, *map(len, cells)])
    indices = np.concatenate(cells)
    ones = np.ones(len(indices), dtype=np.float32)
    shape = (len(cells), len(techniques))
    rows = tuple(Row(document.id) for document in labels.documents)
    return Matrix(rows, tuple(techniques), csr_matrix((ones, indices, indptr), shape=shape))


def measured(title: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Do the work in a process of its own and watch it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def body() -> None:
        begun = time.monotonic()
        theirs.send({**work(), "seconds": round(time.monotonic() - begun)})

    process = context.Process(target=body)
    process.start()
    # By process, as workers outlive the work and their time is not added to its.
    spent: dict[int, float] = {}
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            try:
                family = [psutil.Process(process.pid)]
                family += family[0].children(recursive=True)
                for one in family:
                    times = one.cpu_times()
                    spent[one.pid] = times.user + times.system
                # Shared pages are counted once.
                peak[0] = max(peak[0], sum(one.memory_full_info().pss for one in family))
            except psutil.Error:
                continue  # One of them just ended.

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.join()
    over.set()
    watcher.join()
    if process.exitcode:
        raise SystemExit(f"{title} ended with {process.exitcode}")
    told = {"cpu_s": round(sum(spent.values())), "peak_mb": round(peak[0] / 1e6)}
    result = {"part": title, **ours.recv(), **told}
    print(json.dumps(result), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--reports", type=int, default=10_000)
    parser.add_argument("--sentences", type=int, default=20, help="in each report")
    arguments = parser.parse_args()
    knowledge = Knowledge.load()
    labels = curated(read(tuple(arguments.data), knowledge), arguments.reports, arguments.sentences)
    rows = matrix(labels)

    def svc() -> dict[str, object]:
        trained = train_svc(labels, knowledge, SvcSettings())
        return {
            "reports": len(labels.documents),
            "sentences": len(labels.examples),
            "techniques": len(trained.recognizer.sentences.labels),
        }

    def recommender(name: str) -> Callable[[], dict[str, object]]:
        def fit() -> dict[str, object]:
            registry.create(name).fit(rows)
            return {"rows": rows.shape[0], "techniques": rows.shape[1]}

        return fit

    results = [measured(name, recommender(name)) for name in sorted(registry.names())]
    results.append(measured("svc", svc))
    total = sum(int(str(one["seconds"])) for one in results)
    processor = sum(int(str(one["cpu_s"])) for one in results)
    peak = max(int(str(one["peak_mb"])) for one in results)
    print(json.dumps({"part": "all", "seconds": total, "cpu_s": processor, "peak_mb": peak}))


if __name__ == "__main__":
    main()
