"""Settings of the training of the svc recognizer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from engine.recognizers.linear import LARGEST


class SvcSettings(BaseModel):
    """How the svc recognizer is trained.

    Attributes
    ----------
    words, characters : int
        Largest number of features of either block; together at most 65,536.
    min_count : int
        A feature stands in at least so many texts.
    regularisation : float
        ``C`` of the support vector machine: larger fits closer.
    positive_weight : float
        Weight of a positive against a negative example of the same source.
    unknown_weight : float
        Weight of an example as a negative for a technique that its annotators did not look
        for. Most such examples do not show it, so leaving them out (0) teaches the model that
        ordinary prose is unknown; counting them in full (1) punishes what is right.
    min_examples : int
        A technique needs so many distinct texts to be learned; counts of sub-techniques count
        for their parent.
    min_documents : int
        Likewise documents, for the model over whole documents.
    document_regularisation : float
        ``C`` of the model over whole documents.
    prune : float
        Weights smaller than this share of the label's largest are left out.
    largest_model : int
        Most weights a label keeps.
    shrinkage : float
        Number of pseudo-observations that pull a label's own offset towards the common one.
    folds : int
        Folds of the cross-validation, where documents bring none of their own.
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: int = Field(default=34_000, ge=100)
    characters: int = Field(default=31_000, ge=100)
    min_count: int = Field(default=3, ge=1)
    regularisation: float = Field(default=0.25, gt=0)
    positive_weight: float = Field(default=2.0, gt=0)
    unknown_weight: float = Field(default=0.6, ge=0, le=1)
    min_examples: int = Field(default=8, ge=2)
    min_documents: int = Field(default=5, ge=2)
    document_regularisation: float = Field(default=1.0, gt=0)
    prune: float = Field(default=1 / (2 * LARGEST), ge=0, lt=1)
    largest_model: int = Field(default=6_000, ge=10)
    shrinkage: float = Field(default=10.0, gt=0)
    folds: int = Field(default=5, ge=2)
    seed: int = 0
