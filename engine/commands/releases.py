"""``ttpscribe releases``: which models are there, and which of them are in use."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from engine.errors import ReleaseError, UsageError
from engine.paths import CARD, cards_directory
from engine.releases import Manifest, Release, ReleaseStore
from engine.releases.store import PINNED, Entry

as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table.")


EXAMPLES = """\b
Examples:
  ttpscribe releases list
  ttpscribe releases show --json
  ttpscribe releases show 2026-11 --card
  ttpscribe releases import ./nightly-2026-11-30 --use
  ttpscribe releases rollback
"""


@click.group(epilog=EXAMPLES)
def releases() -> None:
    """Choose between sets of trained models, and check them."""


@releases.command("list")
@as_json
def list_(*, as_json: bool) -> None:
    """List all releases; a star marks the one in use."""
    store = ReleaseStore()
    entries = store.list()
    if as_json:
        _print_json([_entry_fields(entry) for entry in entries])
        return
    if not entries:
        store.champion_name()  # Says what to do where there is none.
    name = Column("Release", no_wrap=True)  # to be copied into another command
    table = Table("", name, "Made", "ATT&CK", "Techniques", "Size", "From", box=None)
    for entry in entries:
        star = "*" if entry.champion else ""
        if entry.manifest is None:
            table.add_row(star, entry.name, "[red]damaged[/]", "", "", "", entry.origin)
            continue
        manifest = entry.manifest
        techniques = str(len(manifest.techniques))
        size = _size(sum(manifest.sizes.values()))
        made = _utc(manifest.created)
        table.add_row(
            star, entry.name, made, manifest.attack_version, techniques, size, entry.origin
        )
    Console().print(table)
    for entry in entries:
        if entry.problem:
            click.echo(f"\n{entry.name}: {entry.problem}", err=True)
    _warn_if_pinned()


@releases.command()
@click.argument("release", required=False)
@as_json
@click.option("--card", is_flag=True, help="Print only where the release's card is.")
def show(release: str | None, *, as_json: bool, card: bool) -> None:
    """Show the models of a RELEASE and their figures.

    RELEASE is a name, or a directory (with a slash in it); without one, the release in use.
    """
    store = ReleaseStore()
    kept = cards_directory() / f"{release}{CARD}"
    if card and release and "/" not in release and kept.is_file():
        click.echo(kept)  # A challenger that was refused has a card and is not in the store.
        return
    opened = store.open(release or store.champion_name())
    page = _card(opened)
    if card:
        if page is None:
            raise UsageError(
                f"There is no card of {opened.name} yet. Make one: ttpscribe train card "
                f"{release or opened.name}"
            )
        click.echo(page)
        return
    if as_json:
        fields = {"path": str(opened.path), "digest": opened.digest, "card": page and str(page)}
        _print_json({**json.loads(opened.manifest.to_json()), **fields})
        return
    console = Console()
    console.print(_facts(opened))
    console.print(_operating_points(opened.manifest))
    if opened.manifest.figures:
        console.print(_figures(opened.manifest))


@releases.command()
@click.argument("name")
def use(name: str) -> None:
    """Put the release NAME to use.

    A running process takes it up by itself.
    """
    release = ReleaseStore().use(name)
    click.echo(f"In use: {release.name}")
    _warn_if_pinned()


@releases.command()
def rollback() -> None:
    """Go back to the release that was in use before."""
    store = ReleaseStore()
    release = store.rollback()
    click.echo(f"In use again: {release.name}")
    _warn_if_pinned()


@releases.command()
@click.argument("names", nargs=-1)
@as_json
def verify(names: tuple[str, ...], *, as_json: bool) -> int:
    """Check every file of releases against its hash.

    Without NAMES all of them. Ends with code 5 if any of them is damaged.
    """
    store = ReleaseStore()
    results: list[dict[str, Any]] = []
    for name in names or [entry.name for entry in store.list()]:
        try:
            release = store.verify(name)
        except ReleaseError as error:
            results.append({"release": name, "intact": False, "problem": str(error)})
        else:
            results.append({"release": name, "intact": True, "digest": release.digest})
    if as_json:
        _print_json(results)
    else:
        for result in results:
            problem = result.get("problem")
            click.echo(f"{result['release']}: {problem or 'intact'}", err=bool(problem))
    return 0 if all(result["intact"] for result in results) else ReleaseError.exit_code


@releases.command("import")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--use", "use_it", is_flag=True, help="Make it the release in use as well.")
def import_(directory: Path, *, use_it: bool) -> None:
    """Take the release in DIRECTORY into the store.

    Nothing is taken in if a hash does not hold, or if its name is taken by another release.
    """
    store = ReleaseStore()
    release = store.publish(directory)
    click.echo(f"Taken in: {release.name} ({release.path})")
    if use_it:
        store.use(release.name)
        click.echo(f"In use: {release.name}")
        _warn_if_pinned()
    else:
        click.echo(f"To use it: ttpscribe releases use {release.name}")


def _entry_fields(entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "name": entry.name,
        "champion": entry.champion,
        "origin": entry.origin,
        "path": str(entry.path),
        "problem": entry.problem,
        "created": manifest and json.loads(manifest.to_json())["created"],
        "attack_version": manifest and manifest.attack_version,
        "techniques": manifest and len(manifest.techniques),
        "sizes": manifest and manifest.sizes,
    }


def _card(release: Release) -> Path | None:
    """Return where the page about a release is: beside it, or with those of the store."""
    places = (
        folder / f"{release.name}{CARD}" for folder in (release.path.parent, cards_directory())
    )
    return next((place for place in places if place.is_file()), None)


def _facts(release: Release) -> Table:
    manifest = release.manifest
    facts = Table(title=release.name, title_justify="left", show_header=False, box=None)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("Path", str(release.path))
    facts.add_row("Digest", release.digest)
    facts.add_row("Card", str(_card(release) or f"none yet: ttpscribe train card {release.name}"))
    facts.add_row("Made", _utc(manifest.created))
    facts.add_row("ATT&CK", f"{manifest.attack_version}, {len(manifest.techniques)} techniques")
    facts.add_row("Recognizers", ", ".join(manifest.recognizers) or "none")
    default = manifest.default_recommender
    recommenders = (
        f"{name} (default)" if name == default else name for name in manifest.recommenders
    )
    facts.add_row("Recommenders", ", ".join(recommenders) or "none")
    for part, size in manifest.sizes.items():
        facts.add_row(f"Size of {part}", _size(size))
    facts.add_row("Training data", manifest.training_data.hash)
    for source in manifest.training_data.sources:
        facts.add_row("", f"{source.name}: {source.records:,} records ({source.licence})")
    return facts


def _operating_points(manifest: Manifest) -> Table:
    columns = ("Operating point", "Write at", "Suggest at", "Sentence at", "Precision", "Recall")
    table = Table(*columns, title="\nWhat to expect", title_justify="left", box=None)
    for name, point in manifest.operating_points.items():
        values = (
            point.write_threshold,
            point.suggest_threshold,
            point.sentence_threshold,
            point.expected_precision,
            point.expected_recall,
        )
        table.add_row(name, *(f"{value:.2f}" for value in values))
    return table


def _figures(manifest: Manifest) -> Table:
    table = Table("Figure", "Value", title="\nCross-validated", title_justify="left", box=None)
    for name, value in _flat(manifest.figures):
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    return table


def _flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in figures.items():
        nested = isinstance(value, dict)
        rows += _flat(value, f"{prefix}{name}.") if nested else [(prefix + name, value)]
    return rows


def _warn_if_pinned() -> None:
    if pinned := os.environ.get(PINNED):
        click.echo(f"{PINNED} pins the release in use to {pinned}; unset it to choose.", err=True)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
