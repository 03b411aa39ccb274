"""Fit the fusion on out-of-fold scores, and measure it on documents it has not seen.

`scored` holds what the recognizers made of each document, `priors` counts labels, `fit` fits
the stacked logistic regressions, `operating_points` chooses thresholds, `crossval` does both on
part of the documents and measures on the rest.
"""

from training.fusion.crossval import CrossValidation, cross_validate
from training.fusion.fit import fit_fusion
from training.fusion.scored import ScoredDocument
from training.fusion.settings import FusionSettings

__all__ = [
    "CrossValidation",
    "FusionSettings",
    "ScoredDocument",
    "cross_validate",
    "fit_fusion",
]
