"""Settings of the gate."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GateSettings(BaseModel):
    """When a challenger becomes the champion.

    Attributes
    ----------
    least_verdicts : int
        A label set with fewer verdicts (a curated report that was never enriched counts by its
        techniques) publishes nothing.
    least_documents : int
        So many held-back reports with analysts' labels are needed to compare on.
    level : float
        Confidence of the intervals of protected measures: worse is what lies wholly below zero.
    better_level : float
        Likewise of what has to get better, which must lie wholly above zero.
    largest_loss : float
        A protected measure that falls by more than this is worse, however wide its interval.
    top : int
        So many of the most frequent techniques make the "top techniques".
    resamples : int
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_verdicts: int = Field(default=30, ge=1)
    least_documents: int = Field(default=10, ge=2)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    better_level: float = Field(default=0.8, gt=0.5, lt=1)
    largest_loss: float = Field(default=0.1, gt=0, le=1)
    top: int = Field(default=20, ge=1)
    resamples: int = Field(default=1000, ge=100)
    seed: int = 0
