"""Whether a challenger becomes the champion: decided on documents that neither has seen.

`say` lets both releases speak, `decide` compares them with a paired bootstrap over documents,
`table` shows it to people.
"""

from training.gate.decide import decide
from training.gate.say import as_labelled, say
from training.gate.settings import GateSettings
from training.gate.table import print_decision
from training.gate.types import Decision, Measure, Origin, Said, Trial

__all__ = [
    "Decision",
    "GateSettings",
    "Measure",
    "Origin",
    "Said",
    "Trial",
    "as_labelled",
    "decide",
    "print_decision",
    "say",
]
