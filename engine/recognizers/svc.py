"""Linear support vector machines over TF-IDF, for sentences and for whole documents.

One-vs-rest on sentences as in TRAM's first release, on whole documents as in rcATT (Legoy et
al., "Automated Retrieval of ATT&CK Tactics and Techniques for Cyber Threat Reports", 2020).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.arrays import write_arrays
from engine.errors import ReleaseError
from engine.recognizers.linear import LinearModel
from engine.recognizers.tfidf import Tfidf
from engine.types import Document, Recognition

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

ARRAYS = "svc.safetensors"
LABELS = "svc.json"
# Left out of the sentence scores: under it a score changes no finding, and hundreds a sentence
# would have to be carried along.
FLOOR = 0.002


class SvcServing(BaseModel):
    """What a release's manifest may set.

    Attributes
    ----------
    features : bool
        Give features of sentences too; see `Tfidf.hashed`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: bool = False


class SvcRecognizer:
    """Scores each distinct sentence once, and the document as a whole.

    Parameters
    ----------
    tfidf : Tfidf
    sentences : LinearModel
        Its labels are technique ids.
    documents : LinearModel
        Over the block of words alone; its labels are technique ids and tactic ids.
    settings : SvcServing, optional
    """

    name = "svc"

    def __init__(
        self,
        tfidf: Tfidf,
        sentences: LinearModel,
        documents: LinearModel,
        settings: SvcServing | None = None,
    ) -> None:
        self.settings = settings or SvcServing()
        self.tfidf = tfidf
        self.sentences = sentences
        self.documents = documents
        techniques = {label: number for number, label in enumerate(sentences.labels)}
        self._document_columns = [
            (number, techniques[label])
            for number, label in enumerate(documents.labels)
            if label in techniques
        ]
        self._tactics = [
            (number, label)
            for number, label in enumerate(documents.labels)
            if label.startswith("TA")
        ]

    def recognize(self, document: Document) -> Recognition:
        """Score every sentence of the document, and the whole."""
        texts = [sentence.text for sentence in document.sentences]
        distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        features = self.tfidf.transform(list(distinct))
        scores = self.sentences.sparse_probabilities(features, FLOOR)
        whole = self.documents.probabilities(self.tfidf.transform_words([document.text]))[0]
        rows = [distinct[text] for text in texts]
        by_technique = np.full(len(self.sentences.labels), np.nan, dtype=np.float32)
        for number, column in self._document_columns:
            by_technique[column] = whole[number]
        return Recognition(
            recognizer=self.name,
            techniques=self.sentences.labels,
            sentence_scores=scores[rows],
            document_scores=by_technique,
            tactic_scores={label: float(whole[number]) for number, label in self._tactics},
            unknown_words=self.tfidf.unknown_share(document.text),
            features=self.tfidf.hashed(list(distinct))[rows] if self.settings.features else None,
        )

    def save(self, directory: Path) -> None:
        """Write the model into a directory: the same model gives the same bytes."""
        directory.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = dict(self.tfidf.save(directory))
        arrays |= self.sentences.arrays("sentences")
        arrays |= self.documents.arrays("documents")
        write_arrays(dict(sorted(arrays.items())), directory / ARRAYS)
        labels = {"sentences": self.sentences.labels, "documents": self.documents.labels}
        (directory / LABELS).write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls,
        directory: Path | None,
        knowledge: Knowledge,
        settings: Mapping[str, Any],
    ) -> Self:
        """Load from a release; see `engine.recognizers.base.Recognizer.load`.

        Labels that a newer ATT&CK release revoked are read as their successors by the fusion,
        which knows all recognizers; here they only have to exist.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        del knowledge
        if directory is None:
            raise ReleaseError("The release names the recognizer svc but holds no files of it.")
        try:
            chosen = SvcServing(**settings)
            arrays = load_file(directory / ARRAYS)
            labels = json.loads((directory / LABELS).read_text(encoding="utf-8"))
            tfidf = Tfidf.load(directory, arrays)
            return cls(
                tfidf,
                LinearModel.from_arrays("sentences", arrays, labels["sentences"], tfidf.n_features),
                LinearModel.from_arrays("documents", arrays, labels["documents"], tfidf.n_words),
                chosen,
            )
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise ReleaseError(
                f"The svc model in {directory} cannot be read ({error}). "
                "Fetch the release again, or: ttpscribe releases rollback"
            ) from error
