"""Results of a training run on disk: CSV, JSON and one HTML page."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from training.recommenders import figures
from training.recommenders.build import Built
from training.recommenders.evaluate import Result
from training.sweeps import TrialResult


def write_reports(
    directory: Path,
    built: Built,
    results: Sequence[Result],
    *,
    trials: Mapping[str, Sequence[TrialResult]],
    interactions: Sequence[Mapping[str, Any]],
    folds: int,
    hidden: float,
    made: datetime,
) -> list[Path]:
    """Write ``results-<time>`` as CSV, JSON and HTML, and ``trials-<time>`` after a sweep.

    Returns
    -------
    list of Path
        The files written.
    """
    stamp = made.strftime("%Y%m%dT%H%M%SZ")
    summaries = sorted((r.summary() for r in results), key=lambda row: -float(row["ndcg@20"]))
    base = directory / f"results-{stamp}"
    written = [base.with_suffix(suffix) for suffix in (".csv", ".json", ".html")]
    _write_csv(written[0], [{**row, "settings": json.dumps(row["settings"])} for row in summaries])
    content = {
        "made": stamp,
        "data_hash": data_hash(built),
        "folds": folds,
        "hidden": hidden,
        "results": summaries,
        "curves": {r.recommender: _curve(r) for r in results},
        "interactions": list(interactions),
    }
    written[1].write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    written[2].write_text(
        _page(built, results, summaries, trials, interactions, folds, hidden, made),
        encoding="utf-8",
    )
    if trials:
        path = directory / f"trials-{stamp}.csv"
        _write_csv(path, [_trial(trial) for tried in trials.values() for trial in tried])
        written.append(path)
    return written


def data_hash(built: Built) -> str:
    """SHA-256 of what was learned from: rows, techniques, weights, importance."""
    X = built.matrix.weights.sorted_indices()
    digest = hashlib.sha256("\n".join(built.matrix.techniques).encode())
    for index, row in enumerate(built.matrix.rows):
        part = slice(X.indptr[index], X.indptr[index + 1])
        cells = list(zip(X.indices[part].tolist(), X.data[part].tolist(), strict=True))
        digest.update(json.dumps([row.id, row.kind, row.importance, cells]).encode())
    return digest.hexdigest()


def _curve(result: Result) -> dict[str, dict[str, float]]:
    return {
        name: {str(k): float(values.mean()) for k, values in getattr(result, name).items()}
        for name in ("precision", "recall", "ndcg")
    }


def _trial(trial: TrialResult) -> dict[str, Any]:
    return {
        "recommender": trial.name,
        "trial": trial.number,
        "ndcg@20": trial.value,
        "recall@20": trial.figures["recall"],
        "fit_seconds": trial.figures["fit_seconds"],
        "settings": json.dumps(trial.settings),
    }


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _page(
    built: Built,
    results: Sequence[Result],
    summaries: Sequence[Mapping[str, Any]],
    trials: Mapping[str, Sequence[TrialResult]],
    interactions: Sequence[Mapping[str, Any]],
    folds: int,
    hidden: float,
    made: datetime,
) -> str:
    from jinja2 import Environment, StrictUndefined

    source = Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    return template.render(
        made=made.strftime("%Y-%m-%d %H:%M UTC"),
        rows=f"{built.matrix.shape[0]:,}",
        techniques=built.matrix.shape[1],
        cells=f"{built.matrix.weights.nnz:,}",
        merged=built.merged,
        data_hash=data_hash(built),
        folds=folds,
        hidden=hidden,
        summaries=summaries,
        best=summaries[0]["recommender"],
        comparison=figures.comparison(results),
        k_curves=figures.k_curves(results),
        dimensions=figures.dimension_sweep(trials),
        interactions=interactions,
    )
