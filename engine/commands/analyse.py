"""``ttpscribe analyse``: from report files to techniques with evidence."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.commands.options import (
    files_argument,
    input_format_option,
    reading_options,
    release_option,
)
from engine.commands.progress import progress
from engine.errors import DocumentError, UsageError
from engine.outputs import OUTPUTS, Context, Threat

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.commands.inputs import Item
    from engine.commands.sinks import Sink
    from engine.types import Analysis

EPILOG = """\b
Examples:
  ttpscribe analyse report.pdf
  ttpscribe analyse reports/ --format html --format stix --output out/
  ttpscribe analyse *.docx --format csv --operating-point precise > techniques.csv
  ttpscribe analyse report.pdf --format stix --threat intrusion-set:FIN7 --output out/
  cat lines.jsonl | ttpscribe analyse --input-format jsonl --format jsonl -

\b
Exit codes: 0 all read, 2 wrong call, 3 a document could not be read (the others were done),
4 ATT&CK, 5 the release.
"""


@click.command(epilog=EPILOG)
@files_argument
@click.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    type=click.Choice(list(OUTPUTS)),
    help="What to write; repeatable with --output. Default: table, or jsonl for JSON lines.",
)
@click.option(
    "--output",
    "-o",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a file for every document and format here, named after the document.",
)
@input_format_option
@reading_options
@click.option(
    "--threat",
    metavar="TYPE:NAME",
    help="Whom the reports speak of; the STIX bundle then says that it uses the techniques.",
)
@release_option
@click.pass_context
def analyse(
    ctx: click.Context,
    files: tuple[str, ...],
    formats: tuple[str, ...],
    directory: Path | None,
    input_format: str,
    operating_point: str,
    threshold: float | None,
    top: int | None,
    inferences: int,
    no_inferences: bool,
    threat: str | None,
    release: str | None,
) -> None:
    """Find the ATT&CK techniques in reports, with the sentences that prove them.

    FILE is a PDF, DOCX, HTML, Markdown or text file, a folder of such files, or - for standard
    input. A document that cannot be read is reported at the end; the others are still done.
    """
    json_lines = input_format == "jsonl"
    chosen = tuple(dict.fromkeys(formats)) or ("jsonl" if json_lines else "table",)
    if len(chosen) > 1 and directory is None:
        raise UsageError("Several formats need --output DIR; standard output holds one.")
    named = Threat.parse(threat) if threat else None
    items, total = items_of(files, json_lines)
    sink = _sink(chosen, directory, several=total is None or total > 1)
    engine = open_engine(release)
    shown = directory is None and sys.stdout.isatty()
    columns = max(shutil.get_terminal_size((100, 24)).columns, 60)
    context = Context(engine.knowledge, threat=named, width=columns, colour=shown)

    def analysed(item: Item) -> Analysis:
        found = engine.analyse(
            item.read(),
            operating_point=operating_point,
            threshold=threshold,
            inferences=0 if no_inferences else inferences,
        )
        return found if top is None else found.best(top)

    done = failed = 0
    failures: list[str] = []
    with progress(total, quiet=shown) as advance:
        for item in items:
            try:
                analysis = analysed(item)
            except DocumentError as error:
                failed += 1
                if json_lines:  # a stream may never end: say it now, keep nothing
                    click.echo(f"Error: {_told(item, error)}", err=True)
                else:
                    failures.append(_told(item, error))
            else:
                told = replace(context, identifier=item.identifier, published=item.published)
                sink.write(item, analysis, told)
                done += 1
            advance()
    sink.close()
    if directory is not None:
        click.echo(f"{_count(done)} analysed; outputs are in {directory}.", err=True)
    if failed:
        click.echo(f"{failed} of {_count(done + failed)} could not be read:", err=True)
        for failure in failures:
            click.echo(f"  {failure}", err=True)
        ctx.exit(DocumentError.exit_code)


def open_engine(release: str | None) -> Engine:
    """Open the engine, once all else is known to be right: it takes the longest."""
    from engine.analysis import Engine

    return Engine.open(release)


def items_of(files: tuple[str, ...], json_lines: bool) -> tuple[Iterable[Item], int | None]:
    """Return the documents that a call names, and how many, where that is known."""
    from engine.commands import inputs

    stdin = sys.stdin.buffer
    if files.count(inputs.STDIN) > 1:
        raise UsageError("Standard input (-) can be read once only.")
    if not json_lines:
        items = inputs.from_paths(files, stdin)
        return items, len(items)

    return inputs.from_jsonl(files, stdin), None


def _sink(formats: tuple[str, ...], directory: Path | None, *, several: bool) -> Sink:
    from engine.commands.sinks import Directory, Stream

    if directory is not None:
        return Directory([OUTPUTS[name] for name in formats], directory)
    return Stream(OUTPUTS[formats[0]], sys.stdout.buffer, several=several)


def _told(item: Item, error: DocumentError) -> str:
    text = str(error)
    return text if item.label in text else f"{item.label}: {text}"


def _count(number: int) -> str:
    return f"{number} document{'' if number == 1 else 's'}"
