"""Settings of the training of the fusion."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FusionSettings(BaseModel):
    """How the fusion is fitted and where its operating points lie.

    Attributes
    ----------
    regularisation : float
        ``C`` of the logistic regressions, on features of unit variance.
    prior_weight : float
        How many documents the general frequency of a technique counts for, beside the
        cross-validated documents.
    techniques_a_document : float
        How many techniques a report shows on average, where it is labelled completely.
    sentence_shrinkage, document_shrinkage : float
        Pseudo-observations that pull a technique's own offset towards the common one. Documents
        are too few for offsets of their own: there the prior tells techniques apart.
    precise : float
        Precision that the operating point ``precise`` is to have; chosen on documents not seen,
        with a margin so that it holds on others.
    sensitive : float
        Recall that ``sensitive`` is to have.
    precise_sentences, sensitive_sentences : float
        Likewise for single sentences, which are harder: most positives of one document are told
        by a few of its sentences.
    suggest_share : float
        Suggestions reach down to this share of the write threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regularisation: float = Field(default=1.0, gt=0)
    prior_weight: float = Field(default=1.0, gt=0)
    techniques_a_document: float = Field(default=14.0, gt=0)
    sentence_shrinkage: float = Field(default=20.0, gt=0)
    document_shrinkage: float = Field(default=1000.0, gt=0)
    precise: float = Field(default=0.88, gt=0, lt=1)
    sensitive: float = Field(default=0.88, gt=0, lt=1)
    precise_sentences: float = Field(default=0.7, gt=0, lt=1)
    sensitive_sentences: float = Field(default=0.7, gt=0, lt=1)
    suggest_share: float = Field(default=0.5, gt=0, le=1)
