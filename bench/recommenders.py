"""Times the recommenders, shows how their cost grows, and sets them beside TIE's way.

    python bench/recommenders.py --data tie_reports.jsonl.gz
    python bench/recommenders.py --only growth --recommender hybrid --recommender wals

Each measurement runs in a process of its own, so that peak memory is that of one fit.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from engine.recommenders import Matrix, Row, registry

# Reports and techniques; the density stays that of TIE's matrix.
GROWTH = ((1_000, 600), (10_000, 600), (100_000, 600), (10_000, 2_000), (100_000, 2_000))
DENSITY = 0.0146


def synthetic(rows: int, techniques: int, seed: int = 0) -> Matrix:
    """Reports of 20 kinds with skewed popularity, at TIE's density."""
    generator = np.random.default_rng(seed)
    sizes = generator.geometric(1 / (DENSITY * techniques), rows).clip(1, techniques // 4)
    weight = 1.0 / np.arange(2, techniques + 2) ** 0.8
    kinds = [weight * generator.permutation(weight) ** 0.5 for _ in range(20)]
    chances = [np.cumsum(kind / kind.sum()) for kind in kinds]
    columns = [
        np.unique(np.searchsorted(chances[kind], generator.random(size)))
        for kind, size in zip(generator.integers(20, size=rows), sizes, strict=True)
    ]
    indptr = np.cumsum([0, *map(len, columns)])
    indices = np.concatenate(columns).clip(max=techniques - 1)
    data = np.ones(len(indices), dtype=np.float32)
    return Matrix(
        tuple(Row(f"r{number}") for number in range(rows)),
        tuple(f"T{number:05}" for number in range(techniques)),
        csr_matrix((data, indices, indptr), shape=(rows, techniques)),
    )


def measure(name: str, matrix: Matrix, repeats: int) -> dict[str, object]:
    """Time fits and single answers; memory is the peak of this whole process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    registry.create(name).fit(synthetic(50, 200))  # imports torch or implicit where needed
    fits, processor = [], []
    for _ in range(repeats):
        started, spent = time.perf_counter(), time.process_time()
        model = registry.create(name).fit(matrix)
        fits.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    answers = []
    for row in range(50):
        columns = matrix.weights[row].indices[:10]
        observed = {matrix.techniques[column]: 1.0 for column in columns}
        started = time.perf_counter()
        model.recommend(observed, 20)
        answers.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "recommender": name,
        "rows": matrix.shape[0],
        "techniques": matrix.shape[1],
        "cells": int(matrix.weights.nnz),
        "fit_s": round(statistics.median(fits), 3),
        "fit_cpu_s": round(statistics.median(processor), 3),
        "answer_ms": round(1000 * statistics.median(answers), 2),
        "peak_mb": round(peak / 1024),
        "before_mb": round(before / 1024),
    }


def in_process(*arguments: object) -> None:
    """Run one measurement of this file in a fresh process and print what it prints."""
    subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True)


def tie_way(X: csr_matrix, k: int = 4, epochs: int = 25, c: float = 0.024) -> np.ndarray:
    """Item factors by one small solve a row and epoch, without the confidence weight.

    What the Technique Inference Engine computes: an observed cell is counted once more in the
    matrix to be inverted, but its weight (1/c - 1) is left out there and on the other side.
    """
    generator = np.random.default_rng(0)
    V = generator.normal(size=(X.shape[1], k))
    P = X.toarray()

    def update(V: np.ndarray, data: np.ndarray) -> np.ndarray:
        gram = V.T @ V
        factors = np.empty((len(data), k))
        for row, values in enumerate(data):
            confidence = np.where(values > 0, 1 / c, 1)
            product = np.zeros((k, k))
            for index in np.flatnonzero(confidence - 1):
                product += np.outer(V[index], V[index])
            factors[row] = np.linalg.inv(gram + product + 0.01 * np.eye(k)) @ V.T @ values
        return factors

    for _ in range(epochs):
        U = update(V, P)
        V = update(U, P.T)
    return V


def beside_tie(data: list[Path]) -> None:
    """Fit TIE's way and ours on the same folds; print CPU time, NDCG@20 and the ratios."""
    from engine.knowledge import Knowledge
    from training.recommenders import build_matrix, evaluate, metrics, new_report_folds
    from training.recommenders.evaluate import observed_matrix, observed_or_parent

    folds = list(new_report_folds(build_matrix(data, Knowledge.load())))
    seconds, found = [], []
    for fold in folds:
        X = (fold.train.weights > 0).astype(np.float64)
        started = time.process_time()
        V = tie_way(X)
        seconds.append(time.process_time() - started)
        shown = observed_matrix(fold.cases, X.shape[1])
        gram = V.T @ V + 0.01 * np.eye(V.shape[1])
        scores = [V @ np.linalg.solve(gram + V[x > 0].T @ V[x > 0], V.T @ x) for x in shown]
        excluded = observed_or_parent(shown, fold.train.techniques)
        ranked = metrics.rank(np.array(scores, dtype=np.float32), excluded, 20)
        found.append(metrics.ndcg_at_k(ranked, [case.hidden for case in fold.cases], 20))
    theirs, ndcg = float(np.mean(seconds)), float(np.concatenate(found).mean())
    report("TIE's way", theirs, ndcg)
    for name in ("wals", "ease", "hybrid"):
        seconds = []
        for fold in folds:
            registry.create(name).fit(synthetic(50, 200))  # imports what the fit needs
            started = time.process_time()
            registry.create(name).fit(fold.train)
            seconds.append(time.process_time() - started)
        ours = float(np.mean(evaluate(name, folds).ndcg[20]))
        spent = float(np.mean(seconds))
        report(name, spent, ours, times_faster=theirs / spent, times_ndcg=ours / ndcg)


def report(name: str, seconds: float, ndcg: float, **ratios: float) -> None:
    values = {"fit_cpu_s": seconds, "ndcg@20": ndcg, **ratios}
    rounded = {key: round(value, 4) for key, value in values.items()}
    print(json.dumps({"recommender": name, **rounded}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--only", choices=["small", "growth", "tie"])
    parser.add_argument("--recommender", action="append")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "ROWS", "TECHNIQUES"))
    options = parser.parse_args()
    if options.one:
        name, rows, techniques = options.one
        if options.data:
            from engine.knowledge import Knowledge
            from training.recommenders import build_matrix

            matrix = build_matrix(options.data, Knowledge.load()).matrix
        else:
            matrix = synthetic(int(rows), int(techniques))
        print(json.dumps(measure(name, matrix, 3 if matrix.shape[0] < 20_000 else 1)))
        return
    data = [part for path in options.data for part in ("--data", path)]
    if options.only in (None, "small") and data:
        for name in options.recommender or registry.names():
            in_process("--one", name, 0, 0, *data)
    if options.only in (None, "growth"):
        for name in options.recommender or ["hybrid", "ease", "user_knn", "wals"]:
            for rows, techniques in GROWTH:
                in_process("--one", name, rows, techniques)
    if options.only in (None, "tie") and data:
        beside_tie(options.data)


if __name__ == "__main__":
    main()
