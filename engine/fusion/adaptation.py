"""What a release learned from the verdicts of one site, on top of what it was trained on.

The fused log-odds of a sentence and a technique get a correction that is linear in the features
of the sentence; those of a document get one number a technique. Without data of the training, this
is what can be learned soundly from a few verdicts: where they say nothing, the correction is none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from engine.arrays import write_arrays
from engine.fusion.alignment import LabelSpace
from engine.fusion.features import LOWEST, Candidates

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

ARRAYS: Final = "adaptation.safetensors"
SETTINGS: Final = "adaptation.json"
# The name under which it is given as evidence, beside those of the recognizers.
VERDICTS: Final = "verdicts"
# A pair that no recognizer scored is a candidate from here on.
FLOOR: Final = 0.02
BLOCK: Final = 4096


@dataclass(frozen=True)
class Adaptation:
    """Corrections of log-odds.

    Attributes
    ----------
    recognizer : str
        The one whose features of sentences are used.
    techniques : tuple of str
        Those that are corrected, sorted.
    weights : ndarray of float32, shape (n_techniques, n_features)
    bias : ndarray of float32, shape (n_techniques,)
        Of sentences.
    document_offset : ndarray of float32, shape (n_techniques,)
        Added to the log-odds of a document.
    """

    recognizer: str
    techniques: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    document_offset: NDArray[np.float32]

    def corrections(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what to add to the log-odds of sentences, shape (n_sentences, n_techniques).

        A sentence without features (a hash, an address) is not corrected.
        """
        result: NDArray[np.float32] = features @ self.weights.T + self.bias
        result[~features.any(axis=1)] = 0
        return result

    def offsets(self, space: LabelSpace) -> NDArray[np.float32]:
        """Return the corrections of documents, in the columns of a label space."""
        result = np.zeros(len(space.techniques), dtype=np.float32)
        for technique, value in zip(self.techniques, self.document_offset, strict=True):
            if technique in space.column:
                result[space.column[technique]] = value
        return result

    def apply(
        self,
        pairs: Candidates,
        probabilities: NDArray[np.float32],
        features: NDArray[np.float32],
        space: LabelSpace,
    ) -> tuple[Candidates, NDArray[np.float32], NDArray[np.float32]]:
        """Correct the probabilities of candidates, and add those that the verdicts speak for.

        Parameters
        ----------
        pairs : Candidates
        probabilities : ndarray of float32, shape (n_candidates,)
        features : ndarray of float32, shape (n_sentences, n_features)
        space : LabelSpace

        Returns
        -------
        pairs : Candidates
            In the order of sentences; pairs that were added have features of zero.
        probabilities : ndarray of float32, shape (n_candidates,)
        raised : ndarray of float32, shape (n_candidates,)
            The probability where the verdicts raised it, else 0.
        """
        from scipy.special import expit, logit

        columns = np.array([space.column.get(t, -1) for t in self.techniques], dtype=np.int64)
        own = np.full(len(space.techniques), -1, dtype=np.int64)
        own[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
        touched = np.flatnonzero(own[pairs.columns] >= 0)
        result = probabilities.astype(np.float32).copy()
        new_rows, new_columns, new_values = [], [], []
        by_row = touched[np.argsort(pairs.rows[touched], kind="stable")]
        for begin in range(0, len(features), BLOCK):
            odds = self.corrections(features[begin : begin + BLOCK])
            low, high = np.searchsorted(pairs.rows[by_row], [begin, begin + len(odds)])
            here = by_row[low:high]
            row, column = pairs.rows[here] - begin, own[pairs.columns[here]]
            before = np.clip(probabilities[here], 1e-6, 1 - 1e-6)
            result[here] = expit(logit(before) + odds[row, column])
            alone = expit(LOWEST + odds)
            alone[row, column] = 0
            alone[:, columns < 0] = 0
            rows, found = np.nonzero(alone >= FLOOR)
            new_rows.append(rows + begin)
            new_columns.append(columns[found])
            new_values.append(alone[rows, found])
        added = np.concatenate([*new_rows, np.zeros(0, np.int64)]).astype(np.int64)
        more = np.zeros((len(added), pairs.features.shape[1]), dtype=np.float32)
        rows = np.concatenate([pairs.rows, added])
        columns = np.concatenate([pairs.columns, *new_columns]).astype(np.int64)
        order = np.lexsort((columns, rows))
        everything = np.concatenate([result, *new_values]).astype(np.float32)
        before = np.concatenate([probabilities, np.zeros(len(added), np.float32)])
        raised = np.where(everything > before, everything, 0).astype(np.float32)
        return (
            Candidates(rows[order], columns[order], np.concatenate([pairs.features, more])[order]),
            everything[order],
            raised[order],
        )

    def save(self, directory: Path) -> None:
        """Write beside ``fusion.json``: the same adaptation gives the same bytes."""
        directory.mkdir(parents=True, exist_ok=True)
        write_arrays(
            {
                "bias": self.bias.astype(np.float32),
                "document_offset": self.document_offset.astype(np.float32),
                "weights": np.ascontiguousarray(self.weights, dtype=np.float16),
            },
            directory / ARRAYS,
        )
        fields = {"recognizer": self.recognizer, "techniques": self.techniques}
        (directory / SETTINGS).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, knowledge: Knowledge) -> Self | None:
        """Read what `save` wrote; None where the release has none.

        A technique that the knowledge has since revoked is read as its successor.

        Raises
        ------
        ValueError, OSError, KeyError
            If it is damaged; the fusion says so.
        """
        if not (directory / SETTINGS).is_file():
            return None
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        fields: dict[str, Any] = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
        try:
            arrays = load_file(directory / ARRAYS)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        names = [str(name) for name in fields["techniques"]]
        weights = arrays["weights"].astype(np.float32)
        if not len(names) == len(weights) == len(arrays["bias"]) == len(arrays["document_offset"]):
            raise ValueError("the adaptation has not as many weights as techniques")
        kept: dict[str, int] = {}
        for number, name in enumerate(names):
            technique = knowledge.resolve(name).technique
            if technique is not None:
                kept.setdefault(technique.id, number)
        order = [kept[technique] for technique in sorted(kept)]
        return cls(
            str(fields["recognizer"]),
            tuple(sorted(kept)),
            weights[order],
            arrays["bias"][order],
            arrays["document_offset"][order],
        )
