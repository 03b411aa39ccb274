"""What is learned from: labelled pieces of text, and the labelled documents they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ExampleKind = Literal["sentence", "span", "text"]


def says(technique: str, techniques: frozenset[str], known: frozenset[str] | None) -> bool | None:
    """Tell what a label says of one technique: shown, not shown, or (None) nobody looked."""
    if technique in techniques:
        return True
    if known is None or technique in known:
        return False
    return None


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled piece of text.

    Attributes
    ----------
    text : str
        The text itself.
    techniques : frozenset of str
        The techniques it shows: active ids of the knowledge it was read with, as the source
        gave them (parents of sub-techniques are not added).
    id : str
        Stable and unique within its source.
    document : str or None
        Id of the document it stands in. Examples of one document never part in a split.
    source : str
        Name of the source, a key of ``Sources.named``.
    weight : float
        How near it is to the prose of reports, in [0, 1].
    fold : int or None
        The fold its source assigned to its document.
    known : frozenset of str or None
        The techniques that the annotators looked for: one of them that is not in
        ``techniques`` is absent, any other may be there unmarked. None: they looked for all.
        Empty: only what is marked is certain.
    unsure : frozenset of str
        Techniques that its document shows, though it is not known whether here: of these the
        example is neither a positive nor a negative, whatever ``known`` says.
    certainty : tuple of pairs of technique and float
        How certain it is that the example shows a technique, in (0, 1], where that is known: of
        those in ``techniques`` (1 where it is not said) and of those in ``unsure`` (0 likewise).
        The svc learns from positives by their certainty; the encoder takes them in full, and
        those that are unsure not at all.
    start, end : int or None
        Offsets into the text of its document, half-open.
    kind : {"sentence", "span", "text"}
        ``sentence``: one of all the sentences of a document, with label or without; ``span``:
        what an annotator marked, so it overlaps sentences; ``text``: stands alone.
    """

    text: str
    techniques: frozenset[str]
    id: str
    document: str | None = None
    source: str = "own"
    weight: float = 1.0
    fold: int | None = None
    known: frozenset[str] | None = None
    start: int | None = None
    end: int | None = None
    kind: ExampleKind = "text"
    unsure: frozenset[str] = frozenset()
    certainty: tuple[tuple[str, float], ...] = ()

    @property
    def certainties(self) -> dict[str, float]:
        """How certain each technique is that the example shows, or may show."""
        return dict.fromkeys(self.techniques, 1.0) | dict(self.certainty)

    def says(self, technique: str) -> bool | None:
        """Tell whether the technique is shown (True), absent (False) or unknown (None)."""
        if technique in self.unsure and technique not in self.techniques:
            return None
        return says(technique, self.techniques, self.known)


@dataclass(frozen=True, slots=True)
class LabelledDocument:
    """One labelled report.

    Attributes
    ----------
    id : str
        Stable and unique within its source.
    text : str
        The whole text; offsets of its examples point into it.
    techniques : frozenset of str
        The techniques it shows, as in `Example`.
    sentences : tuple of Example
        All its sentences in reading order, where the source gives them, else empty.
    source, weight, fold, known
        As in `Example`.
    title : str
        What to call it to a person.
    body_start : int
        Where the report itself begins, after header lines that a compiler of the data added.
    tactics : frozenset of str
        Tactics labelled directly (rcATT does so); usually empty.
    """

    id: str
    text: str
    techniques: frozenset[str]
    sentences: tuple[Example, ...] = ()
    source: str = "own"
    weight: float = 1.0
    fold: int | None = None
    known: frozenset[str] | None = None
    title: str = ""
    body_start: int = 0
    tactics: frozenset[str] = frozenset()

    @property
    def body(self) -> str:
        """The text without the compiler's header lines."""
        return self.text[self.body_start :]

    def says(self, technique: str) -> bool | None:
        """Tell whether the technique is shown (True), absent (False) or unknown (None)."""
        return says(technique, self.techniques, self.known)
