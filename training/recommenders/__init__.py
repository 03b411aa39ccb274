"""From label sets to fitted recommenders: matrix, splits, metrics, sweeps, report."""

from training.recommenders.build import Built, build_matrix
from training.recommenders.evaluate import Result, evaluate
from training.recommenders.splits import Case, Fold, interaction_split, new_report_folds

__all__ = [
    "Built",
    "Case",
    "Fold",
    "Result",
    "build_matrix",
    "evaluate",
    "interaction_split",
    "new_report_folds",
]
