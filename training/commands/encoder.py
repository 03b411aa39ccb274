"""``ttpscribe train encoder``: fine-tune an encoder, or import a fine-tuned one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import UsageError
from training.commands.options import progress_bars, read_labels, without_option
from training.encoder.kept import KEPT
from training.encoder.settings import DEFAULT_BASE, EncoderTrainingSettings

if TYPE_CHECKING:
    from rich.console import Console

    from training.encoder.importing import Imported
    from training.encoder.train import EncoderTraining

DEFAULTS = EncoderTrainingSettings()


@click.command()
@click.option("--base", default=DEFAULT_BASE, show_default=True, help="Encoder: name or path.")
@click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Labelled text: a file or a folder; may be repeated. Formats: docs/training-data.md.",
)
@without_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Directory of the release to be; the encoder goes to recognizers/encoder in it.",
)
@click.option(
    "--import",
    "checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="Make the encoder of a fine-tuned checkpoint for sequence classification instead.",
)
@click.option("--labels", help="With --import: file of its labels in order, or 'tram'.")
@click.option("--tokenizer", help="With --import: tokenizer by name or path, if it has none.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs of either stage.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="At its peak.")
@click.option("--min-examples", type=click.IntRange(2), help="Texts a technique needs.")
@click.option("--max-tokens", type=click.IntRange(8, 512), help="Longer sentences are cut.")
@click.option("--batch-tokens", type=click.IntRange(64), help="Tokens of a batch.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(0), help="Threads on a CPU; 0: torch decides.")
@click.option("--seed", type=int, help="Seed of all that is random.")
@click.option(
    "--cross-validate",
    is_flag=True,
    help="Hold out every fold of documents in turn: the fusion of a release needs it.",
)
@click.option(
    "--without-test-set",
    is_flag=True,
    help="Leave out the documents by which 'train nightly' tests releases trained anew on this "
    "data, a fifth of them: only then can one with this encoder be tested on them.",
)
@click.option(
    "--keep/--no-keep",
    default=True,
    show_default=True,
    help="Keep beside it, in OUTPUT/kept, what 'train nightly --checkpoint' goes on from.",
)
@click.option("--restart", is_flag=True, help="Forget the checkpoints of an interrupted training.")
def encoder(
    paths: tuple[Path, ...],
    left_out: tuple[str, ...],
    output: Path,
    checkpoint: Path | None,
    labels: str | None,
    tokenizer: str | None,
    cross_validate: bool,
    restart: bool,
    without_test_set: bool,
    keep: bool,
    **options: Any,
) -> None:
    r"""Fine-tune an encoder on labelled text, or import one with --import.

    Interrupted, the same command goes on where it was. Needs the extra 'train'; what it writes
    does not. Make a release of the result with 'ttpscribe train release'.

    \b
    ttpscribe train encoder --data TEXT_DIR --cross-validate --output trained/encoder
    ttpscribe train encoder --import scibert_multi_label_model --labels tram \
        --tokenizer allenai/scibert_scivocab_uncased --output trained/tram
    """
    from rich.console import Console

    if checkpoint is None and (labels or tokenizer):
        raise UsageError("--labels and --tokenizer go with --import.")
    if checkpoint is None and not paths:
        raise UsageError("Give labelled text with --data PATH, or a checkpoint with --import DIR.")
    console = Console(stderr=True)
    if checkpoint is not None:
        _import(checkpoint, paths, left_out, output, labels, tokenizer, options, console)
    else:
        training = {"cross_validate": cross_validate, "restart": restart, "keep": keep}
        data = (paths, left_out, without_test_set)
        _train(data, output, _settings(options), training, console)


def _settings(options: dict[str, Any]) -> EncoderTrainingSettings:
    given = {name: value for name, value in options.items() if value is not None}
    stage: dict[str, Any] = {}
    if epochs := given.pop("epochs", None):
        stage["epochs"] = epochs
    if rate := given.pop("learning_rate", None):
        stage["learning_rate"] = rate
    given["texts"] = DEFAULTS.texts.model_copy(update=stage)
    given["sentences"] = DEFAULTS.sentences.model_copy(update=stage)
    return DEFAULTS.model_copy(update=given)


def _train(
    data: tuple[tuple[Path, ...], tuple[str, ...], bool],
    output: Path,
    settings: EncoderTrainingSettings,
    training: dict[str, bool],
    console: Console,
) -> None:
    from engine.knowledge import Knowledge
    from training.encoder import train_encoder
    from training.encoder.base import require_torch

    require_torch()
    knowledge = Knowledge.load()
    paths, left_out, without_test_set = data
    labels = read_labels(paths, left_out, knowledge)
    if without_test_set:
        from training.nightly.seed import seed_of

        labels = seed_of(labels).labels
    with progress_bars() as steps:
        trained = train_encoder(
            labels,
            knowledge,
            output,
            settings,
            cross_validate=training["cross_validate"],
            restart=training["restart"],
            keep=training["keep"],
            steps=steps,
        )
    report = {"techniques": len(trained.techniques), **trained.figures}
    (output / "encoder-report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    _report(trained, console)
    if training["keep"]:
        console.print(f"To go on from: ttpscribe train nightly --checkpoint {output / KEPT}")


def _import(
    checkpoint: Path,
    paths: tuple[Path, ...],
    left_out: tuple[str, ...],
    output: Path,
    labels: str | None,
    tokenizer: str | None,
    options: dict[str, Any],
    console: Console,
) -> None:
    from engine.knowledge import Knowledge
    from training.encoder import import_checkpoint

    knowledge = Knowledge.load()
    with progress_bars() as steps:
        imported = import_checkpoint(
            checkpoint,
            knowledge,
            output,
            labels=labels,
            tokenizer=tokenizer,
            max_tokens=options["max_tokens"] or 128,
            texts=read_labels(paths, left_out, knowledge) if paths else None,
            steps=steps,
        )
    _tell(imported, console)


def _report(trained: EncoderTraining, console: Console) -> None:
    from rich.table import Table

    table = Table(title=f"Encoder in {trained.directory}", show_header=False)
    table.add_row("techniques with a classifier", str(len(trained.techniques)))
    table.add_row("documents scored unseen", str(len(trained.out_of_fold.recognitions)))
    names = {
        "f1": "sentence micro-F1 on them",
        "quantization_loss": "F1 lost by 8-bit weights",
        "skipping_loss": "F1 lost by skipping short sentences",
    }
    for key, name in names.items():
        table.add_row(name, f"{trained.figures[key]:.4f}")
    console.print(table)


def _tell(imported: Imported, console: Console) -> None:
    console.print(f"Encoder with {len(imported.labels)} labels in {imported.directory}")
    for old, new in imported.mapped.items():
        console.print(f"  {old} was revoked: it is {new} now")
    for old in imported.dropped:
        console.print(f"  {old} is deprecated: its scores are left out")
