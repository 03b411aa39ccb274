"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

OPERATING_POINTS = ("precise", "balanced", "sensitive")

_READING = (
    click.option(
        "--operating-point",
        type=click.Choice(OPERATING_POINTS),
        default="balanced",
        show_default=True,
        help="precise: few and sure; sensitive: miss little.",
    ),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        metavar="P",
        help="Probability from which on a technique is a finding, instead of the operating "
        "point's.",
    ),
    click.option(
        "--top",
        type=click.IntRange(min=1),
        metavar="N",
        help="At most N findings and suggestions.",
    ),
    click.option(
        "--inferences",
        "-k",
        type=click.IntRange(min=0),
        default=10,
        show_default=True,
        metavar="N",
        help="At most N inferences.",
    ),
    click.option("--no-inferences", is_flag=True, help="Leave the inferences out."),
)
_WORKERS = (
    click.option(
        "--ray",
        "address",
        metavar="HOST:PORT",
        help="Work on this Ray cluster, and let text go there. Needs the extra 'ray'.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many; one a processor, if left out.",
    ),
)

files_argument = click.argument("files", nargs=-1, required=True, metavar="FILE...")
input_format_option = click.option(
    "--input-format",
    type=click.Choice(["auto", "jsonl"]),
    default="auto",
    show_default=True,
    help='jsonl: every line is {"id", "text"} or {"id", "sentences": [...]}.',
)
release_option = click.option(
    "--release", metavar="NAME|PATH", help="Use this release, not the champion."
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what decides on findings and inferences."""
    return _all(_READING, command)


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add where a big job is worked on."""
    return _all(_WORKERS, command)


def _all(options: tuple[Any, ...], command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):  # click lists them as if they were decorators
        command = option(command)
    return command
