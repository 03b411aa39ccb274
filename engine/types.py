"""The words of the engine as types: document, sentence, evidence, finding, inference, analysis.

Plain frozen dataclasses, so that importing them costs nothing and they pass between processes.
Offsets are counted in characters of ``Document.text`` and are half-open: ``text[start:end]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

SentenceKind = Literal["prose", "heading", "list_item", "table_row", "code"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a document.

    Attributes
    ----------
    index : int
        Position in ``Document.sentences``, from 0.
    text : str
        Exactly ``document.text[start:end]``.
    start, end : int
        Character offsets into ``Document.text``.
    page : int or None
        Page it begins on, from 1; None where the format has no pages.
    kind : SentenceKind
        What the layout says it is.
    heading : str or None
        The nearest heading above it.
    """

    index: int
    text: str
    start: int
    end: int
    page: int | None = None
    kind: SentenceKind = "prose"
    heading: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One text to read.

    Attributes
    ----------
    name : str
        What to call it to a person: a file name, an id, "description".
    text : str
        The whole text, shown as it was written (nothing refanged).
    sentences : tuple of Sentence
        In reading order, without overlap.
    digest : str
        SHA-256 of ``text`` in UTF-8, hexadecimal.
    media_type : str
        The format it was read from.
    pages : int or None
        Number of pages, where the format has them.
    warnings : tuple of str
        What a reader should know: no English text, pages without text, and so on.
    """

    name: str
    text: str
    sentences: tuple[Sentence, ...]
    digest: str
    media_type: str = "text/plain"
    pages: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recognition:
    """What one recognizer made of one document.

    Attributes
    ----------
    recognizer : str
        Its name in the registry.
    techniques : tuple of str
        The technique ids of the columns, each active in the knowledge in use.
    sentence_scores : csr_matrix of float32, shape (n_sentences, n_techniques)
        Probability in [0, 1] that the sentence shows the technique; small ones are left out.
    document_scores : ndarray of float32, shape (n_techniques,), or None
        Probability from the document as a whole, where the recognizer reads whole documents too;
        NaN for a technique that it only looks for in sentences.
    tactic_scores : mapping from tactic id to float
        Probability of a tactic from the document as a whole, likewise.
    spans : mapping from (sentence index, technique) to (start, end)
        The part of the sentence that speaks, in document offsets; the whole sentence if missing.
    notes : mapping from technique to str
        A remark for people on findings of that technique ("zero-shot"); usually empty.
    features : ndarray of float32, shape (n_sentences, n_features), or None
        What the recognizer sees in each sentence, of length one (zero for one it did not read);
        given where its settings ask for it, for what was learned from verdicts.
    unknown_words : float or None
        Share of the document's words that it never learned; None where it does not learn words.
    """

    recognizer: str
    techniques: tuple[str, ...]
    sentence_scores: csr_matrix
    document_scores: NDArray[float32] | None = None
    tactic_scores: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    features: NDArray[float32] | None = None
    unknown_words: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence, or a span in it, that speaks for a technique."""

    sentence: int
    start: int
    end: int
    text: str
    recognizer: str
    probability: float
    page: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A technique that the document supports, with a calibrated probability and its evidence.

    ``explicit`` is true where the text names the technique's id or name.
    """

    technique: str
    name: str
    probability: float
    explicit: bool
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class TacticScore:
    """A tactic (``TA0002``) with the calibrated probability that the document shows it."""

    tactic: str
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Because:
    """An observed technique that speaks for an inference, and by how much."""

    technique: str
    weight: float


@dataclass(frozen=True, slots=True)
class Inference:
    """A technique that the text does not support but a recommender ranks as likely."""

    technique: str
    name: str
    score: float
    because: tuple[Because, ...] = ()


@dataclass(frozen=True, slots=True)
class SentenceTechniques:
    """The techniques of one sentence at or over the sentence-level threshold, best first."""

    index: int
    techniques: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that one enrichment of one document found.

    ``findings`` are at or over the operating point's write threshold, ``suggestions`` between
    its suggest threshold and that; both best first. ``unknown_words`` is the share of the text's
    words that the release never learned, where it learned words.
    """

    document: Document
    findings: tuple[Finding, ...]
    suggestions: tuple[Finding, ...]
    tactics: tuple[TacticScore, ...]
    sentences: tuple[SentenceTechniques, ...]
    release: str
    operating_point: str
    attack_version: str
    inferences: tuple[Inference, ...] = ()
    warnings: tuple[str, ...] = ()
    unknown_words: float | None = None

    def best(self, number: int) -> Analysis:
        """Return the same with no more than so many findings and suggestions, the best."""
        return replace(self, findings=self.findings[:number], suggestions=self.suggestions[:number])
