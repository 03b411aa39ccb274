"""What a request may say, as types: checked before any work, and shown in the OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from engine.types import SentenceKind

Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(gt=0, le=1)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Offset = Annotated[int, Field(ge=0, le=2**31)]
Include = Literal["text", "exact"]
OutputName = Literal["csv", "html", "jsonl", "navigator", "stix", "view"]
MOST_INFERENCES = 100
MOST_IDS = 2_000

EXAMPLE_TEXT = (
    "The actor sent a spearphishing attachment. Its macro ran PowerShell, which dumped the memory "
    "of LSASS and created a scheduled task."
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SentencePlace(_Strict):
    """Where a sentence stands in the text, in characters (Unicode code points), end excluded."""

    start: Offset
    end: Offset
    page: Annotated[int, Field(ge=1, le=2**31)] | None = None
    kind: SentenceKind = "prose"
    heading: str | None = None


class DocumentBody(_Strict):
    """A document that was read and split elsewhere, as ``engine.types.Document``."""

    name: str = "document"
    text: str
    sentences: Annotated[list[SentencePlace], Field(min_length=1)]
    media_type: str = "text/plain"
    pages: Annotated[int, Field(ge=0, le=2**31)] | None = None
    digest: str | None = Field(None, description="Not believed: the service computes its own.")
    warnings: list[str] = []

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        end = 0
        for number, sentence in enumerate(self.sentences):
            if not end <= sentence.start < sentence.end <= len(self.text):
                raise ValueError(
                    f"sentence {number} is empty, out of order, or ends after the text"
                )
            end = sentence.end
        return self


class Options(_Strict):
    """How to analyse, and what to answer."""

    id: JsonValue = Field(None, description="Comes back as it was. Without one: the name.")
    operating_point: Annotated[str, StringConstraints(max_length=80)] = Field(
        "balanced", description="precise, balanced or sensitive."
    )
    threshold: Probability | None = Field(
        None, description="Probability from which on a technique is a finding."
    )
    inferences: Annotated[int, Field(ge=0, le=MOST_INFERENCES)] = Field(
        10, description="At most this many inferences; 0 for none."
    )
    added: Annotated[dict[Id, Weight], Field(max_length=MOST_IDS)] = Field(
        {}, description="Techniques that an analyst added: observed, too, when inferring."
    )
    removed: Annotated[list[Id], Field(max_length=MOST_IDS)] = Field(
        [], description="Techniques that an analyst took off: never inferred."
    )
    include: list[Include] = Field(
        [],
        description="text: the document with its text and sentences; exact: all digits of all "
        "numbers.",
    )
    outputs: list[OutputName] = Field(
        [], description="Also as these outputs of `ttpscribe analyse`, each a string."
    )


class AnalyseRequest(Options):
    """Exactly one of ``text``, ``sentences`` and ``document``, and the options."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": 1, "text": EXAMPLE_TEXT},
                {"sentences": ["It ran PowerShell.", "It dumped LSASS."], "inferences": 5},
            ]
        }
    )

    text: str | None = None
    sentences: list[str] | None = None
    document: DocumentBody | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [s for s in (self.text, self.sentences, self.document) if s is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of text, sentences and document")
        return self


class InferRequest(_Strict):
    """Observed techniques to infer from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"techniques": ["T1059.001", "T1105", "T1566.001"], "count": 5},
                {"techniques": {"T1190": 1.0, "T1505.003": 0.6}, "tactics": ["persistence"]},
            ]
        }
    )

    id: JsonValue = None
    techniques: (
        Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
        | Annotated[dict[Id, Weight], Field(min_length=1, max_length=MOST_IDS)]
    )
    count: Annotated[int, Field(ge=1, le=MOST_INFERENCES)] = 20
    recommender: Annotated[str, StringConstraints(max_length=80)] | None = None
    tactics: Annotated[list[Id], Field(max_length=50)] = []
    platforms: Annotated[list[Id], Field(max_length=50)] = []
    include: list[Literal["exact"]] = []


class ErrorBody(BaseModel):
    """Every refusal has this form."""

    class Told(BaseModel):
        """What is wrong, for programs and for people."""

        code: str
        message: str

    error: Told


def error(code: str, message: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"error": {"code": code, "message": message}}
