"""ATT&CK as the engine uses it: ids resolved, parents, tactics, names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from engine.errors import KnowledgeError
from engine.knowledge import facts, store
from engine.knowledge.types import Domain, Resolution, Tactic, Technique, Withdrawn

_USUAL = re.compile(r"(?:.*attack\.mitre\.org/techniques/)?T(\d{4})(?:\s*[./]\s*(\d{3}))?/?", re.I)


def normalise_id(text: str) -> str:
    """Return an id in its usual form: ``t1059/001`` and its URL become ``T1059.001``.

    What is no technique id at all comes back as it was, without white space around it.
    """
    match = _USUAL.fullmatch(text.strip())
    if not match:
        return text.strip()
    number, sub = match.groups()
    return f"T{number}.{sub}" if sub else f"T{number}"


def normalise_name(name: str) -> str:
    """Return a name as it is compared: in lower case, its words with one space between."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


class Knowledge:
    """One release of ATT&CK: enterprise, mobile and ICS.

    Immutable after loading and safe to share between threads.

    Examples
    --------
    >>> knowledge = Knowledge.load()
    >>> knowledge.resolve("T1086").technique.full_name
    'Command and Scripting Interpreter: PowerShell'
    """

    def __init__(self, content: facts.Facts, path: Path) -> None:
        self.path = path
        self.sources: Mapping[str, facts.Source] = content.sources
        self._facts = content
        self._techniques = {t.id: t for t in sorted(content.techniques, key=lambda t: t.id)}
        self._withdrawn: dict[str, Withdrawn] = {w.id: w for w in content.withdrawn}
        self._tactics = {t.id: t for t in sorted(content.tactics, key=lambda t: t.id)}
        children: defaultdict[str, list[str]] = defaultdict(list)
        names: defaultdict[str, list[Technique]] = defaultdict(list)
        for technique in self._techniques.values():
            names[normalise_name(technique.name)].append(technique)
            if technique.parent:
                children[technique.parent].append(technique.id)
        self._children = {parent: tuple(ids) for parent, ids in children.items()}
        self._names = names

    @classmethod
    def load(cls, path: Path | None = None) -> Knowledge:
        """Load a knowledge file; the same unchanged file is read only once.

        Parameters
        ----------
        path : Path, optional
            Without one: the user's own, updated file if there is one, else the shipped one.

        Raises
        ------
        KnowledgeError
            If it is missing, damaged or of a newer format.
        """
        chosen = path or store.current_path()
        try:
            status = chosen.stat()
        except OSError as error:
            raise KnowledgeError(
                f"Cannot read the knowledge file {chosen}: {error.strerror}."
            ) from error
        return _load(chosen.absolute(), status.st_mtime_ns, status.st_size)

    @property
    def version(self) -> str:
        """Release of ATT&CK, by its enterprise domain: ``"18.1"``."""
        source = self.sources.get("enterprise") or next(iter(self.sources.values()))
        return source.version

    @property
    def facts(self) -> facts.Facts:
        """The facts as they stand in the file."""
        return self._facts

    @property
    def withdrawn(self) -> tuple[Withdrawn, ...]:
        """All ids no longer in use, sorted."""
        return tuple(sorted(self._withdrawn.values(), key=lambda w: w.id))

    def resolve(self, id: str) -> Resolution:  # noqa: A002
        """Say what an id stands for today. Never fails: what is no id is unknown.

        Parameters
        ----------
        id : str
            In any usual form: ``T1086``, ``t1059/001``, a URL of attack.mitre.org.
        """
        asked = normalise_id(id)
        if technique := self._techniques.get(asked):
            return Resolution(asked, "active", technique, (asked,), technique.name)
        first = self._withdrawn.get(asked)
        if first is None:
            return Resolution(asked, "unknown", None, (asked,))
        chain, step = [asked], first
        while step.replaced_by and step.replaced_by not in chain:
            chain.append(step.replaced_by)
            if step.replaced_by not in self._withdrawn:
                break
            step = self._withdrawn[step.replaced_by]
        return Resolution(
            asked, first.status, self._techniques.get(chain[-1]), tuple(chain), first.name
        )

    def technique(self, id: str) -> Technique:  # noqa: A002
        """Return an active technique.

        Raises
        ------
        KnowledgeError
            If the id is revoked, deprecated or unknown; the message says which.
        """
        resolution = self.resolve(id)
        if resolution.status == "active" and resolution.technique:
            return resolution.technique
        if resolution.technique:
            raise KnowledgeError(
                f"{resolution.id} was revoked; today it is {resolution.technique.id} "
                f"({resolution.technique.full_name})."
            )
        if resolution.status == "unknown":
            raise KnowledgeError(
                f"{resolution.id} is not a technique of ATT&CK {self.version}. Check the id, or "
                "bring in a newer release: ttpscribe knowledge update --stix FILE"
            )
        raise KnowledgeError(f"{resolution.id} ({resolution.name}) is {resolution.status}.")

    def techniques(self, domain: Domain | None = None) -> tuple[Technique, ...]:
        """All active techniques and sub-techniques, sorted by id."""
        return tuple(t for t in self._techniques.values() if domain is None or domain in t.domains)

    def parent(self, id: str) -> str | None:  # noqa: A002
        """Return the id of the technique above an active sub-technique."""
        technique = self._techniques.get(id)
        return technique.parent if technique else None

    def children(self, id: str) -> tuple[str, ...]:  # noqa: A002
        """Ids of the active sub-techniques, sorted."""
        return self._children.get(id, ())

    def with_parents(self, ids: Iterable[str]) -> frozenset[str]:
        """Return the ids and all parents of them."""
        given = frozenset(ids)
        return given | {p for p in map(self.parent, given) if p}

    def most_specific(self, ids: Iterable[str]) -> frozenset[str]:
        """Return the ids without the parents of sub-techniques among them."""
        given = frozenset(ids)
        return given - {p for p in map(self.parent, given) if p}

    def tactics(self, domain: Domain | None = None) -> tuple[Tactic, ...]:
        """All tactics, sorted by id."""
        return tuple(t for t in self._tactics.values() if domain is None or t.domain == domain)

    def tactic(self, id: str) -> Tactic:  # noqa: A002
        """Return a tactic by its id.

        Raises
        ------
        KnowledgeError
            If there is none.
        """
        try:
            return self._tactics[id.strip().upper()]
        except KeyError:
            raise KnowledgeError(
                f"{id} is not a tactic of ATT&CK {self.version}; they look like TA0002."
            ) from None

    def by_name(self, name: str, parent_name: str | None = None) -> tuple[Technique, ...]:
        """Return the active techniques of a name, enterprise first, then by id.

        Names are compared by their words without regard to case, hyphens and the like. A name may
        be written with its parent's ("OS Credential Dumping: LSASS Memory"). Several domains, and
        several parents, use the same name, so more than one may come back.
        """
        if parent_name is None and ":" in name:
            parent_name, name = (part.strip() for part in name.split(":", 1))
        found = self._names.get(normalise_name(name), [])
        if parent_name is not None:
            wanted = normalise_name(parent_name)
            found = [t for t in found if normalise_name(t.parent_name or "") == wanted]
        return tuple(sorted(found, key=lambda t: ("enterprise" not in t.domains, t.id)))


@lru_cache(maxsize=4)
def _load(path: Path, _modified: int, _size: int) -> Knowledge:
    return Knowledge(facts.read(path), path)
