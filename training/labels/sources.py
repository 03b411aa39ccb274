"""What is known of the sources of labels: how near to report prose, how completely labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.labels.folding import tram50, with_children

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

Completeness = Literal["all", "tram50", "marked"]


class Source(BaseModel):
    """Settings of one source.

    Attributes
    ----------
    weight : float
        How near its texts are to the prose of reports, in [0, 1].
    complete : {"all", "tram50", "marked"}
        What the annotators looked for: every technique; the fifty of TRAM with their
        sub-techniques; or only what they marked is certain.
    use : bool
        False: its records are counted, not kept.
    prefixes : tuple of str
        What the ``source`` field of its records begins with, in lower case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=1.0, ge=0, le=1)
    complete: Completeness = "all"
    use: bool = True
    prefixes: tuple[str, ...] = ()

    def known(self, knowledge: Knowledge) -> frozenset[str] | None:
        """Return what ``Example.known`` is to be for its records."""
        if self.complete == "all":
            return None
        if self.complete == "marked":
            return frozenset()
        return with_children(tram50(knowledge), knowledge)


def _defaults() -> dict[str, Source]:
    def source(weight: float, complete: Completeness, *prefixes: str, use: bool = True) -> Source:
        return Source(weight=weight, complete=complete, prefixes=prefixes, use=use)

    return {
        "tram2": source(1.0, "tram50", "tram2"),
        # What was marked in a sentence of tram2, so the same words a second time.
        "tram2-spans": source(0.5, "marked"),
        "tram1": source(0.5, "marked", "tram1-bootstrap"),
        # Rows of TRAM's first data set that repeat a span of the second one.
        "tram1-repeats": source(0.5, "marked", use=False),
        "tram1-negatives": source(0.7, "all", "tram1-negatives"),
        "ttpm-expert": source(0.8, "all", "mitre-ttp-mapping/expert"),
        "ttpm-derived": source(0.5, "marked", "mitre-ttp-mapping/derived"),
        "attack-flow": source(0.6, "marked", "attack-flow"),
        "attack-procedures": source(0.6, "marked", "mitre/cti"),
        "attack-techniques": source(0.4, "marked"),
        "kev": source(0.3, "marked", "ctid-kev"),
        "smet": source(0.2, "marked", "smet"),
        "sigma": source(0.3, "marked", "sigmahq"),
        "splunk": source(0.2, "marked", "splunk"),
        "atomic": source(0.2, "marked", "redcanaryco", "atomic"),
        "rcatt": source(0.8, "marked"),
        "stix": source(1.0, "marked"),
        "verdicts": source(1.0, "marked", "verdicts"),
        "own": source(1.0, "all"),
    }


class Sources(BaseModel):
    """Settings of all sources by name; a source of any other name is read as ``own``.

    Attributes
    ----------
    named : dict of str to Source
        Replace single entries with `with_source`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    named: dict[str, Source] = Field(default_factory=_defaults)

    def name_of(self, raw: str) -> str:
        """Return the name of the source that a record's ``source`` field speaks of."""
        if raw in self.named:
            return raw
        lowered = raw.lower()
        for name, source in self.named.items():
            if any(lowered.startswith(prefix) for prefix in source.prefixes):
                return name
        return raw or "own"

    def get(self, name: str) -> Source:
        """Return the settings of a source by name."""
        return self.named.get(name, self.named.get("own", Source()))

    def with_source(self, name: str, source: Source) -> Sources:
        """Return a copy in which one source has other settings.

        Settings without ``prefixes`` keep those the source had.
        """
        if not source.prefixes and name in self.named:
            source = source.model_copy(update={"prefixes": self.named[name].prefixes})
        return Sources(named={**self.named, name: source})
