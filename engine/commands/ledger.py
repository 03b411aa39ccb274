"""``ttpscribe ledger``: look into the ledger, move it, take things out of it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from engine.errors import LedgerError, UsageError
from engine.ledger import Ledger, Verdict
from engine.ledger.database import URL_VARIABLE
from engine.ledger.keepers import keepers

EXAMPLES = """\b
Examples:
  ttpscribe ledger info
  ttpscribe ledger verdicts 6f2c9d1e-4d5b-4c64-9d0b-9b1f6f3d0a55
  ttpscribe ledger export --output ledger.jsonl
  ttpscribe ledger --ledger postgresql://ttpscribe@db/ledger import ledger.jsonl
  ttpscribe ledger prune --older-than 365d
"""

_AGE = re.compile(r"(\d{1,6})\s*(h|d|w)")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

platform_option = click.option(
    "--platform", metavar="NAME", help="Only where the report is of this platform."
)


@click.group(epilog=EXAMPLES)
@click.option(
    "--ledger",
    "url",
    metavar="URL",
    envvar=URL_VARIABLE,
    show_envvar=True,
    help="A file, sqlite:///PATH or postgresql://USER@HOST/NAME; the user's own by default. "
    "Passwords belong in the variable, or in ~/.pgpass.",
)
@click.pass_context
def ledger(ctx: click.Context, url: str | None) -> None:
    """Look into the record of what was read, written and judged."""
    ctx.obj = url


@ledger.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table.")
@click.pass_obj
def info(url: str | None, *, as_json: bool) -> None:
    """Say where the ledger is and how much is in it."""
    with Ledger.open(url) as opened:
        facts: dict[str, Any] = {
            "location": opened.location,
            "schema": opened.schema,
            "reports": len(opened.reports()),
            "rows": opened.counts(),
        }
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(f"Ledger: {facts['location']}"))
    console.print(Text(f"Schema: {facts['schema']}"))
    console.print(Text(f"Reports: {facts['reports']:,}"))
    table = Table("Table", box=None)
    table.add_column("Rows", justify="right")
    for name, count in sorted(facts["rows"].items()):
        table.add_row(name, f"{count:,}")
    console.print(table)


@ledger.command()
@click.argument("report")
@platform_option
@click.option("--all", "all_", is_flag=True, help="Also verdicts that were replaced or withdrawn.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines instead of a table.")
@click.pass_obj
def verdicts(
    url: str | None, report: str, *, platform: str | None, all_: bool, as_json: bool
) -> None:
    """Show what analysts did with the techniques of a REPORT."""
    with Ledger.open(url) as opened:
        found: list[Verdict] = []
        withdrawn: dict[str, datetime] = {}  # by the verdict's id
        for name in _platforms(opened, report, platform):
            history = opened.history(name, report)
            current = set(opened.current_verdicts(name, report).values())
            taken_back = opened.withdrawn(name, report) if all_ else ()
            withdrawn |= {verdict.id: withdrawal.at for verdict, withdrawal in taken_back}
            found += [verdict for verdict in history if all_ or verdict in current]
            found += [verdict for verdict, _ in taken_back]
    found.sort(key=lambda verdict: (verdict.platform, verdict.at))
    if as_json:
        for verdict in found:
            at = withdrawn.get(verdict.id)
            fields = {**_fields(verdict), "withdrawn": at.isoformat() if at else None}
            click.echo(json.dumps(fields, ensure_ascii=False))
        return
    if not found:
        click.echo("No analyst has judged a technique of this report yet.")
        return
    judged = Column("Verdict", no_wrap=True)
    table = Table("When", "Platform", "Technique", judged, "Who", "Known by", "Sure", box=None)
    for verdict in found:
        table.add_row(
            verdict.at.strftime("%Y-%m-%d %H:%M UTC"),
            verdict.platform,
            verdict.technique,
            verdict.verdict + (", withdrawn" if verdict.id in withdrawn else ""),
            Text(verdict.who or "unknown"),
            Text(verdict.known_by),
            f"{verdict.confidence:.0%}",
        )
    Console().print(table)


@ledger.command()
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="Instead of printing it."
)
@click.pass_obj
def export(url: str | None, output: Path | None) -> None:
    """Write the ledger as JSON lines, but for the journal of running work."""
    with Ledger.open(url) as opened:
        if output is None:
            opened.export(sys.stdout)
            return
        # A file of half an export would pass for a whole one.
        partial = output.with_name(f".{output.name}.partial")
        try:
            with partial.open("w", encoding="utf-8") as stream:
                counts = opened.export(stream)
            partial.replace(output)
        except OSError as error:
            raise LedgerError(f"{output} cannot be written: {error.strerror}.") from error
        finally:
            partial.unlink(missing_ok=True)
    click.echo(f"Written to {output}: {_summary(counts)}", err=True)


@ledger.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.pass_obj
def import_(url: str | None, file: Path) -> None:
    """Add what an export in FILE holds and the ledger does not (- for standard input)."""
    with Ledger.open(url) as opened:
        if str(file) == "-":
            counts = opened.import_(sys.stdin)
        else:
            try:
                with file.open(encoding="utf-8") as stream:
                    counts = opened.import_(stream)
            except OSError as error:
                raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    click.echo(f"New: {_summary(counts)}")


@ledger.command()
@click.argument("report")
@platform_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(url: str | None, report: str, *, platform: str | None, yes: bool) -> None:
    """Take away every word of a REPORT: its texts and its evidence sentences.

    Frozen label sets lose the report's words too; releases trained on them hold none.

    Techniques, verdicts and digests stay, so that analysts' edits are still respected. Work on
    the report that is not finished ends as failed.
    """
    with Ledger.open(url) as opened:
        names = _platforms(opened, report, platform)
        if not yes:
            click.confirm(f"Erase the words of report {report} ({', '.join(names)})?", abort=True)
        for name in names:
            click.echo(f"{name}: erased {_summary(opened.erase(name, report))}")
            for kept, keeper in keepers():
                if number := keeper.erase(name, report):
                    click.echo(f"{name}: erased from {number} {kept}")


@ledger.command()
@click.option("--older-than", metavar="AGE", required=True, help="For example 48h, 365d or 52w.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def prune(url: str | None, older_than: str, *, yes: bool) -> None:
    """Take away what is old and no longer needed.

    Words (texts, evidence) of that age go. What keeps an analyst's edit from being undone stays
    at any age.
    """
    match = _AGE.fullmatch(older_than.strip().lower())
    if match is None:
        raise UsageError(f"{older_than!r} is no age. Write for example 48h, 365d or 52w.")
    age = timedelta(**{_UNITS[match[2]]: int(match[1])})
    with Ledger.open(url) as opened:
        if not yes:
            click.confirm(f"Prune what is older than {older_than}?", abort=True)
        click.echo(f"Gone: {_summary(opened.prune(age))}")
    for kept, keeper in keepers():
        if number := keeper.prune(datetime.now(UTC) - age):
            click.echo(f"Gone: {number} {kept}")


def _platforms(opened: Ledger, report: str, platform: str | None) -> list[str]:
    """Return the platforms that a report is known of, in the ledger."""
    names = [name for name, known in opened.reports(platform) if known == report]
    if not names:
        raise UsageError(
            f"The ledger at {opened.location} knows no report {report}"
            f"{f' of {platform}' if platform else ''}. Reports are named by their platform's id."
        )
    return names


def _fields(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "at": verdict.at.isoformat()}


def _summary(counts: Mapping[str, int]) -> str:
    some: Iterable[str] = (f"{count:,} {name}" for name, count in counts.items() if count)
    return ", ".join(some) or "nothing"
