"""The engine: a release, opened once, that analyses documents.

>>> from engine import Engine
>>> engine = Engine.open()  # doctest: +SKIP
>>> engine.analyse(engine.read(Path("report.pdf"))).findings  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from engine.errors import UsageError
from engine.types import Analysis, Document, Finding, Inference

if TYPE_CHECKING:
    from engine.documents import Limits
    from engine.fusion import Fusion
    from engine.knowledge import Knowledge
    from engine.recognizers import Recognizer
    from engine.recommenders.base import Recommender
    from engine.releases import OperatingPoint, Release

DEFAULT_POINT = "balanced"
DEFAULT_INFERENCES = 10
NOTHING: Mapping[str, float] = MappingProxyType({})


class Engine:
    """Analyses documents with one release.

    Threads may share it: nothing that an answer depends on changes once it is opened. To follow
    the champion, compare ``ReleaseStore().champion_name()`` with ``engine.release.name`` and
    open anew.

    Parameters
    ----------
    release : Release
    recognizers : sequence of Recognizer
    fusion : Fusion
    knowledge : Knowledge
    """

    def __init__(
        self,
        release: Release,
        recognizers: Sequence[Recognizer],
        fusion: Fusion,
        knowledge: Knowledge,
    ) -> None:
        self.release = release
        self.recognizers = tuple(recognizers)
        self.fusion = fusion
        self.knowledge = knowledge
        self._recommenders: dict[str, Recommender] = {}
        self._lock = Lock()

    @classmethod
    def open(
        cls, release: Release | str | Path | None = None, knowledge: Knowledge | None = None
    ) -> Self:
        """Open a release.

        Parameters
        ----------
        release : Release, str, Path or None
            A release, its name in the store, its directory, or None for the champion.
        knowledge : Knowledge or None
            None for the knowledge in use on this machine.

        Raises
        ------
        ReleaseError
            If the release is missing, damaged, or needs a recognizer that is not installed.
        """
        from engine.fusion import Fusion
        from engine.knowledge import Knowledge
        from engine.recognizers import registry
        from engine.releases import Release, ReleaseStore, open_default

        knowledge = knowledge or Knowledge.load()
        if release is None:
            release = open_default()
        elif not isinstance(release, Release):
            release = ReleaseStore().open(release)
        recognizers = [
            registry.get(name).load(release.directory(f"recognizers/{name}"), knowledge, settings)
            for name, settings in release.manifest.recognizers.items()
        ]
        fusion = Fusion.load(release.directory("fusion"), knowledge)
        return cls(release, recognizers, fusion, knowledge)

    def read(self, path: Path, limits: Limits | None = None) -> Document:
        """Read a file; see `engine.documents.read_path`."""
        from engine.documents import Limits, read_path

        return read_path(path, limits=limits or Limits())

    def analyse_text(self, text: str, name: str = "text", **options: Any) -> Analysis:
        """Analyse plain text; options are those of `analyse`."""
        from engine.documents import from_text

        return self.analyse(from_text(text, name), **options)

    def analyse(
        self,
        document: Document,
        operating_point: str = DEFAULT_POINT,
        *,
        threshold: float | None = None,
        inferences: int = DEFAULT_INFERENCES,
        added: Mapping[str, float] = NOTHING,
        removed: Collection[str] = (),
    ) -> Analysis:
        """Find the techniques of a document, and infer further ones.

        Parameters
        ----------
        document : Document
        operating_point : str
            ``precise``, ``balanced`` or ``sensitive``: see the release's manifest.
        threshold : float, optional
            A write threshold to use instead of the operating point's.
        inferences : int
            How many further techniques to infer; 0 for none.
        added : mapping from technique to float
            What an analyst added to the report: observed, too, when inferring.
        removed : collection of str
            What an analyst took off the report: neither observed when inferring, nor inferred.
            The findings stay as they are.

        Raises
        ------
        UsageError
            If there is no such operating point, or the threshold is no probability.
        """
        from engine.fusion import select

        point = self._point(operating_point, threshold)
        recognitions = [recognizer.recognize(document) for recognizer in self.recognizers]
        scores = self.fusion.score(document, recognitions)
        selection = select(document, scores, recognitions, self.fusion, point)
        return Analysis(
            document=document,
            findings=selection.findings,
            suggestions=selection.suggestions,
            tactics=selection.tactics,
            sentences=selection.sentences,
            release=self.release.name,
            operating_point=operating_point,
            attack_version=self.knowledge.version,
            inferences=self._beside(
                selection.findings, selection.suggestions, inferences, added, removed
            ),
            warnings=document.warnings,
            unknown_words=next(
                (one.unknown_words for one in recognitions if one.unknown_words is not None), None
            ),
        )

    def infer(
        self,
        observed: Mapping[str, float],
        k: int,
        recommender: str | None = None,
        *,
        tactics: Collection[str] = (),
        platforms: Collection[str] = (),
    ) -> tuple[Inference, ...]:
        """Rank the techniques that are likely beside the observed ones.

        Parameters
        ----------
        observed : mapping from technique to float
            The probability of each.
        k : int
            How many to return at most.
        recommender : str, optional
            Name of one in the release, instead of its default.
        tactics, platforms : collection of str
            Only techniques of one of these, as `engine.recommenders.inferring.infer` takes them.

        Returns
        -------
        tuple of Inference
            Best first; none where the release has no recommender.

        Raises
        ------
        UsageError
            If the release has no recommender of that name.
        ReleaseError
            If a file of it is damaged.
        """
        from engine.recommenders.inferring import infer

        name = recommender or self.release.manifest.default_recommender
        if name is None:
            return ()
        return infer(
            self._recommender(name), observed, self.knowledge,
            k=k, tactics=tactics, platforms=platforms,
        )  # fmt: skip

    def _recommender(self, name: str) -> Recommender:
        """Return a recommender of the release, loaded when it is first asked for."""
        from engine.recommenders.serving import load_recommender

        with self._lock:
            if name not in self._recommenders:
                self._recommenders[name] = load_recommender(self.release, name)
            return self._recommenders[name]

    def _beside(
        self,
        findings: Sequence[Finding],
        suggestions: Sequence[Finding],
        k: int,
        added: Mapping[str, float],
        removed: Collection[str],
    ) -> tuple[Inference, ...]:
        """Infer from the findings and from what analysts know better.

        What is suggested already is no inference, and what an analyst took out no guess to bring
        back: as many more are asked for.
        """
        from engine.recommenders.observed import resolve

        if not k:
            return ()
        observed = {f.technique: f.probability for f in findings if f.technique not in removed}
        # A platform's ATT&CK may be another version than ours.
        observed |= resolve(added.items(), self.knowledge).techniques
        if not observed:
            return ()
        unwanted = {suggestion.technique for suggestion in suggestions} | set(removed)
        ranked = self.infer(observed, k + len(unwanted))
        return tuple(one for one in ranked if one.technique not in unwanted)[:k]

    def _point(self, name: str, threshold: float | None) -> OperatingPoint:
        point = self.release.manifest.operating_point(name)
        if threshold is None:
            return point
        if not 0 <= threshold <= 1:
            raise UsageError(f"The threshold {threshold} is no probability: choose one in [0, 1].")
        suggest = min(point.suggest_threshold, threshold)
        changed = {"write_threshold": threshold, "suggest_threshold": suggest}
        return point.model_copy(update=changed)
