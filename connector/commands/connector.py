"""``ttpscribe connector``: run, check, enrich, backfill, harvest."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.harvest import harvest
from connector.commands.settings import load
from connector.errors import ConnectorError
from engine.commands.options import worker_options

if TYPE_CHECKING:
    from connector.connector import Connector
    from connector.settings import Settings
    from engine.analysis import Engine

FAILED = ConnectorError.exit_code
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}

EPILOG = """\b
Examples:
  ttpscribe connector check
  ttpscribe connector run
  ttpscribe connector enrich f8dd73c0-736d-4d58-97a2-82029806ed4d
  ttpscribe connector backfill --since 2026-01-01 --label apt --per-minute 20
  ttpscribe connector backfill --since 2020-01-01 --per-minute 600 --ray 10.0.0.5:6379
  ttpscribe connector harvest
"""


@click.group(epilog=EPILOG)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A config.yml. Environment variables go before it.",
)
@click.pass_context
def connector(ctx: click.Context, config: Path | None) -> None:
    """Enrich reports in OpenCTI, and learn what analysts made of it."""
    ctx.obj = config


@connector.command()
@click.pass_obj
def run(config: Path | None) -> None:
    """Serve OpenCTI until ended by a signal."""
    with _open(load(config)) as opened:
        opened.run()


@connector.command()
@click.pass_obj
def check(config: Path | None) -> int:
    """Look whether everything is there, a line for each part.

    Ends with code 20 if something fails.
    """
    from connector.check import check as look

    failed = False
    for line in look(load(config)):
        state = click.style(f"{line.state:<8}", fg=_COLOURS[line.state])
        click.echo(f"{state}{line.part:<10}{line.says}")
        failed |= line.state == "failed"
    return FAILED if failed else 0


@connector.command()
@click.argument("report_id")
@click.pass_obj
def enrich(config: Path | None, report_id: str) -> int:
    """Enrich one report now, without the queue.

    REPORT_ID is its id in OpenCTI, or its STIX id.
    """
    from connector import orders

    with _open(load(config)) as opened:
        outcome = orders.enrich(opened, orders.find(opened.platform, report_id))
    click.echo(outcome.message, err=outcome.failed)
    return FAILED if outcome.failed else 0


@connector.command()
@click.option(
    "--since",
    type=click.DateTime(),
    required=True,
    help="Reports that came into OpenCTI since then (UTC).",
)
@click.option("--label", help="Only reports that carry this label.")
@click.option(
    "--per-minute",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="How many reports a minute at most.",
)
@worker_options
@click.pass_obj
def backfill(
    config: Path | None,
    since: datetime,
    label: str | None,
    per_minute: int,
    address: str | None,
    workers: int | None,
) -> int:
    """Enrich all reports of the scope.

    Called again, it goes on where it was interrupted; after a new release it begins anew. With
    --ray or --workers the texts of the next reports are analysed there meanwhile.
    """
    from connector import orders
    from connector.ahead import Ahead
    from engine.scale.ahead import engine_ahead

    settings = load(config)
    moment = since.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    done = before = 0
    failures: list[str] = []
    with engine_ahead(address, workers) as engine, _open(settings, engine) as opened:
        series = f"backfill {moment} {label or ''} {opened.analyser.follow_champion()}"
        listed = [
            each
            for kind in settings.connector.scope
            for each in orders.reports(opened.platform, kind, moment, label)
        ]
        with click.progressbar(listed, label="Enriching", file=sys.stderr) as bar:
            for report in engine.sending(bar, Ahead(opened, engine, series)) if engine else bar:
                begun = time.monotonic()
                outcome = orders.enrich_once(opened, report, series)
                if outcome is None:
                    before += 1
                    continue
                if outcome.failed:
                    failures.append(f"{report.name}: {outcome.message}")
                else:
                    done += 1
                time.sleep(max(0.0, 60 / per_minute - (time.monotonic() - begun)))
    click.echo(f"{done} enriched, {len(failures)} failed, {before} done before.")
    for failure in failures:
        click.echo(failure, err=True)
    return FAILED if failures else 0


def _open(settings: Settings, engine: Engine | None = None) -> Connector:
    from connector.analyser import LocalAnalyser
    from connector.connector import Connector

    return Connector.open(settings, analyser=None if engine is None else LocalAnalyser(engine))


connector.add_command(harvest)
