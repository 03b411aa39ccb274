"""A fine-tuned transformer over sentences, served with ONNX Runtime and without torch.

One forward pass of a sentence gives the scores of the techniques it was trained on, and the
embedding by which it is matched against all other techniques (zero-shot).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import ReleaseError
from engine.recognizers.encoder_description import DESCRIPTION, EncoderDescription, read_description
from engine.recognizers.onnx_encoder import OnnxEncoder
from engine.recognizers.prototypes import ARRAYS, Prototypes, domains_in
from engine.types import Document, Recognition

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
ZERO_SHOT_NOTE = "zero-shot: found by likeness to the technique's description, not learned"

_WORD = re.compile(r"[^\W\d_]{2,}")


class EncoderSettings(BaseModel):
    """What a release's manifest may set.

    Attributes
    ----------
    threads : int
        Threads of a forward pass; 0: ``TTPSCRIBE_ENCODER_THREADS``, else one a core.
    batch_tokens : int
        Tokens of a batch, with padding.
    floor : float
        Smaller probabilities are left out of the sentence scores.
    zero_shot : bool
        Whether techniques without a classifier are looked for.
    zero_shot_floor : float
        Smaller zero-shot probabilities are left out.
    features : bool
        Give the embeddings as features too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threads: int = Field(default=0, ge=0)
    batch_tokens: int = Field(default=2048, ge=64)
    floor: float = Field(default=0.002, ge=0, lt=1)
    zero_shot: bool = True
    zero_shot_floor: float = Field(default=0.02, ge=0, lt=1)
    features: bool = False


class EncoderRecognizer:
    """Scores each distinct sentence once; safe to share between threads.

    Parameters
    ----------
    encoder : OnnxEncoder
    description : EncoderDescription
    prototypes : Prototypes or None
        None: no zero-shot.
    knowledge : Knowledge
        Labels that it revoked are read as their successors, those it dropped are left out.
    settings : EncoderSettings, optional
    """

    name = "encoder"

    def __init__(
        self,
        encoder: OnnxEncoder,
        description: EncoderDescription,
        prototypes: Prototypes | None,
        knowledge: Knowledge,
        settings: EncoderSettings | None = None,
    ) -> None:
        self.encoder = encoder
        self.description = description
        self.prototypes = prototypes
        self.settings = settings or EncoderSettings()
        columns, names = _resolved(description.labels, knowledge)
        learned = tuple(dict.fromkeys(names))
        self._columns = columns
        self._targets = np.array([learned.index(name) for name in names], dtype=np.intp)
        likened, found = _resolved(prototypes.techniques if prototypes else (), knowledge)
        new = [number for number, name in enumerate(found) if name not in learned]
        self._likened = likened[new]
        self.zero_shot = tuple(found[number] for number in new)
        self._domains = [knowledge.technique(name).domains for name in self.zero_shot]
        self._learned = len(learned)
        self.techniques = learned + self.zero_shot

    def recognize(self, document: Document) -> Recognition:
        """Score every sentence of the document."""
        texts = dict.fromkeys(sentence.text for sentence in document.sentences)
        read = [text for text in texts if self.reads(text)]
        logits, embeddings = self.encoder.encode(read)
        row_of = {text: row for row, text in enumerate(read)}
        return self.recognition(document, row_of, logits, embeddings)

    def reads(self, text: str) -> bool:
        """Tell whether a sentence is long enough to be read at all."""
        return worth_reading(text, self.description.least_words)

    def recognition(
        self,
        document: Document,
        row_of: Mapping[str, int],
        logits: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Recognition:
        """Make of what the model gave what the recognizer says.

        Parameters
        ----------
        document : Document
        row_of : mapping of text to int
            The row of each sentence in the arrays; those that are not in it score nothing.
        logits : ndarray of float32, shape (n_rows, n_labels)
        embeddings : ndarray of float32, shape (n_rows, n_dimensions)
            Of length one.
        """
        from scipy.sparse import csr_matrix

        scores = csr_matrix(self.scores(logits, embeddings, domains_in(document.text)))
        # One empty row more, for the sentences that were not read.
        unread = scores.shape[0]
        scores.resize((unread + 1, len(self.techniques)))
        rows = [row_of.get(sentence.text, unread) for sentence in document.sentences]
        features = None
        if self.settings.features:
            none = np.zeros((1, embeddings.shape[1]), dtype=np.float32)
            features = np.concatenate([embeddings, none]).astype(np.float32)[rows]
        return Recognition(
            recognizer=self.name,
            techniques=self.techniques,
            sentence_scores=scores[rows],
            notes=dict.fromkeys(self.zero_shot, ZERO_SHOT_NOTE),
            features=features,
        )

    def scores(
        self,
        logits: NDArray[np.float32],
        embeddings: NDArray[np.float32],
        domains: Collection[str] = ("enterprise", "ics", "mobile"),
    ) -> NDArray[np.float32]:
        """Return the probabilities, float32 of shape (n_rows, n_techniques).

        Those under the floors are zero; so are zero-shot ones of other domains than those given.
        """
        if logits.shape[1] != len(self.description.labels):
            raise ReleaseError(
                f"The encoder's model has {logits.shape[1]} outputs, but {DESCRIPTION} names "
                f"{len(self.description.labels)} labels: the files do not belong together. "
                "Fetch the release again, or use another: ttpscribe releases list"
            )
        result = np.zeros((len(logits), len(self.techniques)), dtype=np.float32)
        probabilities = self.description.probabilities(logits)[:, self._columns]
        # Two labels may have become one technique since the training.
        np.maximum.at(result.T, self._targets, probabilities.T)
        result[result < self.settings.floor] = 0
        if self.prototypes is not None and self.zero_shot:
            result[:, self._learned :] = self._zero_shot_scores(embeddings, domains)
        return result

    def _zero_shot_scores(
        self, embeddings: NDArray[np.float32], domains: Collection[str]
    ) -> NDArray[np.float32]:
        assert self.prototypes is not None  # noqa: S101 - callers check
        allowed = np.zeros(len(self.prototypes.techniques), dtype=bool)
        allowed[self._likened] = [any(domain in domains for domain in own) for own in self._domains]
        scores = self.prototypes.probabilities(embeddings, allowed)[:, self._likened]
        scores[scores < self.settings.zero_shot_floor] = 0
        return scores

    @classmethod
    def load(
        cls, directory: Path | None, knowledge: Knowledge, settings: Mapping[str, Any]
    ) -> Self:
        """Load from a release; see `engine.recognizers.base.Recognizer.load`."""
        if directory is None:
            raise ReleaseError("The release names the recognizer encoder but holds no files of it.")
        description = read_description(directory)
        try:
            chosen = EncoderSettings(**settings)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ReleaseError(
                f"The manifest's settings of the encoder are wrong: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
            ) from error
        for file in (MODEL, TOKENIZER):
            if not (directory / file).is_file():
                raise ReleaseError(
                    f"The encoder in {directory} has no {file}. Fetch the release again, or use "
                    "another: ttpscribe releases list"
                )
        encoder = OnnxEncoder(
            directory / MODEL,
            directory / TOKENIZER,
            max_tokens=description.max_tokens,
            batch_tokens=chosen.batch_tokens,
            threads=chosen.threads,
        )
        there = chosen.zero_shot and (directory / ARRAYS).is_file()
        prototypes = Prototypes.load(directory) if there else None
        return cls(encoder, description, prototypes, knowledge, chosen)


def _resolved(
    labels: Sequence[str], knowledge: Knowledge
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the columns of the labels that stand for an active technique, and those techniques."""
    found = [
        (column, technique.id)
        for column, label in enumerate(labels)
        if (technique := knowledge.resolve(label).technique) is not None
    ]
    columns = np.array([column for column, _ in found], dtype=np.intp)
    return columns, tuple(technique for _, technique in found)


def worth_reading(text: str, least_words: int) -> bool:
    """Tell whether a sentence has enough words to say anything: hashes and addresses have none.

    A word is a run of two letters or more.
    """
    if least_words <= 0:
        return True
    return sum(1 for _, _ in zip(_WORD.finditer(text), range(least_words), strict=False)) >= (
        least_words
    )
