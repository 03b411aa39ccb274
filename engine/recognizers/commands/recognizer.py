"""Techniques by the commands that a report prints.

A command line says what was done better than the sentence around it: ``nltest /domain_trusts`` is
T1482 wherever it stands. Models that learned from annotated sentences weigh such lines low, as
annotators mark the prose and pass over listings. So this recognizer knows commands
(`engine.recognizers.commands.table`), learns nothing, and the fusion takes it at its word. Advice
to defenders counts little: it prints the same commands to have them hunted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from engine.recognizers.commands.matching import Matcher
from engine.recognizers.mentions import context
from engine.types import Document, Recognition

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

# Of sentences that print one, about six in ten are labelled with its technique
# (docs/models/commands.md); many of the others are labelled with one technique only.
SCORE = 0.6
_BY_ROLE: Mapping[context.Role, float] = {"claim": SCORE, "defence": 0.2, "reference": 0.0}


class CommandRecognizer:
    """Finds techniques by commands.

    Parameters
    ----------
    knowledge : Knowledge
        Brings the ids of the table up to date; those that are no more are left out.
    """

    name: ClassVar[str] = "commands"

    def __init__(self, knowledge: Knowledge) -> None:
        self._matcher = Matcher()
        resolved = {id_: knowledge.resolve(id_).technique for id_ in self._matcher.techniques()}
        self._today = {id_: found.id for id_, found in resolved.items() if found is not None}
        self.techniques = tuple(sorted(set(self._today.values())))
        self._column = {technique: number for number, technique in enumerate(self.techniques)}

    @classmethod
    def load(
        cls, directory: Path | None, knowledge: Knowledge, settings: Mapping[str, Any]
    ) -> Self:
        """Build it; it has no files in a release and no settings."""
        del directory, settings
        return cls(knowledge)

    def recognize(self, document: Document) -> Recognition:
        """Score every sentence that prints a command."""
        best: dict[tuple[int, int], float] = {}
        for sentence in document.sentences:
            found = self._matcher.find(sentence.text)
            score = _BY_ROLE[context.role(sentence)] if found else 0.0
            if score:
                today = (self._today[id_] for id_ in found if id_ in self._today)
                best |= {(sentence.index, self._column[id_]): score for id_ in today}
        keys = sorted(best)
        scores = csr_matrix(
            (
                np.array([best[key] for key in keys], dtype=np.float32),
                ([row for row, _ in keys], [column for _, column in keys]),
            ),
            shape=(len(document.sentences), len(self.techniques)),
            dtype=np.float32,
        )
        return Recognition(self.name, self.techniques, scores)
