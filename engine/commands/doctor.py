"""``ttpscribe doctor``: every part of a deployment, a line each, with what to do."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from engine.doctor import Line, look

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "unused": "bright_black"}
FAILED = 1

EXAMPLES = """\b
Examples:
  ttpscribe doctor
  ttpscribe doctor --only ledger --only opencti
  ttpscribe doctor --json --strict
  docker compose run --rm cli doctor
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--only", metavar="PART", multiple=True, help="Look at this only; may be given several times."
)
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of lines.")
def doctor(only: tuple[str, ...], *, strict: bool, as_json: bool) -> int:
    """Look at all parts of this deployment, and say what to do where one is not well.

    Looks at the machine, files with secrets, ATT&CK, the champion, the ledger and, where they are
    set up, the engine service, OpenCTI, MISP and the nightly training. Changes nothing.

    Ends with code 1 if something failed; warnings alone do not.
    """
    lines: list[Line] = []
    for line in look(only):
        lines.append(line)
        if not as_json:
            _print(line)
    bad = {"failed", "warning"} if strict else {"failed"}
    well = not any(line.state in bad for line in lines)
    if as_json:
        click.echo(json.dumps({"well": well, "lines": [asdict(line) for line in lines]}, indent=2))
    else:
        _summary(lines)
    return 0 if well else FAILED


def _print(line: Line) -> None:
    state = click.style(f"{line.state:<9}", fg=_STYLES[line.state])
    click.echo(f"{state}{line.part:<12}{line.says}")
    if line.do:
        click.echo(f"{'':<21}→ {line.do}")


def _summary(lines: list[Line]) -> None:
    numbers = {state: sum(line.state == state for line in lines) for state in ("failed", "warning")}
    if not any(numbers.values()):
        click.echo("All is well.")
    else:
        click.echo(", ".join(f"{count} {state}" for state, count in numbers.items() if count) + ".")
