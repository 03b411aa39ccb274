"""Let a release speak on documents held back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.documents import from_sentences, from_text
from engine.fusion import select
from training.evaluation import Prediction
from training.gate.types import Said
from training.labels import LabelledDocument
from training.progress import NO_STEPS, Steps

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.types import Document
    from training.labels.verdicts.types import JudgedDocument


def as_labelled(document: JudgedDocument) -> LabelledDocument:
    """Return a judged document as what is measured on: only what was judged is known."""
    judged = document.judged
    return LabelledDocument(
        document.key,
        document.document.text,
        document.techniques,
        source="verdicts",
        known=None if judged.complete else frozenset(judged.labels),
        title=document.document.name,
    )


def say(
    engine: Engine,
    judged: Sequence[JudgedDocument],
    test: Sequence[LabelledDocument] = (),
    *,
    steps: Steps = NO_STEPS,
) -> Said:
    """Run a release over held-back documents, those of analysts first."""
    points = engine.release.manifest.operating_points
    lowest = min(points.values(), key=lambda point: point.suggest_threshold)
    texts = [(as_labelled(one), one.document) for one in judged]
    texts += [(one, _document(one)) for one in test]
    predictions, precise = [], []
    with steps.step(f"Ask {engine.release.name}", len(texts)) as advance:
        for labelled, document in texts:
            recognitions = [recognizer.recognize(document) for recognizer in engine.recognizers]
            scores = engine.fusion.score(document, recognitions)
            found = {
                name: select(document, scores, recognitions, engine.fusion, point)
                for name, point in {**points, "lowest": lowest}.items()
            }
            everything = (*found["lowest"].findings, *found["lowest"].suggestions)
            predictions.append(
                Prediction(
                    labelled,
                    frozenset(f.technique for f in found["balanced"].findings),
                    {finding.technique: finding.probability for finding in everything},
                )
            )
            precise.append(frozenset(f.technique for f in found["precise"].findings))
            advance(1)
    return Said(
        engine.release.name,
        tuple(predictions),
        tuple(precise),
        {name: point.write_threshold for name, point in points.items()},
    )


def _document(labelled: LabelledDocument) -> Document:
    if labelled.sentences:
        return from_sentences([s.text for s in labelled.sentences], labelled.id)
    return from_text(labelled.body, labelled.id)
