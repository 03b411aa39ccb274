"""``ttpscribe connector harvest``: what analysts did, into the ledger."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from connector.commands.settings import load
from connector.errors import Unavailable
from engine.harvest import Harvest

EPILOG = """\b
Examples:
  ttpscribe connector harvest
  ttpscribe connector harvest --follow
"""


@click.command(epilog=EPILOG)
@click.option(
    "--follow",
    is_flag=True,
    help="Go on with OpenCTI's live stream until ended by a signal.",
)
@click.pass_obj
def harvest(config: Path | None, follow: bool) -> int:
    """Record what analysts did with techniques: verdicts, and which reports are curated.

    Looks at what changed since the last harvest. Broken off, it goes on there the next time; it
    ends with code 21 then.
    """
    settings = load(config)
    from connector.harvester import OpenCTIHarvester
    from engine.ledger import Ledger

    url = settings.ttpscribe.ledger_url
    harvester = OpenCTIHarvester(settings)
    progress = _progress()
    try:
        with Ledger.open(url.get_secret_value() if url else None) as ledger:
            if not follow:
                found = harvester.harvest(ledger, progress)
                progress("")
                _tell(found)
                return 0 if found.complete else Unavailable.exit_code
            for found in harvester.follow(ledger, progress, _until_signal()):
                progress("")
                if found.verdicts or found.withdrawn or found.curated or found.notes:
                    _tell(found)
    finally:
        harvester.close()
    return 0


def _tell(found: Harvest) -> None:
    click.echo(
        f"{found.reports} reports looked at, {found.verdicts} verdicts, "
        f"{found.curated} newly curated."
    )
    if found.withdrawn:
        click.echo(f"{found.withdrawn} verdicts were taken back.")
    if found.skipped:
        passed = ", ".join(f"{number} {reason}" for reason, number in found.skipped.items())
        click.echo(f"No verdicts: {passed}.")
    for note in found.notes:
        click.echo(note, err=True)


def _progress() -> Callable[[str], None]:
    """Return what shows a line that is written over, where somebody watches."""
    if not sys.stderr.isatty():
        return lambda _message: None
    return lambda message: click.echo(f"\r\033[K{message}", err=True, nl=False)


def _until_signal() -> Callable[[], bool]:
    """Return what tells whether the process was asked to end."""
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return lambda: bool(asked)
