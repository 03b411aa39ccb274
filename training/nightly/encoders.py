"""Which encoder a release trained anew gets: trained tonight, trained some nights ago, or given.

An encoder that a night trained from the checkpoint is stored in the data directory with its
out-of-fold scores, whatever the gate says of that night's challenger. The nights until the next
training use it as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.documents import from_sentences
from engine.errors import ReleaseError, TrainingDataError
from training.encoder.base import BaseModelError, TrainingExtraError
from training.encoder.kept import KEPT, Kept, digest_of
from training.labels import LabelledDocument, LabelSet
from training.labels.verdicts import FrozenLabels
from training.nightly.learned import Learned
from training.nightly.settings import NightlySettings
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.knowledge import Knowledge

ENCODER: Final = "encoder"
# Less than a week, so that a night that begins an hour earlier than the last time still counts.
WEEK: Final = timedelta(days=6, hours=12)
UNUSABLE: Final = (TrainingDataError, BaseModelError, TrainingExtraError, ReleaseError)


def checkpoint_of(settings: NightlySettings) -> Path | None:
    """Return the directory to go on from: the given one, or what is kept in it."""
    given = settings.checkpoint
    return given / KEPT if given is not None and (given / KEPT).is_dir() else given


def learned_before(settings: NightlySettings) -> dict[str, int]:
    """Return the documents that the given part and checkpoint have learned from, with their folds.

    What cannot be read has none; it is told of where it is to be used.
    """
    found: dict[str, int] = {}
    try:
        if settings.part is not None:
            found |= _learned_by(settings.part)
    except UNUSABLE:
        pass
    try:
        checkpoint = checkpoint_of(settings)
        kept = Kept.of(checkpoint) if checkpoint is not None else None
        found |= kept.folds if kept is not None else {}
    except UNUSABLE:
        pass
    return found


def _learned_by(part: Path) -> dict[str, int]:
    """Return the documents that a part was trained on, with their folds: scored or not."""
    kept = Kept.of(part / KEPT)
    return {**(kept.folds if kept else {}), **OutOfFold.load(part, ENCODER).folds}


@dataclass
class Encoders:
    """The encoders that a night may use.

    Attributes
    ----------
    settings : NightlySettings
    labels : FrozenLabels
        Of tonight.
    began : datetime
        When the night began.
    knowledge : Knowledge
    tell : callable
        Told in a sentence why one is trained, or cannot be.
    steps : Steps
    """

    settings: NightlySettings
    labels: FrozenLabels
    began: datetime
    knowledge: Knowledge
    tell: Callable[[str], None] = lambda _: None
    steps: Steps = NO_STEPS

    def __post_init__(self) -> None:
        self._part = self.settings.part
        self._checkpoint = checkpoint_of(self.settings)
        self._digest = ""
        self._last: Learned | None = None
        self._known: Mapping[str, str | None] = {}
        self.about: dict[str, Any] | None = None

    def look(self, documents: Collection[str]) -> dict[str, int]:
        """Look which encoders may be used.

        An encoder that learned from a report that is held back tonight, or erased, or repeats
        one held back, would be measured on what it knows: it is not used again.

        Parameters
        ----------
        documents : collection of str
            All that tonight's release may learn from.

        Returns
        -------
        dict of document id to int
            The folds of documents that one of them has learned from.
        """
        held = {document.key for document in self.labels.held}
        folds: dict[str, int] = {}
        if self._part is not None:
            found = self._read(self._given)
            if found is None or self._has_seen(held & set(found), self._part):
                self._part = None
            self._known = dict.fromkeys(found or {})
            folds |= found or {}
        if self._checkpoint is None:
            return folds
        kept = self._read(self._kept)
        last = Learned.last()
        if kept is None or self._has_seen(held & set(kept), self._checkpoint):
            # What was trained from it before can be used all the same.
            self._checkpoint = None
        else:
            folds |= kept
            self._digest = digest_of(self._checkpoint)
        if last is None or (self._digest and last.checkpoint != self._digest):
            return folds
        if set(last.documents) <= set(documents):
            found = self._read(lambda: OutOfFold.load(last.directory, ENCODER).folds)
            self._last = None if found is None else last
            folds |= found or {}
        else:
            self.tell(
                "The encoder that was trained last has learned from reports that are not to be "
                "learned from tonight, so it is not used again."
            )
        return folds

    def part(
        self, together: LabelSet, work: Path, without: Mapping[int, LabelSet] | None = None
    ) -> Path | None:
        """Return the encoder of tonight's release, trained where it is time; None without any.

        Parameters
        ----------
        together : LabelSet
            All to learn from, with the folds of `look` for those documents that have one.
        work : Path
            Where a training leaves its checkpoints until it has ended.
        without : mapping from fold to LabelSet, optional
            What to learn from where a fold is held out.
        """
        if self._checkpoint is not None and (why := self._due()):
            self.tell(f"The encoder is trained: {why}.")
            try:
                self._last = self._train(together, work, without or {})
            except UNUSABLE as error:
                self.tell(f"The encoder was not trained. {error}")
        if self._last is not None:
            last = self._last
            self.about = {
                "trained": last.trained.isoformat(),
                "labels": last.labels,
                "documents": len(last.documents),
                "verdicts": len(last.verdicts),
                "checkpoint": last.checkpoint,
            }
            return last.directory
        self.about = None if self._part is None else {"part": digest_of(self._part / "recognizers")}
        return self._part

    def scores(
        self, part: Path, documents: Iterable[LabelledDocument], folds: Mapping[str, int]
    ) -> OutOfFold:
        """Return what the encoder says of documents that it, or a fold of it, has not seen.

        Those it was not trained on are scored by it as it is. A report whose text has changed
        since it was learned from is left out.
        """
        from engine.recognizers.encoder import EncoderRecognizer

        scored = OutOfFold.load(part, ENCODER)
        recognizer = EncoderRecognizer.load(part / "recognizers" / ENCODER, self.knowledge, {})
        last = self._last
        learned = last.documents if last and last.directory == part else self._known
        found = dict(scored.recognitions)
        for document in documents:
            if document.id in learned:
                if learned[document.id] not in (None, _digest_of(document)):
                    found.pop(document.id, None)
            elif document.id in folds and document.id not in found:
                texts = [sentence.text for sentence in document.sentences]
                found[document.id] = recognizer.recognize(from_sentences(texts, document.id))
        return OutOfFold(ENCODER, found, {**folds, **scored.folds})

    def _due(self) -> str:
        """Say why an encoder is to be trained tonight; nothing where it is not."""
        how, last = self.settings.encoder, self._last
        if how == "never":
            return ""
        if last is None:
            return "none that can be used was trained from this checkpoint yet"
        new = len(self._verdicts() - last.verdicts)
        if not new or last.trained == self.began:
            return ""
        if how == "nightly" or new >= self.settings.encoder_verdicts:
            return f"{new} verdicts are new since it last learned"
        if how == "weekly" and self.began - last.trained >= WEEK:
            return f"it last learned on {last.trained:%Y-%m-%d}, and {new} verdicts are new"
        return ""

    def _train(self, together: LabelSet, work: Path, without: Mapping[int, LabelSet]) -> Learned:
        from training.encoder import train_encoder

        assert self._checkpoint is not None  # noqa: S101 - the caller checks
        base = self._checkpoint
        if self.settings.go_on and self._last is not None:
            base = self._last.directory / KEPT
        settings = self.settings.encoder_training.model_copy(update={"base": str(base)})
        if kept := Kept.of(base):
            settings = settings.model_copy(update={"max_tokens": kept.max_tokens})
        # By what is learned: checkpoints of anything else are not looked at.
        digests = [together.digest(), *(one.digest() for one in without.values())]
        work = work / hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
        # The folder is put into its place when all of it is there.
        if not (work / "recognizers" / ENCODER).is_dir():
            train_encoder(
                together,
                self.knowledge,
                work,
                settings,
                cross_validate=True,
                without=without,
                steps=self.steps,
            )
        documents = {one.id: _digest_of(one) for one in together.documents if one.sentences}
        return Learned(
            work, self.began, self._digest, self.labels.name, documents, self._verdicts()
        ).store()

    def _verdicts(self) -> frozenset[str]:
        """Return digests of what analysts said of the reports to learn from."""
        return frozenset(
            hashlib.sha256(f"{one.key} {label.technique} {label.shown}".encode()).hexdigest()[:16]
            for one in self.labels.train
            for label in one.judged.labels.values()
            if label.why != "absent"
        )

    def _given(self) -> Mapping[str, int]:
        from engine.recognizers.encoder import EncoderRecognizer

        assert self._part is not None  # noqa: S101 - the caller checks
        EncoderRecognizer.load(self._part / "recognizers" / ENCODER, self.knowledge, {})
        return _learned_by(self._part)

    def _kept(self) -> Mapping[str, int]:
        assert self._checkpoint is not None  # noqa: S101 - callers check
        if not (self._checkpoint / "config.json").is_file():
            raise BaseModelError(
                f"{self._checkpoint} is no encoder that can be trained: it has no config.json. "
                "Give --checkpoint the folder 'kept' that 'ttpscribe train encoder' left, or the "
                "directory of a Hugging Face encoder. A release holds ONNX only."
            )
        kept = Kept.of(self._checkpoint)
        return kept.folds if kept is not None else {}

    def _read(self, read: Callable[[], Mapping[str, int]]) -> Mapping[str, int] | None:
        try:
            return read()
        except UNUSABLE as error:
            self.tell(str(error))
            return None

    def _has_seen(self, documents: Collection[str], where: Path) -> bool:
        if documents:
            self.tell(
                f"The encoder in {where} has learned from {len(documents)} reports that are held "
                "back tonight, such as "
                f"{min(documents)}, so it is not used. Give one that has learned from the seed "
                "data alone; --go-on goes on from the one that was trained last."
            )
        return bool(documents)


def _digest_of(document: LabelledDocument) -> str:
    total = hashlib.sha256()
    for sentence in document.sentences:
        total.update(sentence.text.encode() + b"\0")
    return total.hexdigest()[:16]
