"""Settings of the adaptation of a release to the verdicts of a site."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AdaptSettings(BaseModel):
    """How an adaptation is fitted.

    Attributes
    ----------
    strengths : tuple of float
        Precisions of the prior of the corrections, to choose from out of fold; larger ones
        correct less. That there is no correction at all is always among the choices.
    document_shrinkage : float
        Precision of the prior of a document's correction, in documents.
    absent_weight : float
        Weight of a sentence of a curated report as a negative for what the report is without.
    around_weight : float
        Weight of the other sentences of a report from which a technique was rejected, against
        that of the sentence that was shown.
    most_background : int
        Sentences that are only background, a technique.
    most_documents : int
        The newest are learned from.
    folds : int
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strengths: tuple[float, ...] = (0.1, 0.4, 1.6)
    document_shrinkage: float = Field(default=4.0, gt=0)
    absent_weight: float = Field(default=0.3, ge=0, le=1)
    around_weight: float = Field(default=0.3, ge=0, le=1)
    most_background: int = Field(default=4000, ge=1)
    most_documents: int = Field(default=2000, ge=1)
    folds: int = Field(default=5, ge=2)
    seed: int = 0
