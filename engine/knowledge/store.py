"""Which knowledge file is in use: the shipped one, or the user's own after an update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import KnowledgeError
from engine.knowledge.facts import Facts, parse_version, read, write
from engine.knowledge.types import Domain, Technique, Withdrawn
from engine.paths import data_directory

SHIPPED = Path(__file__).with_name("attack.json")
# An official release has never lost more than a fraction of a domain's techniques; a bundle that
# holds fewer than this share of them is an extract, not a release.
SMALLEST_SHARE = 0.6


def user_path() -> Path:
    """Where an updated knowledge file lies: ``knowledge/attack.json`` in the data directory."""
    return data_directory() / "knowledge" / "attack.json"


def current_path() -> Path:
    """Return the file in use: the user's own if there is one, else the shipped one."""
    own = user_path()
    return own if own.is_file() else SHIPPED


def update(bundles: Sequence[Facts], *, force: bool = False) -> Facts:
    """Take over the domains of the given bundles; the other domains stay as they are.

    Parameters
    ----------
    bundles : sequence of Facts
        One a domain, as `engine.knowledge.stix.read_bundle` gives them.
    force : bool
        Accept an older release, or a much smaller one, too.

    Returns
    -------
    Facts
        What was written to `user_path`.

    Raises
    ------
    KnowledgeError
        If two bundles are of one domain, one is older or much smaller than the
        present one, or the file cannot be written.
    """
    present = read(current_path())
    seen: set[str] = set()
    for bundle in bundles:
        for domain in bundle.sources:
            if domain in seen:
                raise KnowledgeError(f"Two of the bundles are of the domain {domain}; give one.")
            seen.add(domain)
            if not force:
                _check(present, bundle, domain)
    merged = present
    for bundle in bundles:
        merged = merge(merged, bundle)
    try:
        write(merged, user_path())
    except OSError as error:
        raise KnowledgeError(
            f"Cannot write {user_path()}: {error.strerror}. Name a directory that can be written "
            "to: export TTPSCRIBE_DATA_DIR=DIR"
        ) from error
    return merged


def reset() -> bool:
    """Go back to the shipped knowledge; return whether there was an update to remove."""
    own = user_path()
    existed = own.is_file()
    own.unlink(missing_ok=True)
    return existed


def merge(present: Facts, new: Facts) -> Facts:
    """Replace the domains that ``new`` holds.

    Ids that ``new`` no longer knows at all stay known, as deprecated, so that what was written
    with them can still be read.
    """
    domains = set(new.sources)
    techniques = {t.id: t for t in new.techniques}
    for old in present.techniques:
        kept = tuple(d for d in old.domains if d not in domains)
        if kept:
            techniques[old.id] = _united(old, kept, techniques.get(old.id), present)
    withdrawn = {w.id: w for w in present.withdrawn if w.id not in techniques}
    withdrawn |= {
        t.id: Withdrawn(t.id, t.name, t.domains[0], "deprecated")
        for t in present.techniques
        if t.id not in techniques
    }
    withdrawn |= {w.id: w for w in new.withdrawn if w.id not in techniques}
    return Facts(
        sources={**present.sources, **new.sources},
        tactics=(*(t for t in present.tactics if t.domain not in domains), *new.tactics),
        techniques=_sorted(techniques.values()),
        withdrawn=tuple(sorted(withdrawn.values(), key=lambda w: w.id)),
    )


def _united(
    old: Technique, kept: tuple[Domain, ...], new: Technique | None, present: Facts
) -> Technique:
    tactics = {t.id for t in present.tactics if t.domain in kept}.intersection(old.tactics)
    old = replace(old, domains=kept, tactics=tuple(sorted(tactics)))
    if new is None:
        return old
    return replace(
        new,
        domains=tuple(dict.fromkeys((*old.domains, *new.domains))),
        tactics=tuple(sorted({*old.tactics, *new.tactics})),
        platforms=tuple(sorted({*old.platforms, *new.platforms})),
    )


def _sorted(techniques: Iterable[Technique]) -> tuple[Technique, ...]:
    return tuple(sorted(techniques, key=lambda t: t.id))


def _check(present: Facts, bundle: Facts, domain: str) -> None:
    before = present.sources.get(domain)
    if before is None:
        return
    new = bundle.sources[domain]
    if parse_version(new.version) < parse_version(before.version):
        raise KnowledgeError(
            f"The bundle is ATT&CK {new.version} ({domain}), older than the {before.version} in "
            "use. If you mean it, repeat with --force."
        )
    count = sum(domain in t.domains for t in present.techniques)
    if len(bundle.techniques) < SMALLEST_SHARE * count:
        raise KnowledgeError(
            f"The bundle has {len(bundle.techniques)} active techniques of {domain}, the "
            f"knowledge in use {count}: it looks like an extract. Give the complete official "
            "bundle; if you mean it, repeat with --force."
        )
