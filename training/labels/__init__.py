"""Labels to learn from: read from many formats, checked against ATT&CK, split by document."""

from training.labels.duplicates import drop_near_duplicates, group_documents, near_duplicates
from training.labels.folding import TRAM50_V13, fold_to, to_parents, tram50, with_children
from training.labels.folds import document_folds
from training.labels.label_set import FileReport, LabelSet, ReadReport
from training.labels.reading import read
from training.labels.sources import Source, Sources
from training.labels.targets import Targets, targets
from training.labels.types import Example, LabelledDocument

__all__ = [
    "TRAM50_V13",
    "Example",
    "FileReport",
    "LabelSet",
    "LabelledDocument",
    "ReadReport",
    "Source",
    "Sources",
    "Targets",
    "document_folds",
    "drop_near_duplicates",
    "fold_to",
    "group_documents",
    "near_duplicates",
    "read",
    "targets",
    "to_parents",
    "tram50",
    "with_children",
]
