"""``ttpscribe misp check``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from misp_module import check as checking
from misp_module import settings

_STYLES = {"good": "green", "wrong": "bold red", "unknown": "yellow"}


@click.command()
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that the modules were installed to.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table.")
def check(root: Path | None, *, as_json: bool) -> int:
    """Check the release, the modules server, and the MISP instance with its tags.

    Ends with code 1 where something is wrong.
    """
    checks = list(checking.check(settings.load(), root))
    if as_json:
        click.echo(json.dumps(checking.as_json(checks), indent=2))
    else:
        table = Table(box=None, show_header=False)
        for one in checks:
            table.add_row(Text(one.state, _STYLES[one.state]), one.subject, Text(one.told))
        Console().print(table)
    return int(any(one.state == "wrong" for one in checks))
