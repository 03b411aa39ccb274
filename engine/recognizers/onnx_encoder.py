"""Texts through an ONNX encoder: tokenized once, batched by length, never padded to a fixed one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ReleaseError, UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

THREADS = "TTPSCRIBE_ENCODER_THREADS"
# No token is longer than this many characters on average; what lies beyond is cut off before
# tokenizing, so that a line of megabytes costs no more than a long sentence.
CHARACTERS_A_TOKEN = 16

# Row numbers, ids and mask of a batch; row numbers, logits and embeddings of it.
Batch = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]
Scored = tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]


class OnnxEncoder:
    """Scores and embeds texts with a model of two outputs, ``logits`` and ``embedding``.

    The session is made at the first call and then shared: ONNX Runtime lets many threads run
    one session.

    Parameters
    ----------
    model : Path
        ``model.onnx``, with inputs ``input_ids`` and ``attention_mask`` (int64, batch by length).
    tokenizer : Path
        ``tokenizer.json`` of the `tokenizers` package.
    max_tokens : int
        Longer texts are cut.
    batch_tokens : int
        Tokens of one batch, with padding; bounds the memory.
    threads : int
        Threads of one forward pass; 0 lets the environment variable
        ``TTPSCRIBE_ENCODER_THREADS`` decide, and without it one a core.
    """

    def __init__(
        self,
        model: Path,
        tokenizer: Path,
        *,
        max_tokens: int = 128,
        batch_tokens: int = 2048,
        threads: int = 0,
    ) -> None:
        self.model = model
        self.tokenizer_path = tokenizer
        self.max_tokens = max_tokens
        self.batch_tokens = batch_tokens
        self.threads = threads or _threads_of_environment()
        self._lock = Lock()
        self._session: InferenceSession | None = None
        self._tokenizer: Tokenizer | None = None

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the logits and the embeddings of texts.

        Returns
        -------
        logits : ndarray of float32, shape (n_texts, n_labels)
        embeddings : ndarray of float32, shape (n_texts, n_dimensions)
            Of length one.

        Raises
        ------
        ReleaseError
            If the model or the tokenizer is damaged.
        """
        session, tokenizer = self._load()
        rows = self._tokenize(tokenizer, texts)
        logits: NDArray[np.float32] | None = None
        embeddings: NDArray[np.float32] | None = None
        for batch, found, vectors in self._forward(session, self._batches(rows)):
            if logits is None or embeddings is None:
                logits = np.empty((len(texts), found.shape[1]), dtype=np.float32)
                embeddings = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
            logits[batch] = found
            embeddings[batch] = vectors
        if logits is None or embeddings is None:
            labels, dimensions = (int(output.shape[1]) for output in session.get_outputs())
            return np.empty((0, labels), np.float32), np.empty((0, dimensions), np.float32)
        return logits, embeddings

    def tokens(self, texts: Sequence[str]) -> int:
        """Count the tokens that `encode` processes, padding included."""
        _, tokenizer = self._load()
        return sum(ids.size for _, ids, _ in self._batches(self._tokenize(tokenizer, texts)))

    def _forward(self, session: InferenceSession, batches: Iterator[Batch]) -> Iterator[Scored]:
        """Run the batches, one after the other; a subclass may know better."""
        for batch in batches:
            yield run_batch(session, batch)

    def _tokenize(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
        longest = self.max_tokens * CHARACTERS_A_TOKEN
        return [row.ids for row in tokenizer.encode_batch([text[:longest] for text in texts])]

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Yield row numbers, ids and mask of batches of like length, the longest first.

        Rows are long before they are short, so that the memory of the first batch serves all.
        """
        lengths = np.fromiter((len(row) for row in rows), dtype=np.intp, count=len(rows))
        order = np.argsort(-lengths, kind="stable")
        begin = 0
        while begin < len(order):
            width = max(1, int(lengths[order[begin]]))
            batch = order[begin : begin + max(1, self.batch_tokens // width)]
            ids = np.zeros((len(batch), width), dtype=np.int64)
            mask = np.zeros((len(batch), width), dtype=np.int64)
            for number, row in enumerate(batch):
                ids[number, : lengths[row]] = rows[row]
                mask[number, : lengths[row]] = 1
            yield batch, ids, mask
            begin += len(batch)

    def _load(self) -> tuple[InferenceSession, Tokenizer]:
        with self._lock:
            if self._session is None or self._tokenizer is None:
                self._tokenizer = self._open_tokenizer()
                self._session = self._open_session()
            return self._session, self._tokenizer

    def _open_tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self.tokenizer_path))
        except Exception as error:  # the package raises no narrower type
            raise ReleaseError(_damaged(self.tokenizer_path, error)) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    def _open_session(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Threads that spin between batches take the cores from all else in the process.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session: Any = onnxruntime.InferenceSession(
                str(self.model), options, providers=["CPUExecutionProvider"]
            )
            outputs = [output.name for output in session.get_outputs()]
        except Exception as error:  # the package raises a dozen types with no common base
            raise ReleaseError(_damaged(self.model, error)) from error
        if outputs != ["logits", "embedding"]:
            raise ReleaseError(
                _damaged(self.model, f"its outputs are {outputs}, not logits and embedding")
            )
        return session


def run_batch(session: InferenceSession, batch: Batch) -> Scored:
    """Send one batch through the model."""
    rows, ids, mask = batch
    logits, embeddings = session.run(
        ["logits", "embedding"], {"input_ids": ids, "attention_mask": mask}
    )
    return rows, logits, embeddings


def _threads_of_environment() -> int:
    value = os.environ.get(THREADS, "0")
    if not value.isdecimal():
        raise UsageError(f"{THREADS}={value!r} is not a number of threads. Give 1, 2, ... .")
    return int(value)


def _damaged(path: Path, why: object) -> str:
    return (
        f"{path.name} of the encoder in {path.parent} cannot be used ({str(why)[:200]}). "
        "Fetch the release again, or use another: ttpscribe releases list"
    )
