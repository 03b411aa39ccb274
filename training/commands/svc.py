"""``ttpscribe train svc``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from training.commands.options import data_option, progress_bars, read_labels, without_option


@click.command(
    epilog="Example: ttpscribe train svc --data reports/ --data attack/ --output trained/svc"
)
@data_option
@without_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where to write the model and the out-of-fold scores.",
)
@click.option("--min-examples", type=click.IntRange(2), default=8, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def svc(
    paths: tuple[Path, ...], left_out: tuple[str, ...], output: Path, min_examples: int, seed: int
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

    knowledge = Knowledge.load()
    labels = read_labels(paths, left_out, knowledge)
    settings = SvcSettings(min_examples=min_examples, seed=seed)
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
    (output / "svc-report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print_figures(report)
