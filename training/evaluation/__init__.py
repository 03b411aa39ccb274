"""How good a system is: F1 by sentence and by document, calibration, intervals, comparison."""

from training.evaluation.bootstrap import Comparison, Interval, compare, interval
from training.evaluation.calibration import Bin, brier, expected_calibration_error, reliability
from training.evaluation.curves import Curve, curve, mean_average_precision
from training.evaluation.evaluation import (
    DocumentFigures,
    Evaluation,
    SentenceFigures,
    evaluate,
)
from training.evaluation.label_lists import LabelList, label_list
from training.evaluation.metrics import (
    Score,
    document_f1s,
    macro_f1,
    mean_document_f1,
    micro,
    per_label,
)
from training.evaluation.predictions import Analyser, Prediction, predict

__all__ = [
    "Analyser",
    "Bin",
    "Comparison",
    "Curve",
    "DocumentFigures",
    "Evaluation",
    "Interval",
    "LabelList",
    "Prediction",
    "Score",
    "SentenceFigures",
    "brier",
    "compare",
    "curve",
    "document_f1s",
    "evaluate",
    "expected_calibration_error",
    "interval",
    "label_list",
    "macro_f1",
    "mean_average_precision",
    "mean_document_f1",
    "micro",
    "per_label",
    "predict",
    "reliability",
]
