"""``ttpscribe backfill``: very many documents, on all cores or on a Ray cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.commands.options import (
    files_argument,
    input_format_option,
    reading_options,
    release_option,
    worker_options,
)
from engine.errors import DocumentError

if TYPE_CHECKING:
    from engine.commands.inputs import Item
    from engine.scale.analysing import Identity, Options
    from engine.scale.crew import Workers
    from engine.scale.results import Results

EVERY = 30.0  # seconds between two lines of progress where nobody looks

EPILOG = """\b
Examples:
  ttpscribe backfill archive/ --output results
  ttpscribe backfill archive/ --output results --ray 10.0.0.5:6379
  ttpscribe backfill lines.jsonl --input-format jsonl --output results --workers 8

\b
OUTPUT/results.jsonl is what 'ttpscribe analyse --format jsonl' writes, in the order of the input,
wherever it was worked on; OUTPUT/failures.jsonl says what could not be read. Called again after an
interruption, or with more files, it does what is missing. For reports in a platform: 'ttpscribe
connector backfill' and 'ttpscribe misp backfill'; both take --ray, too.

\b
Exit codes: as of 'ttpscribe analyse'; 8 the workers.
"""


@click.command(epilog=EPILOG)
@files_argument
@click.option(
    "--output",
    "-o",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where results go, and what is needed to go on after an interruption.",
)
@input_format_option
@worker_options
@reading_options
@release_option
@click.pass_context
def backfill(
    ctx: click.Context,
    files: tuple[str, ...],
    directory: Path,
    input_format: str,
    address: str | None,
    workers: int | None,
    operating_point: str,
    threshold: float | None,
    top: int | None,
    inferences: int,
    no_inferences: bool,
    release: str | None,
) -> None:
    """Analyse very many reports, on all cores or on a Ray cluster.

    FILE is as for 'ttpscribe analyse'. Every document is analysed by a worker that has the same
    release; one whose worker dies goes to another worker. Nothing that is done is done again.
    """
    from engine.commands.analyse import items_of
    from engine.scale import workers_at
    from engine.scale.analysing import Options
    from engine.scale.results import Results

    if address is not None:
        from engine.scale.cluster import check_address

        check_address(address)
    options = Options(operating_point, threshold, 0 if no_inferences else inferences, top)
    items, total = items_of(files, input_format == "jsonl")
    identity = _identity(release)
    with Results(directory, asdict(identity) | asdict(options)) as results:
        told = _Progress(total)
        _work(results, items, told, partial(workers_at, address, workers), identity, options)
        path = results.write_out()
    click.echo(f"{told.line()} Results: {path}", err=True)
    if told.failed:
        click.echo(f"What could not be read, and why: {path.with_name('failures.jsonl')}", err=True)
        ctx.exit(DocumentError.exit_code)


def _identity(release: str | None) -> Identity:
    """Tell what every worker must have, opened here once to see that it can be."""
    from engine.commands.analyse import open_engine
    from engine.scale.analysing import Identity

    engine = open_engine(release)
    return Identity.of(engine, release)


def _work(
    results: Results,
    items: Iterable[Item],
    told: _Progress,
    workers: Callable[[], Workers],
    identity: Identity,
    options: Options,
) -> None:
    from engine.scale.analysing import Lines, Reading
    from engine.scale.crew import Crew, WorkerLost

    running: set[bytes] = set()

    def missing() -> Iterator[Reading]:
        for number, item in enumerate(items):
            try:
                content = item.fetch()
            except DocumentError as error:
                results.refuse(number, item.identifier, str(error))
                told.add(failed=1)
                continue
            key = results.ask(number, item.identifier, content.digest)
            if key is None or key in running:
                told.add(before=1)
                continue
            running.add(key)
            yield Reading(key, content.read, item.name, item.identifier)

    def keep(key: bytes, future: Future[str]) -> None:
        running.discard(key)
        try:
            results.keep(key, future.result())
        except (DocumentError, WorkerLost) as error:
            results.fail(key, str(error))
            told.add(failed=1)
        else:
            told.add(done=1)

    tasks = missing()
    if (first := next(tasks, None)) is None:
        return
    with Crew(workers(), Lines(identity, options)) as crew:
        crew.ready()
        for reading, future in crew.each(chain([first], tasks)):
            keep(reading.key, future)


class _Progress:
    """Counts, and says how far it is: often on a terminal, now and then in a log."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.done = self.failed = self.before = 0
        self._begun = self._last = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def add(self, *, done: int = 0, failed: int = 0, before: int = 0) -> None:
        """Count, and say so if it is time."""
        self.done += done
        self.failed += failed
        self.before += before
        now = time.monotonic()
        if now - self._last >= (1.0 if self._terminal else EVERY):
            self._last = now
            click.echo(
                ("\r\x1b[K" if self._terminal else "") + self.line(),
                err=True,
                nl=not self._terminal,
            )

    def line(self) -> str:
        """Return how far it is."""
        seconds = max(time.monotonic() - self._begun, 1e-6)
        rate = 3600 * self.done / seconds
        of = "" if self.total is None else f" of {self.total:,}"
        return (
            f"{self.done + self.failed + self.before:,}{of} documents: {self.done:,} analysed "
            f"({rate:,.0f} an hour), {self.before:,} done before, {self.failed:,} not readable."
        )
