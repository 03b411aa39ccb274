"""``ttpscribe train recommenders``: from matrices to fitted recommenders and their figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from engine.errors import TrainingDataError, UsageError
from training.commands.options import sweep_options, sweep_workers

if TYPE_CHECKING:
    from rich.console import Console

    from engine.scale import Workers
    from training.recommenders import Built, Fold, Result
    from training.sweeps import TrialResult

INDEX: Final = "recommenders.json"
DEFAULT: Final = "hybrid"

EPILOG = """\b
Examples:
  ttpscribe train recommenders --data matrices/ --output out/
  ttpscribe train recommenders --data tie.json --data groups.stix.json --model ease --output out/
  ttpscribe train recommenders --data matrices/ --sweep --trials 60 --jobs 2 --output out/
  ttpscribe train recommenders --data matrices/ --sweep --return-best --output out/
  ttpscribe train recommenders --data matrices/ --sweep --ray 10.0.0.5:6379 --output out/

\b
Data are TIE's JSON, JSON lines of {"id", "techniques"}, or STIX bundles with reports or groups.
A sweep that was broken off goes on when called again with the same --output.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--data",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file or a folder of files; repeatable.",
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only these; repeatable.")
@click.option("--sweep", "sweeping", is_flag=True, help="Search the settings of each model.")
@click.option("--trials", type=click.IntRange(min=1), default=40, show_default=True)
@sweep_options
@click.option("--return-best", is_flag=True, help="Export only the best model, and print it.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--export-embeddings",
    "embeddings",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write item and user factors of the factor models, as safetensors and npy.",
)
@click.option("--tie-split", is_flag=True, help="Measure on TIE's split of cells as well.")
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--hidden", type=click.FloatRange(0.05, 0.95), default=0.3, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def recommenders(
    paths: tuple[Path, ...],
    models: tuple[str, ...],
    sweeping: bool,
    trials: int,
    jobs: int,
    address: str | None,
    return_best: bool,
    output: Path,
    embeddings: Path | None,
    tie_split: bool,
    folds: int,
    hidden: float,
    seed: int,
) -> None:
    """Train recommenders on matrices of reports and techniques, and measure them.

    Every model is measured on whole reports held out, then fitted on all data and written to
    OUTPUT/recommenders/NAME. The figures lie beside: results-TIME as CSV, JSON and HTML.
    """
    from rich.console import Console

    from engine.knowledge import Knowledge
    from training.recommenders import build_matrix, new_report_folds
    from training.recommenders.report import write_reports

    console = Console(stderr=True, highlight=False)
    names = _names(models)
    built = build_matrix(paths, Knowledge.load())
    _describe(built, console)
    split = tuple(new_report_folds(built, folds=folds, hidden=hidden, seed=seed))
    plan = _Plan(split, output, sweeping, trials, sweep_workers(jobs, address), seed)
    outcome = _measure(names, plan, console)
    interactions = _interactions(outcome.results, built, seed) if tie_split else []
    output.mkdir(parents=True, exist_ok=True)
    made = datetime.now(UTC)
    written = write_reports(
        output,
        built,
        outcome.results,
        trials=outcome.trials,
        interactions=interactions,
        folds=folds,
        hidden=hidden,
        made=made,
    )
    best = outcome.best()
    exported = [best] if return_best else outcome.results
    _export(exported, built, output, embeddings, console)
    _write_index(exported, built, output, best.recommender, made)
    _print_figures(outcome.results, console)
    console.print(f"Figures: {written[2]}")
    if return_best:
        click.echo(json.dumps({"recommender": best.recommender, "settings": dict(best.settings)}))


@dataclass(frozen=True)
class _Plan:
    """How to measure: the folds, and whether and how to search settings first."""

    folds: tuple[Fold, ...]
    output: Path
    sweeping: bool
    trials: int
    workers: Callable[[], Workers] | None
    seed: int


@dataclass
class _Outcome:
    """Figures of every model with its chosen settings, and all trials of the sweep.

    ``selection`` is the NDCG@20 on the validation folds, by which the best is chosen.
    """

    results: list[Result] = field(default_factory=list)
    trials: dict[str, Sequence[TrialResult]] = field(default_factory=dict)
    selection: dict[str, float] = field(default_factory=dict)

    def best(self) -> Result:
        return max(self.results, key=lambda result: self.selection[result.recommender])


def _names(models: tuple[str, ...]) -> list[str]:
    from engine.recommenders import registry
    from training.recommenders.spaces import SPACES

    installed = registry.names()
    if unknown := [name for name in models if name not in installed]:
        raise UsageError(
            f"There is no recommender '{unknown[0]}'. Choose from: {', '.join(installed)}."
        )
    known = [name for name in SPACES if name in installed]
    return list(dict.fromkeys(models)) or [*known, *(n for n in installed if n not in known)]


def _describe(built: Built, console: Console) -> None:
    rows, techniques = built.matrix.shape
    console.print(
        f"{rows:,} rows, {techniques} techniques, {built.matrix.weights.nnz:,} cells; "
        f"{built.merged} repeated reports merged."
    )
    if built.unknown:
        most = sorted(built.unknown, key=lambda id_: -built.unknown[id_])
        shown = ", ".join(most[:10]) + (" and more" if len(most) > 10 else "")
        console.print(f"{len(most)} ids stand for no technique and were left out: {shown}.")


def _measure(names: Sequence[str], plan: _Plan, console: Console) -> _Outcome:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from training.recommenders import evaluate
    from training.recommenders.evaluate import K
    from training.recommenders.sweep import sweep

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    outcome = _Outcome()
    # The first fold is never looked at by a sweep: with one, its reports alone are the test.
    validation = plan.folds[1:] if plan.sweeping else plan.folds
    test = plan.folds[:1] if plan.sweeping else plan.folds
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for name in names:
            settings: Mapping[str, Any] = {}
            if plan.sweeping:
                bar = progress.add_task(f"sweep {name}", total=plan.trials)
                tried = sweep(
                    name,
                    validation,
                    plan.output,
                    trials=plan.trials,
                    workers=plan.workers,
                    seed=plan.seed,
                    on_trial=lambda done, bar=bar: progress.update(bar, completed=done),  # type: ignore[misc]
                )
                outcome.trials[name] = tried
                settings = tried[0].settings
                outcome.selection[name] = tried[0].value
            bar = progress.add_task(f"measure {name}", total=len(test))
            result = evaluate(name, progress.track(test, task_id=bar), settings)
            outcome.results.append(result)
            outcome.selection.setdefault(name, float(result.ndcg[K].mean()))
    return outcome


def _interactions(results: Sequence[Result], built: Built, seed: int) -> list[dict[str, Any]]:
    from training.recommenders.interactions import evaluate_interactions

    return [
        evaluate_interactions(result.recommender, built.matrix, result.settings, seed)
        for result in results
    ]


def _export(
    results: Sequence[Result],
    built: Built,
    output: Path,
    embeddings: Path | None,
    console: Console,
) -> None:
    from engine.recommenders import registry
    from training.recommenders.export import export_embeddings, has_factors

    exported = 0
    for result in results:
        model = registry.create(result.recommender, result.settings).fit(built.matrix)
        directory = output / "recommenders" / result.recommender
        if directory.exists():
            shutil.rmtree(directory)
        model.save(directory)
        if embeddings and has_factors(model):
            exported += 1
            console.print(f"Factors: {export_embeddings(model, built.matrix, embeddings)}")
    if embeddings and not exported:
        raise TrainingDataError(
            "No factors to export: none of the models fitted has any. Choose one that has, such "
            "as --model wals."
        )


def _write_index(
    results: Sequence[Result], built: Built, output: Path, best: str, made: datetime
) -> None:
    """Write what a release's manifest has to say of the recommenders."""
    from training.recommenders.report import data_hash

    names = [result.recommender for result in results]
    index = {
        "created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data_hash": data_hash(built),
        "rows": built.matrix.shape[0],
        "default_recommender": DEFAULT if DEFAULT in names else best,
        "recommenders": {result.recommender: dict(result.settings) for result in results},
        "figures": {result.recommender: result.summary() for result in results},
    }
    text = json.dumps(index, indent=1, sort_keys=True) + "\n"
    (output / INDEX).write_text(text, encoding="utf-8")


def _print_figures(results: Sequence[Result], console: Console) -> None:
    from rich.table import Table

    table = Table("Recommender", "NDCG@20", "Recall@20", "Fit, s", "Answer, ms", box=None)
    for row in sorted((r.summary() for r in results), key=lambda row: -float(row["ndcg@20"])):
        table.add_row(
            row["recommender"],
            *(
                f"{row[name]:.3f} [dim]({row[f'{name}_low']:.3f}-{row[f'{name}_high']:.3f})[/]"
                for name in ("ndcg@20", "recall@20")
            ),
            f"{row['fit_seconds']:.2f}",
            f"{row['recommend_milliseconds']:.2f}",
        )
    console.print(table)
