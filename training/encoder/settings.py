"""Settings of the training of the encoder."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_BASE = "allenai/scibert_scivocab_uncased"
# Texts that speak of rules to detect and of software flaws, not of what somebody did.
FAR_FROM_REPORTS = ("atomic", "kev", "sigma", "smet", "splunk")

# However many sentences with a technique are new, an epoch that goes on from a kept encoder has no
# more of them, so that it ends within minutes on a processor.
MOST_NEW = 10_000


class Stage(BaseModel):
    """How one of the two stages is trained.

    Attributes
    ----------
    epochs : int
        At most so many; early stopping may end before.
    learning_rate : float
        Of the encoder, at its peak; falls linearly to nothing after a short rise.
    head_learning_rate : float
        Of the linear layer on top.
    alignment : float
        Weight of the loss that keeps embeddings near the descriptions of their techniques.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(ge=0)
    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    alignment: float = Field(ge=0)


class EncoderTrainingSettings(BaseModel):
    """How the encoder is trained.

    The first stage learns from texts that stand alone, the second from the sentences of
    documents. Only the second one sees documents, so cross-validation repeats it alone.

    Attributes
    ----------
    base : str
        Name of a Hugging Face encoder, or the path of one. With the path of a kept one (`Kept`)
        training goes on from it: the first stage is left out, and each fold goes on from weights
        that have not seen it.
    texts, sentences : Stage
        The first and the second stage.
    min_examples : int
        A technique needs so many distinct texts to get a classifier; examples of sub-techniques
        count for their parent. The others are left to zero-shot.
    left_out_sources : tuple of str
        Sources of label sets that are not learned from.
    unknown_weight : float
        Weight of a document's sentence as a negative for a technique that its annotators did not
        look for.
    negatives : int
        Sentences without technique in an epoch of the second stage, drawn anew each time: there
        are many more of them than of others.
    rehearsal : int
        Texts of the first stage in an epoch of the second, against forgetting rare techniques.
    recalled : int
        Sentences with a technique in an epoch of the second stage, of documents that a kept base
        has learned already: it only has to remember them. Those that it has not learned are all
        there, up to ``MOST_NEW``.
    max_tokens : int
        Longer texts are cut; to what the base reads at most where that is less.
    batch_tokens : int
        Tokens of a batch, padding included.
    dropout : float
        On the embedding, in training.
    weight_decay : float
    freeze_vocabulary : bool
        Keep the token embeddings as they are: a rare token seen twice moves away from its
        neighbours that were never seen.
    patience : int
        Epochs without a better validation score before a stage ends.
    folds : int
        Folds of documents; one of them validates.
    checkpoint_batches : int
        Batches between checkpoints.
    precision : {"auto", "float32", "bfloat16"}
        auto: bfloat16 on hardware that computes with it.
    device : str
        ``auto``, or a torch device.
    threads : int
        Threads on a CPU; 0 leaves it to torch.
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = DEFAULT_BASE
    texts: Stage = Stage(epochs=3, learning_rate=2.5e-4, head_learning_rate=3e-3, alignment=0.1)
    sentences: Stage = Stage(
        epochs=2, learning_rate=1.5e-4, head_learning_rate=1e-3, alignment=0.05
    )
    min_examples: int = Field(default=8, ge=2)
    left_out_sources: tuple[str, ...] = FAR_FROM_REPORTS
    unknown_weight: float = Field(default=0.2, ge=0, le=1)
    negatives: int = Field(default=6000, ge=0)
    rehearsal: int = Field(default=1500, ge=0)
    recalled: int = Field(default=2000, ge=0)
    max_tokens: int = Field(default=112, ge=8, le=512)
    batch_tokens: int = Field(default=2048, ge=64)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    freeze_vocabulary: bool = True
    patience: int = Field(default=1, ge=1)
    folds: int = Field(default=5, ge=2)
    checkpoint_batches: int = Field(default=200, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    threads: int = Field(default=0, ge=0)
    seed: int = 0
