"""``ttpscribe misp enrich`` and ``ttpscribe misp backfill``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from engine.analysis import Engine
from engine.commands.options import worker_options
from engine.errors import TtpscribeError
from misp_module import settings
from misp_module.ahead import Ahead
from misp_module.analyser import ChosenAnalyser, LocalAnalyser
from misp_module.answer import Answerer
from misp_module.settings import Options


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--tag-event/--no-tag-event", default=True, help="Tag the event too."),
        click.option("--local-tags", is_flag=True, help="Keep the tags on this instance."),
        click.option("--fetch-links", is_flag=True, help="Read the pages behind links as well."),
        click.option(
            "--inferences/--no-inferences", default=True, help="Infer further techniques."
        ),
        click.option(
            "--operating-point",
            type=click.Choice(["precise", "balanced", "sensitive"]),
            help="How sure a technique must be.  [default: the site's]",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("event_ids", nargs=-1, required=True, metavar="EVENT_ID...")
@_options
def enrich(event_ids: tuple[str, ...], **chosen: Any) -> int:
    """Read events of the MISP instance, and write their techniques into them.

    EVENT_ID is the number or the uuid of an event. What is there already, and what an analyst
    deleted or rejected, is left alone: running it twice changes nothing.
    """
    return _enrich(event_ids, chosen)


@click.command()
@click.option("--since", default="30d", show_default=True, help="Changed within: 12h, 7d, a date.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many events.")
@worker_options
@_options
def backfill(
    since: str, limit: int | None, address: str | None, workers: int | None, **chosen: Any
) -> int:
    """Enrich all events that changed within a time.

    With --ray or --workers the texts of the next events are analysed there meanwhile.
    """
    from engine.scale.ahead import engine_ahead

    with engine_ahead(address, workers) as engine:
        answerer = _answerer(engine)
        changed = [str(row["uuid"]) for row in answerer.instance().index(since)]
        click.echo(f"{len(changed)} events changed since {since}.")
        events: Iterable[str] = changed[:limit]
        if engine is not None:
            options = Options.parse(chosen, settings.load().operating_point)
            ahead = Ahead(answerer.instance(), engine, options, settings.load())
            events = engine.sending(events, ahead)
        return _enrich(events, chosen, answerer)


def _enrich(events: Iterable[str], chosen: dict[str, Any], answerer: Answerer | None = None) -> int:
    answerer = answerer or _answerer()
    options = Options.parse(chosen, settings.load().operating_point)
    instance = answerer.instance()
    failed = 0
    for event in events:
        try:
            told = answerer.enrich(instance, event, options)
        except TtpscribeError as error:
            failed = error.exit_code
            click.echo(f"event {event}: {error}", err=True)
            continue
        click.echo(f"event {event}: {'; '.join(told)}")
    return failed


def _answerer(engine: Engine | None = None) -> Answerer:
    analyser = ChosenAnalyser(settings.load) if engine is None else LocalAnalyser(engine)
    return Answerer(analyser, settings.load)
