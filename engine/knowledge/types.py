"""The words of ATT&CK as types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Domain = Literal["enterprise", "mobile", "ics"]
DOMAINS: tuple[Domain, ...] = ("enterprise", "mobile", "ics")

Status = Literal["active", "revoked", "deprecated", "unknown"]


@dataclass(frozen=True, slots=True)
class Tactic:
    """A tactic of one domain, ``TA0002`` Execution.

    Attributes
    ----------
    id : str
        ``TA0002``; each domain numbers its own.
    name, shortname : str
        "Defense Evasion" and the kill chain phase "defense-evasion".
    domain : Domain
        The domain it belongs to.
    stix_id : str
        ``x-mitre-tactic--...``.
    """

    id: str
    name: str
    shortname: str
    domain: Domain
    stix_id: str


@dataclass(frozen=True, slots=True)
class Technique:
    """An active technique or sub-technique.

    Attributes
    ----------
    id : str
        ``T1059.001``.
    name : str
        Its own name, without the parent's.
    domains : tuple of Domain
        Nearly always one.
    tactics : tuple of str
        Tactic ids, sorted.
    parent : str or None
        Id of the technique that this is a sub-technique of.
    parent_name : str or None
        Its name.
    platforms : tuple of str
        Sorted; empty where ATT&CK names none (ICS).
    stix_id : str
        ``attack-pattern--...``: the official one where the knowledge was made from a source that
        has it, else the one that OpenCTI derives from the ATT&CK id.
    """

    id: str
    name: str
    domains: tuple[Domain, ...]
    tactics: tuple[str, ...]
    parent: str | None
    parent_name: str | None
    platforms: tuple[str, ...]
    stix_id: str

    @property
    def full_name(self) -> str:
        """``Parent: Sub`` for a sub-technique, else the name."""
        return f"{self.parent_name}: {self.name}" if self.parent_name else self.name


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An id that ATT&CK no longer uses.

    ``replaced_by`` is the id named by its revoked-by link, which may itself be withdrawn; None
    where there is no successor.
    """

    id: str
    name: str
    domain: str
    status: Literal["revoked", "deprecated"]
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of an id.

    Attributes
    ----------
    id : str
        The id asked for, in its usual form (``t1059/001`` becomes ``T1059.001``).
    status : Status
        Of that id itself.
    technique : Technique or None
        The active technique it stands for today; None where there is none.
    chain : tuple of str
        The ids followed, the one asked for first.
    name : str or None
        Name of the id asked for, also where it is no longer in use.
    """

    id: str
    status: Status
    technique: Technique | None
    chain: tuple[str, ...]
    name: str | None = None
