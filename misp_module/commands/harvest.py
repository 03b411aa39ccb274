"""``ttpscribe misp harvest``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from engine.errors import UsageError
from engine.harvest import Harvest
from misp_module.asking import InstanceError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of sentences.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def harvest(*, as_json: bool, quiet: bool) -> int:
    """Record what analysts did with techniques in MISP.

    Looks at the events that changed since the last harvest and compares them with what ttpscribe
    wrote: techniques taken off, put on or called wrong become verdicts in the ledger, and finished
    events count as curated. Nothing in MISP is changed. The first harvest looks at all events;
    one that breaks off is gone on with by the next.

    Ends with code 7 where MISP does not answer, or stopped answering half-way.
    """
    from engine.ledger import Ledger
    from misp_module.harvester import from_settings

    harvester = from_settings()
    if harvester is None:
        raise UsageError(
            "No MISP is set. Set TTPSCRIBE_MISP_URL, and TTPSCRIBE_MISP_KEY or "
            "TTPSCRIBE_MISP_KEY_FILE."
        )

    def advance(told: str) -> None:
        if not quiet:
            click.echo(told, err=True)

    try:
        with Ledger.open() as ledger:
            done = harvester.harvest(ledger, advance)
    finally:
        harvester.close()
    click.echo(json.dumps(asdict(done), indent=2) if as_json else _sentences(done))
    return 0 if done.complete else InstanceError.exit_code


def _sentences(done: Harvest) -> str:
    lines = [
        f"{done.reports} events looked at: {done.verdicts} new verdicts, "
        f"{done.curated} newly curated."
    ]
    if done.withdrawn:
        lines.append(f"{done.withdrawn} verdicts were taken back.")
    if done.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(done.skipped.items()))
        lines.append(f"No verdicts: {reasons}.")
    return "\n".join([*lines, *done.notes])
