"""What all outputs share: the context they are written in, and the shape of an output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

from engine.errors import UsageError
from engine.types import Analysis

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

ThreatType = Literal["campaign", "intrusion-set", "malware", "threat-actor", "tool"]

# STIX demands a publication date. Where nobody knows one, this says so plainly, and the same
# analysis always gives the same bundle.
UNKNOWN_DATE = datetime(1970, 1, 1, tzinfo=UTC)

# The ``id`` of an answer that nobody gave one: the document's name. None is an id like others.
BY_NAME: Any = object()


@dataclass(frozen=True, slots=True)
class Threat:
    """Whom the document speaks of, where the caller knows: a STIX type and a name."""

    type: ThreatType
    name: str

    @classmethod
    def parse(cls, text: str) -> Threat:
        """Read ``type:name``, for example ``intrusion-set:FIN7``.

        Raises
        ------
        UsageError
            If the type is none of STIX's threats, or the name is missing.
        """
        kind, _, name = text.partition(":")
        for known in get_args(ThreatType):
            if kind == known and name.strip():
                return cls(known, name.strip())
        raise UsageError(
            f"'{text}' does not name a threat. Write TYPE:NAME, for example intrusion-set:FIN7; "
            f"TYPE is one of {', '.join(get_args(ThreatType))}."
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What an output may need besides the analysis.

    Attributes
    ----------
    knowledge : Knowledge
        The ATT&CK that the analysis speaks of: tactics, parents, STIX ids.
    identifier : any JSON value
        The ``id`` in JSON and JSON lines.
    published : datetime
        When the document was published, as far as known.
    threat : Threat or None
        Whom the document speaks of; adds ``uses`` relationships to a STIX bundle.
    width : int
        Columns of the table for people.
    colour : bool
        Whether the table may hold terminal colours.
    """

    knowledge: Knowledge
    identifier: Any = BY_NAME
    published: datetime = UNKNOWN_DATE
    threat: Threat | None = None
    width: int = 100
    colour: bool = False


Writer = Callable[[Analysis, Context], str]


@dataclass(frozen=True)
class Output:
    """One way to write an analysis.

    A file or stream begins with ``header``. Several analyses in one stream stand between
    ``opening`` and ``closing``, joined by ``between``. Where ``joins`` is false each needs a
    file of its own.

    Attributes
    ----------
    name : str
        What the user calls it: ``--format name``.
    module : str
        Where its ``write(analysis, context) -> str`` lives; imported when first used.
    suffix : str
        Of its files, with the dot: ``.stix.json``.
    media_type : str
        Of its files.
    """

    name: str
    module: str
    suffix: str
    media_type: str
    joins: bool = True
    header: str = ""
    opening: str = ""
    between: str = ""
    closing: str = ""

    @cached_property
    def write(self) -> Writer:
        """The pure function that writes one analysis; its text ends with a newline."""
        writer: Writer = import_module(self.module).write
        return writer
