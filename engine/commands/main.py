"""Entry point of ``ttpscribe``: finds the commands, prints errors without a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from engine import __version__
from engine.commands.lazy import LazyGroup, Loader
from engine.errors import TtpscribeError

GROUP = "ttpscribe.commands"
EXIT_INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _loader(point: EntryPoint) -> Loader:
    def load() -> click.Command:
        command: click.Command = point.load()
        return command

    return load


class ReaderGone(Exception):  # noqa: N818 - no error: the reader has what it wanted
    """Standard output leads to a program (head, less) that has stopped reading."""


class _Root(LazyGroup):
    """Says so where the reader has gone, while Click would end with exit code 1."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _reader_may_go():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with _reader_may_go():
            return super().invoke(ctx)


@contextmanager
def _reader_may_go() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone from error


def build() -> LazyGroup:
    """Build the command from the installed entry points."""
    return _Root(
        name="ttpscribe",
        help="Find the MITRE ATT&CK techniques in threat reports, with the sentences that "
        "prove them.\n\nBegin with: ttpscribe analyse REPORT.pdf",
        loaders={point.name: _loader(point) for point in entry_points(group=GROUP)},
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_print_version,
                help="Show the version and exit.",
            )
        ],
    )


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"ttpscribe {__version__}")
        ctx.exit()


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        result = build()(standalone_mode=False)
        sys.stdout.flush()  # Here, where a reader that has gone is no error.
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TtpscribeError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except (ReaderGone, BrokenPipeError):
        _silence()
        sys.exit(0)
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"Error: The disk is full{where}. Make room, and call again.", err=True)
        _silence()
        sys.exit(TtpscribeError.exit_code)


def _silence() -> None:
    """Let the flush at exit, which would fail again, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
