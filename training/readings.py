"""What the recognizers of a release make of documents, kept to learn from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.analysis import Engine
from engine.fusion import Fusion
from engine.types import Document, Recognition
from training.progress import Advance

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from engine.fusion.adaptation import Adaptation
    from engine.knowledge import Knowledge
    from engine.releases import Release

# In this order: embeddings know likeness of meaning, words only that of words.
WITH_FEATURES = ("encoder", "svc")


@dataclass(frozen=True)
class Reading:
    """One document as the recognizers read it.

    Attributes
    ----------
    document : Document
    recognitions : tuple of Recognition
        Without features.
    features : ndarray of float16, shape (n_sentences, n_features), or None
        Of the recognizer that `Reader.source` names.
    """

    document: Document
    recognitions: tuple[Recognition, ...]
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
        """Read documents, one after the other."""
        for document in documents:
            found = [recognizer.recognize(document) for recognizer in self.engine.recognizers]
            features = next((r.features for r in found if r.recognizer == self.source), None)
            kept = tuple(replace(r, features=None) for r in found)
            half = None if features is None else features.astype(np.float16)
            yield Reading(document, kept, half)
            advance(1)

    def sentences(self, reading: Reading, fusion: Fusion | None = None) -> csr_matrix:
        """Return fused probabilities, float32 of shape (n_sentences, n_techniques of the space)."""
        from scipy.sparse import csr_matrix

        fusion = fusion or self.fusion
        scores = fusion.score(reading.document, self.recognitions(reading))
        shape = (len(reading.document.sentences), len(fusion.space.techniques))
        place = (scores.sentences.rows, scores.sentences.columns)
        return csr_matrix((scores.probabilities, place), shape=shape)

    def documents(self, reading: Reading, fusion: Fusion) -> NDArray[np.float32]:
        """Return the fused probability of each technique of the space in a document."""
        return fusion.score_techniques(reading.document, self.recognitions(reading))

    def recognitions(self, reading: Reading) -> list[Recognition]:
        """Return the recognitions with the features back in their place."""
        if reading.features is None:
            return list(reading.recognitions)
        features = reading.features.astype(np.float32)
        return [
            replace(r, features=features) if r.recognizer == self.source else r
            for r in reading.recognitions
        ]
