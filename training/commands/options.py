"""Options that several training commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import UsageError
from training.progress import RichSteps, Steps

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.scale import Workers
    from training.labels import LabelSet

data_option = click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Labelled text: a file or a folder; may be repeated. Formats: docs/training-data.md.",
)
without_option = click.option(
    "--without",
    "left_out",
    multiple=True,
    metavar="SOURCE",
    help="Leave out a source of the data, for example sigma; may be repeated.",
)


def sweep_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add where the trials of a sweep run."""
    for option in (
        click.option(
            "--ray",
            "address",
            metavar="HOST:PORT",
            help="Sweep on this Ray cluster. Needs the extra 'ray'.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Processes of a sweep; the trials are the same with any number.",
        ),
    ):
        command = option(command)
    return command


def sweep_workers(jobs: int, address: str | None) -> Callable[[], Workers] | None:
    """Return what takes the workers of a sweep; None to do it all in this process."""
    from engine.scale import workers_at

    if address is not None:
        from engine.scale.cluster import check_address

        return partial(workers_at, check_address(address))
    return partial(workers_at, None, jobs) if jobs > 1 else None


def read_labels(
    paths: tuple[Path, ...], left_out: tuple[str, ...], knowledge: Knowledge
) -> LabelSet:
    """Read labelled text, without some sources.

    Raises
    ------
    UsageError
        If a source to leave out is unknown.
    """
    from training.labels import Sources, read

    sources = Sources()
    for name in left_out:
        if name not in sources.named:
            raise UsageError(
                f"There is no source '{name}'. Choose among: {', '.join(sorted(sources.named))}."
            )
        off = sources.named[name].model_copy(update={"use": False})
        sources = sources.with_source(name, off)
    return read(paths, knowledge, sources)


@contextmanager
def progress_bars() -> Iterator[Steps]:
    """Show the steps of the training as bars on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield RichSteps(progress)
