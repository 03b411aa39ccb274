"""The card of a release: what it is, how good it is, what changed; as a page and as JSON.

>>> write_card(CardInput(release=release), knowledge)  # doctest: +SKIP
(PosixPath('.../cards/2026-11.card.html'), PosixPath('.../cards/2026-11.card.json'))
"""

from training.card.changes import changes
from training.card.compose import CardInput, compose
from training.card.content import (
    Card,
    Change,
    Changes,
    Check,
    Doubt,
    Example,
    Gate,
    Labels,
    LearningPoint,
    Measured,
    Period,
)
from training.card.drift import drift, known_words
from training.card.measured import measure
from training.card.page import page
from training.card.write import learning, read_card, with_earlier, write_card

__all__ = [
    "Card",
    "CardInput",
    "Change",
    "Changes",
    "Check",
    "Doubt",
    "Example",
    "Gate",
    "Labels",
    "LearningPoint",
    "Measured",
    "Period",
    "changes",
    "compose",
    "drift",
    "known_words",
    "learning",
    "measure",
    "page",
    "read_card",
    "with_earlier",
    "write_card",
]
