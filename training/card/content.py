"""What a release card says, as a type: the same for the page and for the JSON beside it.

Everything but the release's own description may be missing: a card says what is known. The order
of the fields is the order of the page.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from training.evaluation import Interval

PROTOCOL: Final = 1

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Part(_Strict):
    """One part of the release and its size in bytes."""

    name: str
    bytes: Count


class Source(_Strict):
    """One collection of training data."""

    name: str
    licence: str
    records: Count


class Point(_Strict):
    """An operating point: its threshold, and the figures measured at it.

    ``described_precision`` and ``described_recall`` leave out what a document names by id or
    name. Figures that were not measured are None.
    """

    name: str
    write_threshold: Share
    suggest_threshold: Share
    sentence_threshold: Share
    described_precision: Share
    described_recall: Share
    document_f1: Interval | None = None
    pair_f1: Interval | None = None
    sentence_micro_f1: Interval | None = None
    sentence_macro_f1: Share | None = None


class Bin(_Strict):
    """Pairs of document and technique of similar probability.

    ``mean`` is what was said, ``rate`` how many of them are right, ``low`` and ``high`` the
    interval of the rate over documents.
    """

    mean: Share
    rate: Share
    low: Share
    high: Share
    count: Count


class Reliability(_Strict):
    """Whether probabilities mean what they say.

    Attributes
    ----------
    bins : tuple of Bin
        Of equal width.
    error : float
        Expected calibration error over all pairs, in bins of equal mass.
    error_by_width : float
        Over all pairs, in bins of equal width.
    error_shown : float or None
        Over the pairs that an analyst gets to see (findings and suggestions) alone, which the
        many pairs that are plainly absent do not flatter.
    """

    bins: tuple[Bin, ...]
    error: Share
    error_by_width: Share
    error_shown: Share | None = None


class CurvePoint(_Strict):
    """Precision and recall at one threshold."""

    threshold: Share
    precision: Share
    recall: Share


class PrecisionRecall(_Strict):
    """Precision and recall over all thresholds, and the area below."""

    points: tuple[CurvePoint, ...]
    average_precision: Share


class TechniqueFigures(_Strict):
    """How well one technique is found, by document, at the operating point ``balanced``.

    ``support`` is the number of documents that show it, ``f1`` has its interval over documents.
    """

    technique: str
    support: Count
    precision: Share
    recall: Share
    f1: Interval


class Measured(_Strict):
    """What cross-validation measured, by document held out.

    Attributes
    ----------
    documents, pairs : int
        Documents, and pairs of document and technique that annotators judged.
    reliability, precision_recall
        Over the pairs whose technique the document describes without naming it, as the
        manifest's expected precision and recall.
    techniques : tuple of TechniqueFigures
        Those that a document shows, by id.
    tactic_micro_f1 : float or None
    """

    documents: Count
    pairs: Count
    reliability: Reliability
    precision_recall: PrecisionRecall | None
    techniques: tuple[TechniqueFigures, ...]
    tactic_micro_f1: Share | None = None


class Recommender(_Strict):
    """How well a recommender finds techniques hidden from reports."""

    name: str
    ndcg: Interval
    recall: Interval
    default: bool = False


class Check(_Strict):
    """One measure that the gate compared on documents that neither release had seen.

    Attributes
    ----------
    measure : str
        What was compared, in words.
    champion, challenger : float
    difference : Interval or None
        Challenger minus champion, with its interval over documents.
    passed : bool
    why : str
        A sentence.
    protects : bool
        It must not get worse; else it must get better.
    """

    measure: str
    champion: float | None = None
    challenger: float | None = None
    difference: Interval | None = None
    passed: bool
    why: str = ""
    protects: bool = True


class Gate(_Strict):
    """What the gate decided and why.

    ``documents`` is how many documents it compared on, ``reasons`` are sentences.
    """

    published: bool
    champion: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    documents: Count = 0
    verdicts: Count = 0


class Example(_Strict):
    """One document on which the two releases differ, with the sentence that shows it."""

    document: str
    outcome: Literal["now found", "now missed", "no longer wrong", "now wrong"]
    sentence: str | None = None


class Change(_Strict):
    """A technique that the release finds better or worse than the champion.

    ``before`` and ``after`` are F1 by document; ``support`` counts documents that show it.
    """

    technique: str
    before: Share
    after: Share
    support: Count
    examples: tuple[Example, ...] = ()


class Changes(_Strict):
    """What changed from the champion, on the same documents."""

    champion: str
    documents: Count
    changed: tuple[Change, ...]


class LearningPoint(_Strict):
    """One release of the learning curve: F1 on documents that stay the same.

    ``test`` names these documents (their digest): only nights of the same ones are compared.
    """

    release: str
    test: str
    at: AwareDatetime
    verdicts: Count
    f1: Interval
    published: bool = True


class Period(_Strict):
    """What came in during one period, and what analysts did.

    Attributes
    ----------
    begin : datetime
    reports : int
        Reports that were read.
    unknown_words : float or None
        Share of their words that the release's vocabulary lacks.
    novelty : float or None
        How far their words are from those of the first period, as Jensen-Shannon distance.
    confirmed, rejected, added : int
        Verdicts.
    """

    begin: AwareDatetime
    reports: Count = 0
    unknown_words: Share | None = None
    novelty: Share | None = None
    confirmed: Count = 0
    rejected: Count = 0
    added: Count = 0


class Doubt(_Strict):
    """A label worth a second look: a disagreement of analysts, or one that the models doubt."""

    platform: str
    report: str
    technique: str
    label: str
    why: str


class Labels(_Strict):
    """The frozen label set that the release was trained on.

    ``held_back`` counts documents kept out of training for the gate; of reports left out,
    ``over_tlp`` were so for their marking, ``without_text`` as their text was not at hand,
    ``changed`` as it changed after the verdict.
    """

    digest: str
    documents: Count
    sentences: Count
    confirmed: Count = 0
    rejected: Count = 0
    added: Count = 0
    curated: Count = 0
    held_back: Count = 0
    over_tlp: Count = 0
    without_text: Count = 0
    changed: Count = 0
    near_duplicates: Count = 0
    unmapped: tuple[str, ...] = ()
    disagreements: tuple[Doubt, ...] = ()
    suspicious: tuple[Doubt, ...] = ()


class Statement(_Strict):
    """A heading with sentences below it."""

    title: str
    sentences: tuple[str, ...]


class Card(_Strict):
    """All that is said of one release.

    ``base`` is the release that it was before it learned from verdicts: the cross-validated
    figures are of that one. ``names`` are those of the techniques that the card speaks of.
    """

    protocol: int = PROTOCOL
    name: str
    digest: str
    created: AwareDatetime
    base: str | None = None
    attack_version: str
    techniques: Count
    recognizers: tuple[str, ...]
    default_recommender: str | None
    parts: tuple[Part, ...]
    gate: Gate | None = None
    points: tuple[Point, ...]
    measured: Measured | None = None
    calibration_error: Share | None = None
    documents: Count | None = None
    recommenders: tuple[Recommender, ...] = ()
    changes: Changes | None = None
    learning: tuple[LearningPoint, ...] = ()
    drift: tuple[Period, ...] = ()
    labels: Labels | None = None
    data_hash: str
    sources: tuple[Source, ...]
    use: tuple[Statement, ...]
    names: dict[str, str] = {}
