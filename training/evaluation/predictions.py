"""Run a release over labelled documents and keep what it said beside the labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.documents import from_sentences, from_text
from engine.types import Analysis, Document
from training.labels import Example, LabelledDocument, LabelSet


class Analyser(Protocol):
    """What is measured: `engine.analysis.Engine`, or anything that analyses documents."""

    def analyse(self, document: Document, operating_point: str = "balanced") -> Analysis:
        """Find the techniques of a document."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What was said of one document.

    Attributes
    ----------
    document : LabelledDocument
        The document with its labels.
    findings : frozenset of str
        The techniques found, at the operating point.
    probabilities : dict of str to float
        Probability of every finding and suggestion.
    sentences : tuple of frozenset of str
        The techniques of each of ``document.sentences``; empty where it has none.
    document_level : bool
        False for texts that are no document: only their sentences count.
    """

    document: LabelledDocument
    findings: frozenset[str]
    probabilities: dict[str, float] = field(default_factory=dict)
    sentences: tuple[frozenset[str], ...] = ()
    document_level: bool = True


def predict(
    analyser: Analyser, label_set: LabelSet, operating_point: str = "balanced"
) -> Iterator[Prediction]:
    """Yield a prediction for every document, then for every text that stands alone.

    Sentences are given to the analyser as the label set splits them, so that its answers can be
    compared sentence by sentence; a document without sentences is given as text. Texts of
    sources in which only the marked techniques are certain are left out: what is found in them
    beyond that could be right.
    """
    for document in label_set.documents:
        yield _predict(analyser, document, operating_point)
    for text in texts_alone(label_set.examples):
        yield replace(_predict(analyser, _as_document(text), operating_point), document_level=False)


def texts_alone(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples that belong to no document and are labelled for more than marks."""
    return tuple(
        example
        for example in examples
        if example.kind == "text" and example.document is None and example.known != frozenset()
    )


def _as_document(example: Example) -> LabelledDocument:
    return LabelledDocument(
        id=example.id,
        text=example.text,
        techniques=example.techniques,
        sentences=(example,),
        source=example.source,
        known=example.known,
    )


def _predict(analyser: Analyser, labelled: LabelledDocument, operating_point: str) -> Prediction:
    title = labelled.title or labelled.id
    if labelled.sentences:
        document = from_sentences([sentence.text for sentence in labelled.sentences], title)
    else:
        document = from_text(labelled.body, title)
    analysis = analyser.analyse(document, operating_point)
    return Prediction(
        document=labelled,
        findings=frozenset(finding.technique for finding in analysis.findings),
        probabilities={
            finding.technique: finding.probability
            for finding in (*analysis.suggestions, *analysis.findings)
        },
        sentences=_by_sentence(analysis, labelled.sentences),
    )


def _by_sentence(analysis: Analysis, sentences: Sequence[Example]) -> tuple[frozenset[str], ...]:
    found: list[frozenset[str]] = [frozenset()] * len(sentences)
    for sentence in analysis.sentences:
        if sentence.index < len(found):
            found[sentence.index] = frozenset(technique for technique, _ in sentence.techniques)
    return tuple(found)
