"""What the service answers, as types: for the OpenAPI, and for tests that hold answers to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from engine.service.schemas import SentencePlace

Probability = Annotated[float, Field(ge=0, le=1)]


class Scored(BaseModel):
    """A technique of a sentence."""

    technique: str
    probability: Probability


class EvidenceAnswer(BaseModel):
    """A sentence, or a span in it, that speaks for a technique."""

    sentence: int
    start: int
    end: int
    text: str
    recognizer: str
    probability: Probability
    page: int | None = Field(None, description="Where the format has pages.")
    note: str | None = None


class FindingAnswer(BaseModel):
    """A technique that the document supports."""

    technique: str
    name: str
    probability: Probability
    explicit: bool
    evidence: list[EvidenceAnswer]


class TacticAnswer(BaseModel):
    """A tactic of the document as a whole."""

    tactic: str
    name: str
    probability: Probability


class SentenceAnswer(BaseModel):
    """The techniques of one sentence."""

    index: int
    techniques: list[Scored]


class BecauseAnswer(BaseModel):
    """An observed technique that speaks for an inference."""

    technique: str
    weight: float


class InferenceAnswer(BaseModel):
    """A technique that the text does not support, but that is likely."""

    technique: str
    name: str
    score: float
    because: list[BecauseAnswer]


class DocumentAnswer(BaseModel):
    """What was read; ``text`` and ``sentences`` with ``include=text`` only."""

    name: str
    media_type: str
    pages: int | None
    digest: str
    text: str | None = None
    sentences: list[SentencePlace] | None = None
    warnings: list[str] | None = None


class AnalyseAnswer(BaseModel):
    """The record of ``ttpscribe analyse --format jsonl``, and what it was made with."""

    id: JsonValue
    findings: list[FindingAnswer]
    suggestions: list[FindingAnswer]
    tactics: list[TacticAnswer]
    sentences: list[SentenceAnswer]
    release: str
    inferences: list[InferenceAnswer]
    warnings: list[str]
    operating_point: str
    attack_version: str
    unknown_words: float | None = Field(
        description="Share of the text's words that the release never learned."
    )
    document: DocumentAnswer
    outputs: dict[str, str] | None = Field(None, description="Those that were asked for.")


class InferAnswer(BaseModel):
    """Inferences, and what became of ids that are not used as they were given."""

    id: JsonValue
    inferences: list[InferenceAnswer]
    remarks: list[str]
    recommender: str | None
    release: str
    attack_version: str


class OperatingPointAnswer(BaseModel):
    """Thresholds, and what to expect at them."""

    write_threshold: float
    suggest_threshold: float
    sentence_threshold: float
    expected_precision: float
    expected_recall: float


class ReleaseAnswer(BaseModel):
    """One release of the service's machine."""

    name: str
    origin: Literal["shipped", "store"]
    champion: bool = Field(description="Chosen to be in use.")
    serving: bool = Field(description="In use by this process.")
    created: str | None
    attack_version: str | None
    techniques: int | None
    recognizers: list[str]
    recommenders: list[str]
    operating_points: dict[str, OperatingPointAnswer]
    problem: str | None = Field(description="Why it cannot be used.")


class ReleasesAnswer(BaseModel):
    """All releases, and the one in use."""

    serving: str
    champion: str | None
    attack_version: str
    releases: list[ReleaseAnswer]


class TechniqueAnswer(BaseModel):
    """What an id stands for today."""

    asked: str
    status: Literal["active", "revoked", "deprecated"]
    chain: list[str] = Field(description="The ids followed, the one asked for first.")
    id: str | None = Field(description="The active technique; null where there is no successor.")
    name: str | None
    tactics: list[dict[str, str]]
    platforms: list[str]
    domains: list[str]
    parent: str | None
    sub_techniques: list[str]
    stix_id: str | None
    url: str | None
    attack_version: str


class HealthAnswer(BaseModel):
    """The process is alive."""

    status: Literal["alive"]
    version: str


class ReadyAnswer(BaseModel):
    """A release is open and the service takes work."""

    status: Literal["ready"]
    release: str
    attack_version: str
    champion: str | None = Field(description="Another name than `release` while it is taken up.")
