"""Train the svc recognizer and score every document by a model that has not seen it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from engine.recognizers.linear import LinearModel
from engine.recognizers.svc import SvcRecognizer
from engine.recognizers.tfidf import (
    CHARACTER_SETTINGS,
    WORD_SETTINGS,
    Tfidf,
    vectorizer,
)
from training.labels import LabelledDocument, LabelSet
from training.progress import NO_STEPS, Steps
from training.svc.data import TrainingExamples, folds_of, prepare, whole_documents
from training.svc.fit import fit_linear
from training.svc.held_out import (
    calibrate_documents,
    calibrate_sentences,
    document_targets,
    with_calibration,
)
from training.svc.settings import SvcSettings

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.types import Recognition


# Calibration and fusion need no more documents out of fold than this; each further fold costs a
# fit on all others.
ENOUGH_DOCUMENTS = 2_000


@dataclass
class Counted:
    """Features counted once for several trainings on the same texts, with the same settings."""

    texts: Sequence[str] = ()
    tfidf: Tfidf | None = None
    features: csr_matrix | None = None

    def of(self, data: TrainingExamples, settings: SvcSettings) -> tuple[Tfidf, csr_matrix]:
        """Return the features of the examples; of other texts than before they are counted."""
        texts = [example.text for example in data.examples]
        if self.tfidf is None or self.features is None or texts != self.texts:
            self.tfidf, self.features = count_features(data, settings)
            self.texts = texts
        return self.tfidf, self.features


@dataclass(frozen=True)
class CrossValidated:
    """Recognizers that have each not seen some of the documents.

    Attributes
    ----------
    documents : tuple of LabelledDocument
        The cross-validated ones.
    folds : dict of document id to int
        Of these.
    by_fold : dict of fold to SvcRecognizer
        The recognizer to score a fold's documents by: one that saw neither them nor their
        near-duplicates.
    """

    documents: tuple[LabelledDocument, ...]
    folds: dict[str, int]
    by_fold: dict[int, SvcRecognizer]

    def score(self, document: LabelledDocument) -> Recognition:
        """Score a document out of fold, sentence by sentence as its source cut it."""
        from engine.documents import from_sentences

        texts = [sentence.text for sentence in document.sentences]
        recognizer = self.by_fold[self.folds[document.id]]
        return recognizer.recognize(from_sentences(texts, document.id))


@dataclass(frozen=True)
class SvcTraining(CrossValidated):
    """What the training gives: besides the cross-validated ones a recognizer fitted on all."""

    recognizer: SvcRecognizer


def train_svc(
    labels: LabelSet,
    knowledge: Knowledge,
    settings: SvcSettings | None = None,
    *,
    without: Mapping[int, LabelSet] | None = None,
    counted: Counted | None = None,
    steps: Steps = NO_STEPS,
) -> SvcTraining:
    """Train on a label set.

    Folds are held out in turn, all of them or until ``ENOUGH_DOCUMENTS`` have been scored.

    Parameters
    ----------
    labels : LabelSet
        Examples and, for cross-validation and calibration, documents with sentences.
    knowledge : Knowledge
    settings : SvcSettings, optional
    without : mapping from fold to LabelSet, optional
        What to learn from where a fold is held out, if that is not what the label set says of the
        other folds' examples: where labels were worked out of the texts, those that were worked
        out without the fold. Otherwise scores out of fold are better than those of new texts.
    counted : Counted, optional
        Features of a training before.
    steps : Steps
        Told of progress.

    Returns
    -------
    SvcTraining

    Raises
    ------
    TrainingDataError
        If nothing can be learned from the label set.
    """
    fits = _Fits(labels, knowledge, settings or SvcSettings(), steps, counted, without=without)
    held = fits.cross_validate(enough(fits.folds))
    return SvcTraining(held.documents, held.folds, held.by_fold, fits.final())


def cross_validated(
    labels: LabelSet,
    knowledge: Knowledge,
    settings: SvcSettings | None = None,
    *,
    held_out: Sequence[int] | None = None,
    absent: int | None = None,
    only: Collection[str] | None = None,
    wholes: bool = True,
    counted: Counted | None = None,
    steps: Steps = NO_STEPS,
) -> CrossValidated:
    """Hold out only some folds, and fit nothing on everything: to compare settings and data.

    Parameters
    ----------
    held_out : sequence of int, optional
        Folds to hold out, or all; others teach throughout. The rest as of `train_svc`.
    absent : int, optional
        A fold that neither teaches nor is scored.
    only : collection of str, optional
        Techniques to learn, or all.
    wholes : bool
        Fit the models of whole documents too. Who asks for sentences alone needs none.
    """
    fits = _Fits(
        labels,
        knowledge,
        settings or SvcSettings(),
        steps,
        counted,
        wholes=wholes,
        only=only,
        absent=absent,
    )
    every = sorted(set(fits.folds.values()) - {absent}) if held_out is None else held_out
    return fits.cross_validate(every)


def enough(folds: Mapping[str, int]) -> list[int]:
    """Return the first folds that together have enough documents, or all."""
    sizes = Counter(folds.values())
    order = sorted(sizes)
    before = np.cumsum([0, *(sizes[fold] for fold in order)])[:-1]
    return [fold for fold, held in zip(order, before, strict=True) if held < ENOUGH_DOCUMENTS]


class _Fits:
    """The fits of one training: each of them without another fold, and one on everything."""

    def __init__(
        self,
        labels: LabelSet,
        knowledge: Knowledge,
        settings: SvcSettings,
        steps: Steps,
        counted: Counted | None = None,
        *,
        wholes: bool = True,
        only: Collection[str] | None = None,
        absent: int | None = None,
        without: Mapping[int, LabelSet] | None = None,
    ) -> None:
        self.absent = absent
        self.without = without or {}
        self.knowledge = knowledge
        self.labels = labels
        self.settings = settings
        self.steps = steps
        self.folds = folds_of(labels.documents, settings.folds, settings.seed)
        with steps.step("Compare texts", 1):
            self.data = prepare(labels, self.folds, knowledge, settings, only)
        self.wholes = whole_documents(labels, self.folds, knowledge) if wholes else ()
        with steps.step("Count features", 1):
            self.tfidf, self.features = (counted or Counted()).of(self.data, settings)
        self._calibrate: Callable[[SvcRecognizer], SvcRecognizer] = lambda model: model

    def cross_validate(self, held_out: Sequence[int]) -> CrossValidated:
        """Fit without each of the folds, and calibrate all fits on what they did not see."""
        models = {fold: self._fit(fold) for fold in held_out}
        sentences = calibrate_sentences(self.data, self.features, models, self.settings)
        documents = calibrate_documents(self.wholes, self.tfidf, models, self.settings)

        def calibrate(model: SvcRecognizer) -> SvcRecognizer:
            return SvcRecognizer(
                model.tfidf,
                with_calibration(model.sentences, *sentences),
                with_calibration(model.documents, *documents),
            )

        self._calibrate = calibrate
        return CrossValidated(
            tuple(one for one in self.labels.documents if self.folds.get(one.id) in models),
            {name: fold for name, fold in self.folds.items() if fold in models},
            {fold: calibrate(model) for fold, model in models.items()},
        )

    def final(self) -> SvcRecognizer:
        """Fit on everything, calibrated as the cross-validated ones."""
        return self._calibrate(self._fit(None))

    def _fit(self, held_out: int | None) -> SvcRecognizer:
        data, settings, steps = self.data, self.settings, self.steps
        if held_out is not None and held_out in self.without:
            data = data.relabelled(self.without[held_out], self.knowledge)
        sentences = fit_sentences(data, self.features, settings, held_out, steps, self.absent)
        documents = _fit_documents(self.wholes, self.tfidf, settings, held_out, steps)
        return SvcRecognizer(self.tfidf, sentences, documents)


def count_features(data: TrainingExamples, settings: SvcSettings) -> tuple[Tfidf, csr_matrix]:
    """Choose the features of the examples, and count them."""
    texts = [example.text for example in data.examples]
    tfidf = _fit_tfidf(texts, settings)
    return tfidf, tfidf.transform(texts)


def _fit_tfidf(texts: Sequence[str], settings: SvcSettings) -> Tfidf:
    words = vectorizer(WORD_SETTINGS, min_df=settings.min_count, max_features=settings.words)
    characters = vectorizer(
        CHARACTER_SETTINGS, min_df=settings.min_count, max_features=settings.characters
    )
    return Tfidf(words.fit(texts), characters.fit(texts))


def fit_sentences(
    data: TrainingExamples,
    features: csr_matrix,
    settings: SvcSettings,
    held_out: int | None,
    steps: Steps = NO_STEPS,
    absent: int | None = None,
) -> LinearModel:
    """Fit the model of sentences on all but one fold or two (or on all); not calibrated."""
    rows = data.training_rows({fold for fold in (held_out, absent) if fold is not None})
    certainty = data.targets.certainty[rows].tocsc()
    known = data.targets.known[rows]
    unsure = data.targets.unsure[rows].tocsc()
    weights = data.targets.weights[rows]

    def weights_of(label: int) -> NDArray[np.float32]:
        weight = np.where(known[:, label], weights, weights * settings.unknown_weight)
        # Somewhere its document shows it: what is perhaps a positive must not be a negative.
        weight[unsure.indices[unsure.indptr[label] : unsure.indptr[label + 1]]] = 0
        own = slice(certainty.indptr[label], certainty.indptr[label + 1])
        shown = certainty.indices[own]
        weight[shown] = weights[shown] * settings.positive_weight * certainty.data[own]
        return weight.astype(np.float32)

    space = data.targets.techniques
    # Out of fold, a technique that no cross-validated document shows has nothing to tell.
    skip = None if held_out is None else ~data.shown_in_documents()
    with steps.step(_title("Fit sentences", held_out), len(space)) as advance:
        return fit_linear(
            features[rows],
            (data.targets.certainty[rows] > 0).tocsr(),
            weights_of,
            space,
            settings.regularisation,
            settings,
            advance,
            skip,
        )


def _fit_documents(
    wholes: Sequence[LabelledDocument],
    tfidf: Tfidf,
    settings: SvcSettings,
    held_out: int | None,
    steps: Steps,
) -> LinearModel:
    kept = [row for row, whole in enumerate(wholes) if whole.fold is None or whole.fold != held_out]
    parts = [wholes[row] for row in kept]
    if len(parts) < settings.min_documents:
        return _no_documents(tfidf)
    names, truth = document_targets(wholes, settings)
    with steps.step(_title("Fit documents", held_out), len(names)) as advance:
        return fit_linear(
            tfidf.transform_words([part.body for part in parts]),
            csr_matrix(truth[kept]),
            lambda _: np.array([part.weight for part in parts], dtype=np.float32),
            names,
            settings.document_regularisation,
            settings,
            advance,
        )


def _title(step: str, held_out: int | None) -> str:
    return step if held_out is None else f"{step}, fold {held_out}"


def _no_documents(tfidf: Tfidf) -> LinearModel:
    nothing = np.zeros(0, dtype=np.float32)
    return LinearModel(
        (), csr_matrix((tfidf.n_words, 0), dtype=np.float32), nothing, nothing, nothing
    )
