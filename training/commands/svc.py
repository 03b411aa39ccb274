"""``ttpscribe train svc``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.commands.options import (
    data_option,
    progress_bars,
    read_labels,
    sweep_options,
    sweep_workers,
    without_option,
)

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.scale import Workers
    from training.labels import LabelSet
    from training.progress import Advance
    from training.svc.settings import SvcSettings
    from training.svc.sweep import SvcSweep


EPILOG = """\b
Examples:
  ttpscribe train svc --data reports/ --data attack/ --output trained/svc
  ttpscribe train svc --data reports/ --output trained/svc --sweep 40 --jobs 2
  ttpscribe train svc --data reports/ --output trained/svc --sweep 100 --ray 10.0.0.5:6379

\b
A sweep that was broken off goes on when called again with the same --output.
"""


@click.command(epilog=EPILOG)
@data_option
@without_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where to write the model and the out-of-fold scores.",
)
@click.option("--min-examples", type=click.IntRange(2), default=8, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--sweep",
    "trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="First try N settings, on whole documents held out, and train with the best.",
)
@sweep_options
def svc(
    paths: tuple[Path, ...],
    left_out: tuple[str, ...],
    output: Path,
    min_examples: int,
    seed: int,
    trials: int | None,
    jobs: int,
    address: str | None,
) -> None:
    """Train the svc recognizer and show its cross-validated figures.

    Learns one linear support vector machine for every technique with enough labels, over TF-IDF
    of words and character n-grams, for sentences and for whole documents. Documents that have
    sentences are cross-validated, whole documents at a time. Make a release of the result with
    'ttpscribe train release'.
    """
    from engine.knowledge import Knowledge
    from training.assemble import fit
    from training.commands.figures import print_figures
    from training.fusion import FusionSettings
    from training.fusion.operating_points import figures
    from training.out_of_fold import OutOfFold
    from training.svc import SvcSettings, train_svc

    workers = sweep_workers(jobs, address)
    knowledge = Knowledge.load()
    labels = read_labels(paths, left_out, knowledge)
    settings = SvcSettings(min_examples=min_examples, seed=seed)
    swept = None
    if trials is not None:
        with progress_bars() as steps, steps.step("Try settings", trials) as advance:
            swept = _sweep(labels, knowledge, settings, output, trials, workers, advance)
        settings = swept.settings
        click.echo(_told(swept), err=True)
    with progress_bars() as steps:
        trained = train_svc(labels, knowledge, settings, steps=steps)
        trained.recognizer.save(output / "recognizers" / "svc")
        if not trained.documents:
            click.echo(
                "No labelled documents with sentences: nothing was cross-validated, and a "
                "release cannot be calibrated with these data alone.",
                err=True,
            )
            return
        scores = OutOfFold(
            "svc",
            {document.id: trained.score(document) for document in trained.documents},
            trained.folds,
        )
        scores.save(output)
        fitted = fit(labels, {"svc": scores}, knowledge, FusionSettings(), steps=steps)
    found = figures(fitted.held, FusionSettings(), seed)
    report = {"techniques": len(trained.recognizer.sentences.labels), **found}
    if swept is not None:
        report["sweep"] = _record(swept)
    (output / "svc-report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print_figures(report)


def _sweep(
    labels: LabelSet,
    knowledge: Knowledge,
    settings: SvcSettings,
    output: Path,
    trials: int,
    workers: Callable[[], Workers] | None,
    advance: Advance,
) -> SvcSweep:
    from training.svc.sweep import sweep_svc

    shown = 0

    def on_trial(done: int) -> None:
        nonlocal shown
        advance(done - shown)
        shown = done

    return sweep_svc(
        labels,
        knowledge,
        settings,
        output,
        trials=trials,
        workers=workers,
        on_trial=on_trial,
    )


def _told(swept: SvcSweep) -> str:
    best = swept.trials[0]
    chosen = ", ".join(f"{name} {value:.3g}" for name, value in sorted(best.settings.items()))
    return (
        f"Best of {len(swept.trials)}: {chosen}. Mean average precision on documents that no trial "
        f"saw: {swept.held_out['best']:.3f}, with the defaults {swept.held_out['default']:.3f}."
    )


def _record(swept: SvcSweep) -> dict[str, Any]:
    return {
        "settings": swept.trials[0].settings,
        "held_out_average_precision": swept.held_out,
        "trials": [
            {"number": trial.number, "average_precision": trial.value, "settings": trial.settings}
            for trial in swept.trials
        ],
    }
