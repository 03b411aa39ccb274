"""Out-of-fold scores on disk: what a recognizer made of documents it was not trained on.

Each trainer writes them beside its model, under ``out-of-fold/<recognizer>.{safetensors,json}``;
the fusion is fitted on them. They are no part of a release.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix, vstack

from engine.arrays import write_arrays
from engine.errors import TrainingDataError
from engine.types import Recognition

FOLDER = "out-of-fold"


@dataclass(frozen=True)
class OutOfFold:
    """Recognitions by document, and the fold that each was held out in.

    Attributes
    ----------
    recognizer : str
    recognitions : dict of document id to Recognition
        All over the same techniques; rows are the sentences of the labelled document.
    folds : dict of document id to int
    """

    recognizer: str
    recognitions: Mapping[str, Recognition]
    folds: Mapping[str, int]

    def save(self, directory: Path) -> None:
        """Write into ``directory/out-of-fold``."""
        folder = directory / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        ids = sorted(self.recognitions)
        all_of = [self.recognitions[document] for document in ids]
        scores = vstack([r.sentence_scores for r in all_of], format="csr")
        arrays = {
            "indptr": scores.indptr.astype(np.int64),
            "columns": scores.indices.astype(np.int32),
            "values": scores.data.astype(np.float16),
        }
        wholes = [r.document_scores for r in all_of if r.document_scores is not None]
        if wholes:
            arrays["documents"] = np.stack(wholes).astype(np.float16)
        tactics = sorted({tactic for r in all_of for tactic in r.tactic_scores})
        if tactics:
            arrays["tactics"] = np.array(
                [[r.tactic_scores[tactic] for tactic in tactics] for r in all_of], np.float16
            )
        write_arrays(arrays, folder / f"{self.recognizer}.safetensors")
        fields = {
            "recognizer": self.recognizer,
            "techniques": all_of[0].techniques,
            "tactics": tactics,
            "documents": [
                {
                    "id": document,
                    "sentences": self.recognitions[document].sentence_scores.shape[0],
                    "fold": self.folds[document],
                }
                for document in ids
            ],
        }
        (folder / f"{self.recognizer}.json").write_text(json.dumps(fields) + "\n", "utf-8")

    @classmethod
    def load(cls, directory: Path, recognizer: str) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        TrainingDataError
            If it is missing or damaged.
        """
        folder = directory / FOLDER
        try:
            fields = json.loads((folder / f"{recognizer}.json").read_text("utf-8"))
            arrays = load_file(folder / f"{recognizer}.safetensors")
            shape = (len(arrays["indptr"]) - 1, len(fields["techniques"]))
            scores = csr_matrix(
                (arrays["values"].astype(np.float32), arrays["columns"], arrays["indptr"]), shape
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise TrainingDataError(
                f"The out-of-fold scores of {recognizer} in {folder} cannot be read ({error}). "
                f"Train it again: ttpscribe train {recognizer} --output {directory}"
            ) from error
        found: dict[str, Recognition] = {}
        begin = 0
        for place, document in enumerate(fields["documents"]):
            end = begin + document["sentences"]
            wholes = arrays.get("documents")
            found[document["id"]] = Recognition(
                recognizer=recognizer,
                techniques=tuple(fields["techniques"]),
                sentence_scores=scores[begin:end],
                document_scores=None if wholes is None else wholes[place].astype(np.float32),
                tactic_scores={
                    tactic: float(arrays["tactics"][place, number])
                    for number, tactic in enumerate(fields["tactics"])
                },
            )
            begin = end
        folds = {document["id"]: document["fold"] for document in fields["documents"]}
        return cls(recognizer, found, folds)


def recognizers_in(directory: Path) -> list[str]:
    """Return the recognizers that have out-of-fold scores in a directory, sorted."""
    return sorted(path.stem for path in (directory / FOLDER).glob("*.json"))
