"""What the recognizers of a release make of documents, kept to learn from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.analysis import Engine
from engine.fusion import Fusion
from engine.types import Document
from training.progress import Advance

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from engine.fusion.adaptation import Adaptation
    from engine.fusion.alignment import Aligned
    from engine.fusion.model import Found
    from engine.knowledge import Knowledge
    from engine.releases import Release

# In this order: embeddings know likeness of meaning, words only that of words.
WITH_FEATURES = ("encoder", "svc")
# A night reads its documents three times over; each takes some 0.15 MB.
KEPT = 2000


@dataclass(frozen=True)
class Reading:
    """One document as the recognizers read it.

    Attributes
    ----------
    document : Document
    aligned : mapping from recognizer to Aligned
        In the label space of the release's fusion.
    features : ndarray of float16, shape (n_sentences, n_features), or None
        Of the recognizer that `Reader.source` names.
    """

    document: Document
    aligned: Mapping[str, Aligned]
    features: NDArray[np.float16] | None


class Reader:
    """Reads documents with a release, and scores them with its fusion or a changed one.

    Parameters
    ----------
    release : Release
    knowledge : Knowledge
    """

    def __init__(self, release: Release, knowledge: Knowledge) -> None:
        from engine.recognizers import registry

        recognizers = []
        for name, settings in release.manifest.recognizers.items():
            more = {"features": True} if name in WITH_FEATURES else {}
            directory = release.directory(f"recognizers/{name}")
            recognizers.append(registry.get(name).load(directory, knowledge, {**settings, **more}))
        fusion = Fusion.load(release.directory("fusion"), knowledge)
        self.engine = Engine(release, recognizers, fusion, knowledge)
        names = [recognizer.name for recognizer in recognizers]
        self._kept: OrderedDict[tuple[str, int], Reading] = OrderedDict()
        self.source = next((name for name in WITH_FEATURES if name in names), None)

    @property
    def fusion(self) -> Fusion:
        """The release's own."""
        return self.engine.fusion

    @cached_property
    def base(self) -> Fusion:
        """The release's fusion without what it learned from verdicts."""
        return self.adapted(None)

    def adapted(self, adaptation: Adaptation | None) -> Fusion:
        """Return the release's fusion with another adaptation."""
        own = self.fusion
        return Fusion(
            own.recognizers,
            own.space,
            own.sentence,
            own.document,
            own.tactic,
            own.priors,
            own.knowledge,
            own.fitted,
            adaptation,
        )

    def read(
        self, documents: Iterable[Document], advance: Advance = lambda _: None
    ) -> Iterator[Reading]:
        """Read documents, one after the other; those read lately are not read again."""
        for document in documents:
            name = (document.digest, len(document.sentences))
            if (known := self._kept.get(name)) is not None:
                self._kept.move_to_end(name)
                yield known
                advance(1)
                continue
            found = [recognizer.recognize(document) for recognizer in self.engine.recognizers]
            features = next((r.features for r in found if r.recognizer == self.source), None)
            aligned = self.fusion.align(found)
            half = None if features is None else features.astype(np.float16)
            reading = Reading(document, aligned, half)
            self._kept[name] = reading
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            yield reading
            advance(1)

    def sentences(self, reading: Reading, fusion: Fusion | None = None) -> csr_matrix:
        """Return fused probabilities, float32 of shape (n_sentences, n_techniques of the space)."""
        from scipy.sparse import csr_matrix

        fusion = fusion or self.fusion
        found = self._found(reading, fusion)
        shape = (len(reading.document.sentences), len(fusion.space.techniques))
        return csr_matrix((found.probabilities, (found.pairs.rows, found.pairs.columns)), shape)

    def documents(self, reading: Reading, fusion: Fusion) -> NDArray[np.float32]:
        """Return the fused probability of each technique of the space in a document."""
        return self._found(reading, fusion).documents

    def _found(self, reading: Reading, fusion: Fusion) -> Found:
        features = None
        if fusion.adaptation is not None and fusion.adaptation.recognizer == self.source:
            half = reading.features
            features = None if half is None else half.astype(np.float32)
        return fusion.techniques(reading.document, reading.aligned, features)
