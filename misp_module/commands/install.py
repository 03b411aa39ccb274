"""``ttpscribe misp install``."""

from __future__ import annotations

from pathlib import Path

import click

from misp_module import install as installing


@click.command()
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory of custom modules, given to the server as misp-modules -c ROOT.",
)
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Interpreter with ttpscribe that the worker runs with; this one by default.",
)
def install(root: Path, python: Path | None) -> None:
    """Lay the module files where misp-modules finds them.

    Nothing goes into the environment of misp-modules itself. Run it again after an upgrade.
    """
    written = installing.install(root.absolute(), python)
    click.echo(f"{len(written)} files in {root}: modules {', '.join(installing.module_names())}.")
    click.echo(f"Restart the server: misp-modules -l 127.0.0.1 -p 6666 -c {root.absolute()}")
