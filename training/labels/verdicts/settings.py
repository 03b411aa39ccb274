"""Settings of label sets made of verdicts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Tlp = Literal["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]


class VerdictSettings(BaseModel):
    """How verdicts become labels.

    Attributes
    ----------
    max_tlp : Tlp
        Reports marked above it never enter; a marking that is none of TLP 2.0 counts as above.
    least_margin : float
        Where analysts disagree, the weight of one side must exceed the other's by this share of
        both, or the technique is left out.
    absent_weight : float
        How much the absence of a technique from a curated report says, against 1 for a
        technique that was rejected.
    least_certainty : float
        A sentence that shows an added technique with less certainty is left unlabelled.
    held_share : float
        Share of the reports that the champion did not learn from which is kept back for the gate.
    least_held, most_held : int
        Bounds of how many are kept back.
    near_duplicate : float
        Share of runs of four words from which a training text repeats a kept one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tlp: Tlp = "TLP:AMBER"
    least_margin: float = Field(default=0.2, ge=0, le=1)
    absent_weight: float = Field(default=0.3, ge=0, le=1)
    least_certainty: float = Field(default=0.15, gt=0, le=1)
    held_share: float = Field(default=0.2, gt=0, lt=1)
    least_held: int = Field(default=10, ge=1)
    most_held: int = Field(default=150, ge=1)
    near_duplicate: float = Field(default=0.6, gt=0, le=1)
