"""``ttpscribe train encoder``: fine-tune an encoder, or import a fine-tuned one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import UsageError
from training.encoder.settings import DEFAULT_BASE, EncoderTrainingSettings

if TYPE_CHECKING:
    from rich.console import Console

    from training.encoder.importing import Imported
    from training.encoder.train import EncoderTraining
    from training.labels import LabelSet
    from training.progress import Steps

DEFAULTS = EncoderTrainingSettings()


@click.command()
@click.option("--base", default=DEFAULT_BASE, show_default=True, help="Encoder: name or path.")
@click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="File or folder of labelled text; give it several times for several.",
)
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
    help="Hold out every fold of documents in turn, and write out-of-fold scores too.",
)
@click.option("--restart", is_flag=True, help="Forget the checkpoints of an interrupted training.")
def encoder(
    paths: tuple[Path, ...],
    output: Path,
    checkpoint: Path | None,
    labels: str | None,
    tokenizer: str | None,
    cross_validate: bool,
    restart: bool,
    **options: Any,
) -> None:
    r"""Fine-tune an encoder on labelled text, or import one with --import.

    Interrupted, the same command goes on where it was. Needs the extra 'train'; what it writes
    does not.

    \b
    ttpscribe train encoder --data TEXT_DIR --output my-release
    ttpscribe train encoder --import scibert_multi_label_model --labels tram \
        --tokenizer allenai/scibert_scivocab_uncased --output tram-release
    """
    from rich.console import Console

    if checkpoint is None and (labels or tokenizer):
        raise UsageError("--labels and --tokenizer go with --import.")
    if checkpoint is None and not paths:
        raise UsageError("Give labelled text with --data PATH, or a checkpoint with --import DIR.")
    console = Console(stderr=True)
    if checkpoint is not None:
        _import(checkpoint, paths, output, labels, tokenizer, options, console)
    else:
        _train(paths, output, _settings(options), cross_validate, restart, console)


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
    paths: tuple[Path, ...],
    output: Path,
    settings: EncoderTrainingSettings,
    cross_validate: bool,
    restart: bool,
    console: Console,
) -> None:
    from engine.knowledge import Knowledge
    from training.encoder import train_encoder
    from training.encoder.base import require_torch

    require_torch()
    knowledge = Knowledge.load()
    with _steps(console) as steps:
        trained = train_encoder(
            _read(paths, knowledge),
            knowledge,
            output,
            settings,
            cross_validate=cross_validate,
            restart=restart,
            steps=steps,
        )
    _report(trained, console)
    if cross_validate:
        path = output / "encoder-out-of-fold.safetensors"
        trained.save_scores(path)
        console.print(f"Out-of-fold scores: {path}")


def _import(
    checkpoint: Path,
    paths: tuple[Path, ...],
    output: Path,
    labels: str | None,
    tokenizer: str | None,
    options: dict[str, Any],
    console: Console,
) -> None:
    from engine.knowledge import Knowledge
    from training.encoder import import_checkpoint

    knowledge = Knowledge.load()
    with _steps(console) as steps:
        imported = import_checkpoint(
            checkpoint,
            knowledge,
            output,
            labels=labels,
            tokenizer=tokenizer,
            max_tokens=options["max_tokens"] or 128,
            texts=_read(paths, knowledge) if paths else None,
            steps=steps,
        )
    _tell(imported, console)


def _read(paths: tuple[Path, ...], knowledge: Any) -> LabelSet:
    from training.labels import read

    return read(paths, knowledge)


def _steps(console: Console) -> Any:
    from contextlib import contextmanager

    from rich.progress import Progress

    from training.progress import RichSteps

    @contextmanager
    def open_steps() -> Any:
        with Progress(console=console) as progress:
            steps: Steps = RichSteps(progress)
            yield steps

    return open_steps()


def _report(trained: EncoderTraining, console: Console) -> None:
    from rich.table import Table

    table = Table(title=f"Encoder in {trained.directory}", show_header=False)
    table.add_row("techniques with a classifier", str(len(trained.techniques)))
    table.add_row("documents scored unseen", str(len(trained.documents)))
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
