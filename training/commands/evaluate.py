"""``ttpscribe train evaluate``: how good a release is on reports you labelled yourself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from engine.errors import TrainingDataError
from training.evaluation.label_lists import LabelListName

if TYPE_CHECKING:
    from rich.console import Console

    from training.evaluation import Evaluation, Interval
    from training.labels import Example, LabelledDocument, LabelSet


@click.command()
@click.option(
    "--data",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Labelled file or folder; may be repeated. docs/training-data.md lists the formats.",
)
@click.option("--release", help="Name or folder of the release; the champion if not given.")
@click.option(
    "--labels",
    "labels",
    type=click.Choice(get_args(LabelListName)),
    default="all",
    show_default=True,
    help="tram50: the fifty techniques of TRAM; parents: sub-techniques count as their parent.",
)
@click.option(
    "--operating-point",
    default="balanced",
    show_default=True,
    help="What counts as found: precise, balanced or sensitive.",
)
@click.option("--source", "sources", multiple=True, help="Only this source; may be repeated.")
@click.option("--fold", type=int, help="Only documents of this fold.")
@click.option("--resamples", default=1000, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=0, show_default=True, type=int)
@click.option(
    "--json", "output", type=click.Path(dir_okay=False, path_type=Path),
    help="Also write all figures to this file.",
)  # fmt: skip
def evaluate(
    paths: tuple[Path, ...],
    release: str | None,
    labels: LabelListName,
    operating_point: str,
    sources: tuple[str, ...],
    fold: int | None,
    resamples: int,
    seed: int,
    output: Path | None,
) -> None:
    """Measure a release on labelled reports.

    Give reports that were not used to train the release: on others the figures flatter it.
    """
    from rich.console import Console
    from rich.progress import track

    from engine.analysis import Engine
    from engine.knowledge import Knowledge
    from training.evaluation import evaluate as measure
    from training.evaluation import label_list, predict
    from training.evaluation.predictions import texts_alone
    from training.labels import read

    knowledge = Knowledge.load()
    label_set = _chosen(read(paths, knowledge), sources, fold)
    engine = Engine.open(release)
    total = len(label_set.documents) + len(texts_alone(label_set.examples))
    if not total:
        raise TrainingDataError(
            "Nothing to measure on: no document, and no text of a source that was labelled for "
            "more than single marks. See docs/training-data.md, and --source and --fold."
        )
    progress = Console(stderr=True)
    predictions = list(
        track(
            predict(engine, label_set, operating_point), "Analysing", total, console=progress,
            transient=True, disable=not progress.is_terminal,
        )
    )  # fmt: skip
    result = measure(predictions, label_list(labels, knowledge), resamples=resamples, seed=seed)
    _print(result, operating_point, Console())
    if output is not None:
        record = {
            "release": release,
            "operating_point": operating_point,
            "data": label_set.digest(),
            **result.to_dict(),
        }
        try:
            output.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", "utf-8")
        except OSError as error:
            raise TrainingDataError(f"{output} cannot be written: {error.strerror}.") from error


def _chosen(label_set: LabelSet, sources: tuple[str, ...], fold: int | None) -> LabelSet:
    unknown = sorted(set(sources) - set(label_set.sources))
    if unknown:
        raise TrainingDataError(
            f"No data of source {', '.join(unknown)}. There is: {', '.join(label_set.sources)}."
        )

    def wanted(item: Example | LabelledDocument) -> bool:
        return (not sources or item.source in sources) and fold in (None, item.fold)

    return label_set.select(wanted, wanted)


def _print(result: Evaluation, operating_point: str, console: Console) -> None:
    from rich.table import Table

    table = Table(
        title=f"Label list '{result.label_list}' ({result.labels} techniques), "
        f"operating point '{operating_point}'",
        caption="95 % intervals: bootstrap over documents",
    )
    table.add_column("Measure")
    table.add_column("Value", justify="right")
    table.add_column("95 % interval", justify="right")
    if (documents := result.documents) is not None:
        table.add_row(f"[bold]Documents[/bold] ({documents.count})", "", "")
        table.add_row("F1, mean over documents", *_cells(documents.mean_f1))
        table.add_row("F1 of document-technique pairs", *_cells(documents.pair_f1))
        table.add_row("  precision", f"{documents.score.precision:.3f}", "")
        table.add_row("  recall", f"{documents.score.recall:.3f}", "")
        if documents.average_precision is not None:
            table.add_row("Average precision", f"{documents.average_precision:.3f}", "")
        if documents.calibration_error is not None:
            table.add_row("Expected calibration error", f"{documents.calibration_error:.3f}", "")
    if (sentences := result.sentences) is not None:
        table.add_row(f"[bold]Sentences[/bold] ({sentences.count})", "", "")
        table.add_row("F1, micro", *_cells(sentences.micro_f1))
        table.add_row("F1, macro over techniques", *_cells(sentences.macro_f1))
        table.add_row("  precision", f"{sentences.score.precision:.3f}", "")
        table.add_row("  recall", f"{sentences.score.recall:.3f}", "")
    console.print(table)


def _cells(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"
