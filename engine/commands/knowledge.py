"""``ttpscribe knowledge``: look ATT&CK ids up, bring a newer release in, go back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.errors import KnowledgeError
from engine.knowledge import Knowledge, Resolution, Technique, normalise_id, store
from engine.knowledge.stix import read_bundle
from engine.knowledge.types import DOMAINS

_TACTIC = re.compile(r"TA\d{4}", re.IGNORECASE)
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


@click.group()
def knowledge() -> None:
    """Look ATT&CK ids up, or bring in a newer release of ATT&CK."""


@knowledge.command()
@click.argument("what", metavar="ID_OR_NAME...", nargs=-1, required=True)
def show(what: tuple[str, ...]) -> None:
    """Say what ids or names stand for today: T1086, t1059/001, TA0002, "Process Hollowing"."""
    known = Knowledge.load()
    missing = []
    for item in what:
        lines = _describe(known, item)
        if lines is None:
            missing.append(item)
        else:
            click.echo("\n".join(lines))
    if missing:
        raise KnowledgeError(
            f"Not in ATT&CK {known.version}: {', '.join(missing)}. Check the spelling, or bring "
            "in a newer release: ttpscribe knowledge update --stix FILE"
        )


@knowledge.command()
def info() -> None:
    """Say which release of ATT&CK is in use, how large it is and where it is from."""
    known = Knowledge.load()
    own = known.path != store.SHIPPED
    table = Table(box=None, pad_edge=False)
    for heading in ("domain", "release", "techniques", "sub-techniques", "tactics", "read from"):
        table.add_column(heading, justify="left" if heading in ("domain", "read from") else "right")
    for domain in DOMAINS:
        source = known.sources.get(domain)
        if source is None:
            continue
        techniques = known.techniques(domain)
        subs = sum(t.parent is not None for t in techniques)
        table.add_row(
            domain,
            source.version,
            str(len(techniques) - subs),
            str(subs),
            str(len(known.tactics(domain))),
            Text(source.origin),
        )
    revoked = sum(w.status == "revoked" for w in known.withdrawn)
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(f"ATT&CK {known.version}, {'updated by you' if own else 'as shipped'}"))
    console.print(Text(f"File: {known.path}"))
    console.print(table)
    console.print(
        Text(f"No longer in use: {revoked} revoked, {len(known.withdrawn) - revoked} deprecated.")
    )


@knowledge.command()
@click.option(
    "--stix",
    metavar="FILE",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Official STIX bundle of a domain (enterprise, mobile, ICS); may be repeated.",
)
@click.argument("more", metavar="[FILE...]", type=click.Path(path_type=Path), nargs=-1)
@click.option("--attack-version", metavar="X.Y", help="Release of bundles that do not say it.")
@click.option("--force", is_flag=True, help="Accept an older or a much smaller release, too.")
def update(
    stix: tuple[Path, ...], more: tuple[Path, ...], attack_version: str | None, force: bool
) -> None:
    """Bring in another release of ATT&CK from official STIX bundles.

    Domains without a bundle stay as they are. The shipped knowledge is not touched: go back to
    it with 'ttpscribe knowledge reset'.
    """
    before = Knowledge.load()
    merged = store.update(
        [read_bundle(path, attack_version) for path in (*stix, *more)], force=force
    )
    for domain, source in sorted(merged.sources.items()):
        count = sum(domain in t.domains for t in merged.techniques)
        click.echo(f"{domain}: ATT&CK {source.version}, {count} techniques ({source.origin})")
    _report_changes(before, Knowledge.load())
    click.echo(f"Written to {store.user_path()}")


@knowledge.command()
def reset() -> None:
    """Remove an update and go back to the knowledge that was shipped."""
    removed = store.reset()
    known = Knowledge.load()
    click.echo(
        f"{'Update removed' if removed else 'There was no update'}; in use: "
        f"ATT&CK {known.version}, as shipped."
    )


def _describe(known: Knowledge, item: str) -> list[str] | None:
    """Lines about an id or a name; None where it is unknown."""
    if _TACTIC.fullmatch(item.strip()):
        try:
            tactic = known.tactic(item)
        except KnowledgeError:
            return None
        return [f"{tactic.id} {tactic.name}: tactic ({tactic.domain})"]
    resolution = known.resolve(item)
    if resolution.status != "unknown":
        return _describe_id(known, resolution)
    if _TECHNIQUE.fullmatch(normalise_id(item)):
        return None
    lines: list[str] = []
    for technique in known.by_name(item):
        lines += _details(known, technique)
    gone = [w for w in known.withdrawn if w.name.casefold() == item.strip().casefold()]
    for withdrawn in gone:
        lines += _describe_id(known, known.resolve(withdrawn.id))
    return lines or None


def _describe_id(known: Knowledge, resolution: Resolution) -> list[str]:
    technique = resolution.technique
    if resolution.status == "active" and technique:
        return _details(known, technique)
    if technique:
        via = "".join(f", by way of {step}" for step in resolution.chain[1:-1])
        return [
            f"{resolution.id} {resolution.name}: revoked, now {technique.id} "
            f"{technique.full_name}{via}"
        ]
    if resolution.status == "revoked" and len(resolution.chain) > 1:
        last = known.resolve(resolution.chain[-1])
        return [
            f"{resolution.id} {resolution.name}: revoked for {last.id} {last.name}, which is "
            f"{last.status}; it has no successor"
        ]
    return [f"{resolution.id} {resolution.name}: {resolution.status}; it has no successor"]


def _details(known: Knowledge, technique: Technique) -> list[str]:
    lines = [f"{technique.id} {technique.full_name}: active ({', '.join(technique.domains)})"]
    tactics = [f"{known.tactic(id_).name} ({id_})" for id_ in technique.tactics]
    lines.append(f"  tactics: {', '.join(tactics)}")
    if technique.platforms:
        lines.append(f"  platforms: {', '.join(technique.platforms)}")
    if subs := known.children(technique.id):
        lines.append(f"  sub-techniques: {', '.join(subs)}")
    lines.append(f"  STIX: {technique.stix_id}")
    return lines


def _report_changes(before: Knowledge, after: Knowledge) -> None:
    old, new = ({t.id for t in known.techniques()} for known in (before, after))
    moved = sorted(id_ for id_ in old - new if after.resolve(id_).technique)
    click.echo(
        f"New: {_some(new - old)}. Revoked: {_some(moved)}. "
        f"Deprecated: {_some(old - new - set(moved))}."
    )


def _some(ids: Iterable[str], most: int = 8) -> str:
    listed = sorted(ids)
    if not listed:
        return "none"
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")
