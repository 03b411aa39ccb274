"""The encoder for many clients at once: batches of all requests share the processor's cores.

A batch holds sentences of one request only, cut exactly as the engine cuts them when it is alone.
The models of releases quantize their activations batch by batch, so that a sentence's score
depends on its neighbours in the batch: were clients mixed, the same report would get another
answer at every call, and one client's text would speak in another's scores. What is gained across
clients comes from running one batch a core, with no core idle while a request is split, scored or
written; see ``docs/decisions/0011-service.md`` for what was measured.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.recognizers.onnx_encoder import Batch, OnnxEncoder, Scored, run_batch
from engine.service.deadline import check

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from engine.analysis import Engine

Encoded = tuple[NDArray[np.float32], NDArray[np.float32]]


class Cores:
    """A thread a core, for the batches of all requests.

    A request has at most one batch a core in the line at a time, so that a book does not keep a
    tweet waiting.

    Parameters
    ----------
    number : int
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="encode")
        self.batches = 0

    def run(self, session: InferenceSession, batches: Iterator[Batch]) -> Iterator[Scored]:
        """Run the batches of one request, in order; give up when its time has run out."""
        begun: deque[Future[Scored]] = deque()
        try:
            for batch in batches:
                if len(begun) == self.number:
                    yield begun.popleft().result()
                check()
                begun.append(self._pool.submit(run_batch, session, batch))
                self.batches += 1
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class SharedEncoder(OnnxEncoder):
    """Encodes the same sentences once, however many ask for them at the same time or soon after.

    A client that asks again after a time-out, or for another operating point, is answered from
    memory. The same sentences in the same order are the same batches, so the answer is the same.

    Parameters
    ----------
    encoder : OnnxEncoder
        The one to stand in for.
    cores : Cores
    keep_bytes : int
        How much to remember.
    """

    def __init__(self, encoder: OnnxEncoder, cores: Cores, keep_bytes: int) -> None:
        super().__init__(
            encoder.model,
            encoder.tokenizer_path,
            max_tokens=encoder.max_tokens,
            batch_tokens=encoder.batch_tokens,
            threads=1,
        )
        self._cores = cores
        self._keep_bytes = keep_bytes
        self._kept_bytes = 0
        self._kept: OrderedDict[bytes, Encoded] = OrderedDict()
        self._running: dict[bytes, Future[Encoded]] = {}
        self._sharing = threading.Lock()
        self.asked = 0
        self.spared = 0

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the logits and the embeddings of texts; see `OnnxEncoder.encode`."""
        key = _key(texts)
        with self._sharing:
            self.asked += 1
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                self.spared += 1
                return kept
            running = self._running.get(key)
            if running is None:
                mine: Future[Encoded] = Future()
                self._running[key] = mine
        if running is not None:
            found = self._wait(running)
            if found is not None:
                self.spared += 1
                return found
            return super().encode(texts)  # whoever began it ran out of time
        try:
            encoded = super().encode(texts)
        except BaseException as error:
            with self._sharing:
                del self._running[key]
            mine.set_exception(error)
            raise
        with self._sharing:
            del self._running[key]
            self._keep(key, encoded)
        mine.set_result(encoded)
        return encoded

    def _forward(self, session: InferenceSession, batches: Iterator[Batch]) -> Iterator[Scored]:
        return self._cores.run(session, batches)

    def _wait(self, running: Future[Encoded]) -> Encoded | None:
        while True:
            check()
            try:
                return running.result(0.2)
            except TimeoutError:
                if running.done():
                    return None
            except Exception:  # told to the request whose it was; this one tries for itself
                return None

    def _keep(self, key: bytes, encoded: Encoded) -> None:
        for array in encoded:
            array.flags.writeable = False  # it is shared from now on
        self._kept[key] = encoded
        self._kept_bytes += _size(encoded)
        while self._kept and self._kept_bytes > self._keep_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= _size(dropped)


def share(engine: Engine, cores: Cores, keep_bytes: int) -> SharedEncoder | None:
    """Let an engine's encoder run on the cores that all requests share; None if it has none."""
    from engine.recognizers.encoder import EncoderRecognizer

    for recognizer in engine.recognizers:
        if isinstance(recognizer, EncoderRecognizer):
            shared = SharedEncoder(recognizer.encoder, cores, keep_bytes)
            recognizer.encoder = shared
            return shared
    return None


def _key(texts: Sequence[str]) -> bytes:
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.digest()


def _size(encoded: Encoded) -> int:
    return encoded[0].nbytes + encoded[1].nbytes
