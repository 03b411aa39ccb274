"""``ttpscribe labels``: what was learned from, what is doubtful, what to judge next."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from engine.errors import TtpscribeError
from engine.ledger.database import URL_VARIABLE
from training.commands.nightly import MARKINGS

if TYPE_CHECKING:
    from engine.harvest import Harvester
    from engine.ledger import Ledger
    from training.labels.verdicts import Doubt, VerdictSettings

EXAMPLES = """\b
Examples:
  ttpscribe labels queue --number 20
  ttpscribe labels queue --mark
  ttpscribe labels suspicious
  ttpscribe labels list
"""

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON lines.")
tlp_option = click.option(
    "--max-tlp", type=click.Choice(MARKINGS), default="TLP:AMBER", show_default=True,
    help="Reports marked above it are left out.",
)  # fmt: skip


@click.group(epilog=EXAMPLES)
@click.option(
    "--ledger", "url", metavar="URL", envvar=URL_VARIABLE, show_envvar=True,
    help="The ledger; the user's own by default.",
)  # fmt: skip
@click.pass_context
def labels(ctx: click.Context, url: str | None) -> None:
    """Look at what analysts' verdicts teach, and choose what to judge next."""
    ctx.obj = url


@labels.command()
@click.option("--number", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--mark", is_flag=True,
    help="Mark these reports on their platforms, and take the mark off all others.",
)  # fmt: skip
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV.")
@json_option
@tlp_option
@click.pass_obj
def queue(
    url: str | None, *, number: int, mark: bool, as_csv: bool, as_json: bool, max_tlp: Any
) -> int:
    """List the reports whose verdicts would teach most.

    Where a platform cannot be asked to mark its own, the list comes all the same, and the exit
    code is that error's.
    """
    from engine.analysis import Engine
    from training.labels.verdicts import VerdictSettings
    from training.queue import queue as make

    with _opened(url) as (ledger, harvesters):
        settings = VerdictSettings(max_tlp=max_tlp)
        entries = make(ledger, Engine.open(), settings, number, harvesters)
        done: dict[tuple[str, str], str] = {}
        code = 0
        for platform, harvester in harvesters.items() if mark else ():
            own = [entry for entry in entries if entry.platform == platform]
            try:
                marked = harvester.mark(own)
            except TtpscribeError as error:
                click.echo(f"{platform}: {error}", err=True)
                code, marked = error.exit_code, {each.report: "not known" for each in own}
            done |= {(platform, report): what for report, what in marked.items()}
    rows = [
        {
            "platform": entry.platform,
            "report": entry.report,
            "priority": round(entry.priority, 3),
            "techniques": list(entry.techniques),
            "why": entry.why,
            **({"mark": done.get((entry.platform, entry.report), "no harvester")} if mark else {}),
        }
        for entry in entries
    ]
    if as_csv:
        _csv(rows)
    elif as_json:
        _json(rows)
    elif not rows:
        click.echo("There is nothing to judge: every enriched report is curated or plain.")
    else:
        _table(rows)
    return code


@labels.command()
@tlp_option
@click.pass_obj
def freeze(url: str | None, *, max_tlp: Any) -> None:
    """Freeze a label set of what the ledger holds now, without training."""
    from training.labels.verdicts import VerdictSettings, frozen
    from training.labels.verdicts.suspicious import suspicious

    with _opened(url) as (ledger, harvesters):
        made, reader = _freeze(ledger, harvesters, VerdictSettings(max_tlp=max_tlp))
        path = frozen.write(made)
        frozen.keep_suspicious(made.name, suspicious(made, reader))
    _json([_facts(made.name)])
    click.echo(f"In {path}", err=True)


@labels.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the frozen label sets, oldest first."""
    from training.labels.verdicts import frozen

    rows = [_facts(name) for name in frozen.names()]
    if as_json:
        _json(rows)
    elif not rows:
        click.echo("No label set was frozen yet. Make one: ttpscribe labels freeze")
    else:
        _table(rows)


@labels.command()
@click.argument("name", required=False)
@json_option
def suspicious(name: str | None, *, as_json: bool) -> None:
    """List labels of a frozen set (the newest) that the models doubt: worth a second look."""
    _doubts(name, "suspicious", "The models doubt no label.", as_json=as_json)


@labels.command()
@click.argument("name", required=False)
@json_option
def disagreements(name: str | None, *, as_json: bool) -> None:
    """List where analysts contradict each other in a frozen set (the newest)."""
    _doubts(name, "disagreements", "The analysts agree.", as_json=as_json)


@contextmanager
def _opened(url: str | None) -> Iterator[tuple[Ledger, Mapping[str, Harvester]]]:
    from engine.harvest import harvesters
    from engine.ledger import Ledger

    with Ledger.open(url) as ledger, harvesters() as found:
        yield ledger, {harvester.platform: harvester for harvester in found}


def _freeze(
    ledger: Ledger, harvesters: Mapping[str, Harvester], settings: VerdictSettings
) -> tuple[Any, Any]:
    from engine.knowledge import Knowledge
    from engine.releases import open_default
    from training.labels.verdicts import Freezing, freeze
    from training.nightly.progress import shown
    from training.readings import Reader

    reader = Reader(open_default(), Knowledge.load())
    with shown() as steps:
        given = Freezing(ledger, harvesters, reader, settings)
        return freeze(given, datetime.now(UTC).replace(microsecond=0), steps=steps), reader


def _facts(name: str) -> dict[str, Any]:
    from training.labels.verdicts import frozen

    found = frozen.load(name)
    return {
        "name": found.name,
        "learned from": len(found.train),
        "held back": len(found.held),
        **{key: value for key, value in asdict(found.counts).items() if value},
        "erased": len(found.erased),
        "not in ATT&CK": list(found.unmapped),
    }


def _doubts(name: str | None, which: str, none: str, *, as_json: bool) -> None:
    from engine.errors import TrainingDataError
    from training.labels.verdicts import frozen

    known = frozen.names()
    if name is None and not known:
        raise TrainingDataError("No label set was frozen yet. Make one: ttpscribe labels freeze")
    found: Iterable[Doubt] = getattr(frozen.load(name or known[-1]), which)
    rows = [asdict(doubt) for doubt in found]
    if as_json:
        _json(rows)
    elif not rows:
        click.echo(none)
    else:
        _table(rows)


def _json(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


def _csv(rows: list[dict[str, Any]]) -> None:
    names = list(rows[0]) if rows else ["platform", "report", "priority", "techniques", "why"]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    # A spreadsheet would run what begins so.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    names = list(dict.fromkeys(name for row in rows for name in row))
    # What is copied into the next command is never cut off.
    columns = (Column(n[:1].upper() + n[1:], no_wrap=n in ("name", "report")) for n in names)
    table = Table(*columns, box=None)
    for row in rows:
        cells = (row.get(name, "") for name in names)
        table.add_row(*(Text(", ".join(c) if isinstance(c, list) else str(c)) for c in cells))
    Console().print(table)
