"""Label sets made of what analysts did: collected from the ledger, given texts, frozen.

From top to bottom: `collect` makes one opinion of many verdicts, `texts` finds the text it speaks
of and what still holds for it, `sentences` tells which sentences carry the labels, `freeze` does
all of it and keeps the newest reports back, `frozen` keeps the result on disk, `suspicious` lists
labels worth a second look.
"""

from training.labels.verdicts.collect import Collected, collect
from training.labels.verdicts.freeze import Freezing, freeze
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.types import (
    Counts,
    Doubt,
    FrozenLabels,
    Judged,
    JudgedDocument,
    Label,
)

__all__ = [
    "Collected",
    "Counts",
    "Doubt",
    "Freezing",
    "FrozenLabels",
    "Judged",
    "JudgedDocument",
    "Label",
    "VerdictSettings",
    "collect",
    "freeze",
]
