"""``ttpscribe train nightly`` and ``ttpscribe train schedule``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import UsageError
from engine.ledger.database import URL_VARIABLE

if TYPE_CHECKING:
    from training.nightly.night import Night
    from training.nightly.settings import NightlySettings

MARKINGS = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED")
ENDINGS = """\b
Exit codes:
  0   the night ended as it should: published, refused, or nothing to learn from
  6   labels cannot be read or learned from, or the disk is full
  7   the ledger cannot be opened
  20  another nightly is running
  21  the time budget is spent; the next call goes on
  22  as 0, but a platform could not be harvested to the end

\b
Examples:
  ttpscribe train nightly --dry-run
  ttpscribe train nightly --max-tlp TLP:GREEN --budget 120
  ttpscribe train nightly --data reports/ --part trained/encoder
  ttpscribe train nightly --data reports/ --checkpoint trained/encoder/kept
  0 2 * * *  ttpscribe train nightly --quiet     (a line of crontab)
"""
EXIT_INCOMPLETE = 22


def night_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a night can be told to a command."""
    path = click.Path(path_type=Path, exists=True)
    folder = click.Path(path_type=Path, exists=True, file_okay=False)
    options = (
        click.option(
            "--ledger", "url", metavar="URL", envvar=URL_VARIABLE, show_envvar=True,
            help="The ledger; the user's own by default.",
        ),
        click.option(
            "--data", type=path, multiple=True,
            help="Labelled text to train anew from, beside adapting the champion; repeatable.",
        ),
        click.option(
            "--part", type=folder,
            help="With --data: what 'train encoder --cross-validate' made of it, used as it is.",
        ),
        click.option(
            "--checkpoint", type=folder,
            help="With --data: an encoder to train on verdicts too: the folder 'kept' that 'train "
            "encoder' left, or a Hugging Face encoder.",
        ),
        click.option(
            "--encoder", type=click.Choice(["never", "enough", "weekly", "nightly"]),
            default="weekly", show_default=True,
            help="With --checkpoint: when it is trained. enough: when --encoder-verdicts are new; "
            "weekly: then, and when a week has gone by; nightly: when any is. On other nights the "
            "encoder trained last is used.",
        ),
        click.option(
            "--encoder-verdicts", type=click.IntRange(1), default=200, show_default=True,
            help="So many verdicts that the encoder has not learned from are enough.",
        ),
        click.option(
            "--go-on", is_flag=True,
            help="Go on from the encoder trained last, rather than from --checkpoint again.",
        ),
        click.option(
            "--test", type=path, multiple=True,
            help="Labelled reports that no release has learned from, for the gate; repeatable.",
        ),
        click.option(
            "--max-tlp", type=click.Choice(MARKINGS), default="TLP:AMBER", show_default=True,
            help="Reports marked above it are never learned from.",
        ),
        click.option(
            "--least-verdicts", type=click.IntRange(1), default=30, show_default=True,
            help="Publish nothing on fewer.",
        ),
        click.option(
            "--least-documents", type=click.IntRange(2), default=10, show_default=True,
            help="Publish nothing that was compared on fewer judged reports held back.",
        ),
        click.option(
            "--budget", type=click.FloatRange(0, min_open=True), metavar="MINUTES",
            help="Stop after so long; the next call goes on.",
        ),
        click.option(
            "--harvest/--no-harvest", default=True, show_default=True,
            help="Ask the platforms first.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command(epilog=ENDINGS)
@night_options
@click.option("--dry-run", is_flag=True, help="Show the decision and publish nothing.")
@click.option("--status", is_flag=True, help="Show the steps of the last night instead.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
def nightly(
    url: str | None, *, dry_run: bool, status: bool, as_json: bool, quiet: bool, **given: Any
) -> int:
    """Learn from what analysts did since the last night.

    Harvests verdicts from the platforms that are configured here, freezes a label set, trains
    challengers, compares them with the champion on reports that neither has seen, and publishes
    the better one only if it is better beyond doubt. A night that was broken off goes on where it
    was. Undo: ttpscribe releases rollback
    """
    if status:
        return _status()
    settings = settings_of(given, dry_run=dry_run)
    night = run(url, settings, quiet=quiet)
    if as_json:
        click.echo(json.dumps(summary(night), indent=1))
    else:
        _print(night)
    return 0 if all(one.complete for one in night.harvests) else EXIT_INCOMPLETE


def settings_of(given: dict[str, Any], *, dry_run: bool = False) -> NightlySettings:
    """Make settings of the options."""
    from training.gate import GateSettings
    from training.labels.verdicts import VerdictSettings
    from training.nightly.settings import NightlySettings

    if not given["data"] and (given["part"] or given["checkpoint"]):
        raise UsageError("--part and --checkpoint go with --data: they belong to seed data.")
    if given["go_on"] and not given["checkpoint"]:
        raise UsageError("--go-on goes with --checkpoint: the first night begins with it.")
    return NightlySettings(
        data=given["data"],
        part=given["part"],
        checkpoint=given["checkpoint"],
        encoder=given["encoder"],
        encoder_verdicts=given["encoder_verdicts"],
        go_on=given["go_on"],
        test=given["test"],
        harvest=given["harvest"],
        dry_run=dry_run,
        budget_minutes=given["budget"],
        verdicts=VerdictSettings(max_tlp=given["max_tlp"]),
        gate=GateSettings(
            least_verdicts=given["least_verdicts"], least_documents=given["least_documents"]
        ),
    )


def run(url: str | None, settings: NightlySettings, *, quiet: bool) -> Night:
    """Run one night on what is configured on this machine."""
    from engine.harvest import harvesters
    from engine.knowledge import Knowledge
    from engine.ledger import Ledger
    from training.nightly.progress import say, shown
    from training.nightly.run import Nightly
    from training.progress import NO_STEPS

    with Ledger.open(url) as ledger, harvesters() as found, shown() as steps:
        if not found and settings.harvest and not quiet:
            say("No platform is configured here: learning from what the ledger holds already.")
        return Nightly(
            ledger=ledger,
            harvesters=found,
            knowledge=Knowledge.load(),
            settings=settings,
            steps=NO_STEPS if quiet else steps,
            tell=(lambda _: None) if quiet else say,
        ).run()


@click.command(
    epilog="Example: ttpscribe train schedule --cron '0 2 * * *' --max-tlp TLP:GREEN"
)  # fmt: skip
@click.option(
    "--cron", default="0 2 * * *", show_default=True, help="When, in the words of crontab."
)
@night_options
def schedule(url: str | None, *, cron: str, **given: Any) -> None:
    """Run the nightly by the clock of this machine, for those without a scheduler.

    Runs until it is stopped. A night that fails is told and tried again at the next time; two
    never run at once.
    """
    from apscheduler.schedulers.blocking import BlockingScheduler
    from apscheduler.triggers.cron import CronTrigger

    from engine.errors import TtpscribeError
    from training.nightly.progress import say

    settings = settings_of(given)
    try:
        trigger = CronTrigger.from_crontab(cron)
    except ValueError as error:
        raise UsageError(
            f"'{cron}' is no time of crontab ({error}). Five fields: minute, hour, day, month, day "
            "of the week; every night at two: '0 2 * * *'."
        ) from error

    def one() -> None:
        try:
            night = run(url, settings, quiet=False)
            say(f"Night {night.run}: {outcome(night)}")
        except TtpscribeError as error:
            say(f"The night was not finished: {error}")

    scheduler = BlockingScheduler()
    # A night that the machine slept through is made up for within six hours, once.
    scheduler.add_job(one, trigger, max_instances=1, coalesce=True, misfire_grace_time=6 * 3600)
    say(f"Next night: {scheduler_next(trigger)}")
    scheduler.start()


def scheduler_next(trigger: Any) -> str:
    """Say when a trigger fires next."""
    from datetime import datetime

    now = datetime.now(trigger.timezone)
    return f"{trigger.get_next_fire_time(None, now):%Y-%m-%d %H:%M %Z}"


def outcome(night: Night) -> str:
    """Say in a sentence how a night ended."""
    if night.labels is None:
        return "There was nothing to learn from."
    if night.trial is None:
        return "No challenger was trained."
    decision = night.trial.decision
    if night.published:
        return f"{decision.challenger} is the champion now. Back: ttpscribe releases rollback"
    if decision.publish:
        return f"{decision.challenger} would have been published."
    return f"{decision.champion} stays the champion. {' '.join(decision.reasons)}"


def summary(night: Night) -> dict[str, Any]:
    """Return what a program wants to know of a night."""
    trial = night.trial
    return {
        "run": night.run,
        "directory": str(night.directory),
        "labels": night.labels.name if night.labels else None,
        "verdicts": night.labels.counts.verdicts if night.labels else 0,
        "challenger": night.challenger.name if night.challenger else None,
        "published": night.published,
        "outcome": outcome(night),
        "decision": trial.decision.to_dict() if trial else None,
        "harvests": [
            {
                "platform": one.platform,
                "verdicts": one.verdicts,
                "curated": one.curated,
                "complete": one.complete,
                "skipped": dict(one.skipped),
            }
            for one in night.harvests
        ],
    }


def _print(night: Night) -> None:
    from rich.console import Console

    from training.gate import print_decision

    console = Console(highlight=False)
    for one in night.harvests:
        skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(one.skipped.items()))
        console.print(
            f"{one.platform}: {one.verdicts} verdicts and {one.curated} curated reports are new"
            f"{f' (no verdicts: {skipped})' if skipped else ''}"
            f"{'' if one.complete else '; not harvested to the end'}."
        )
    if night.labels is not None:
        counts = night.labels.counts
        console.print(
            f"Label set {night.labels.name}: {len(night.labels.train)} reports to learn from, "
            f"{len(night.labels.held)} held back; {counts.confirmed} confirmed, {counts.rejected} "
            f"rejected, {counts.added} added."
        )
    if night.trial is not None:
        print_decision(night.trial.decision, console)
    console.print(outcome(night), soft_wrap=True)


def _status() -> int:
    from training.nightly import journal

    found = journal.last()
    if found is None:
        click.echo("There was no night yet.")
        return 0
    click.echo(f"Night {found.run}, begun {found.began:%Y-%m-%d %H:%M}Z, in {found.folder}")
    for step in ("harvest", "freeze", "train", "decide", "publish", "card", "tell"):
        click.echo(f"  {step:8} {'done' if found.done(step) else '-'}")
    return 0
