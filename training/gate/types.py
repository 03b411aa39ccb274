"""What the gate compares and what it decides, as types: for the card, for tables, for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from training.evaluation import Interval, Prediction

Origin = Literal["verdicts", "test set"]


@dataclass(frozen=True)
class Said:
    """What one release said of the held-back documents.

    Attributes
    ----------
    release : str
    predictions : tuple of Prediction
        One a document, in the order of `Trial.documents`; ``findings`` are those of the
        operating point ``balanced``, ``probabilities`` hold every technique at or over the
        smallest suggest threshold.
    precise : tuple of frozenset of str
        The findings of the operating point ``precise``, likewise.
    thresholds : mapping from operating point to float
        The write thresholds.
    """

    release: str
    predictions: tuple[Prediction, ...]
    precise: tuple[frozenset[str], ...]
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Measure:
    """One figure of both releases on the same documents.

    Attributes
    ----------
    name : str
        For programs: ``document_f1``, ``precision``, ``calibration``, ``top_recall``,
        ``own_f1``; on the test set ``test_document_f1`` and so on.
    title : str
        For people.
    champion, challenger : float
    difference : Interval
        Challenger minus champion, in the direction in which more is better (calibration error
        counts negatively), with its interval over documents.
    p_value : float
    protects : bool
        It must not get worse; else it must get better.
    passed : bool
    why : str
        A sentence.
    documents : int
        On how many it was measured.
    """

    name: str
    title: str
    champion: float
    challenger: float
    difference: Interval
    p_value: float
    protects: bool
    passed: bool
    why: str
    documents: int


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes the champion, and why.

    Attributes
    ----------
    publish : bool
    reasons : tuple of str
        Sentences; of a refusal, each of them is enough to refuse.
    champion, challenger : str
        Names of the releases.
    measures : tuple of Measure
    documents : int
        Held-back documents compared on, of which ``judged`` bear analysts' labels.
    verdicts : int
        That the label set holds, so that the challenger could learn from them.
    """

    publish: bool
    reasons: tuple[str, ...]
    champion: str
    challenger: str
    measures: tuple[Measure, ...] = ()
    documents: int = 0
    judged: int = 0
    verdicts: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Trial:
    """All that the gate looked at.

    Attributes
    ----------
    champion, challenger : Said
    origins : tuple of Origin
        Where each document comes from; as many as predictions.
    decision : Decision
    """

    champion: Said
    challenger: Said
    origins: tuple[Origin, ...]
    decision: Decision
