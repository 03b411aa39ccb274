"""The card of a night: from what the nightly knows to what the card says.

Reports of analysts are named by platform and id and never quoted, so that a card holds none of
their words when they are erased from the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.card.changes import changes
from training.card.compose import CardInput
from training.card.content import Changes, Check, Doubt, Gate, Labels, LearningPoint
from training.card.drift import drift, known_words
from training.card.write import learning
from training.evaluation import bootstrap, document_f1s, label_list

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.ledger import Ledger
    from engine.releases import Release
    from training.gate.types import Decision, Said, Trial
    from training.labels.verdicts import Doubt as FrozenDoubt
    from training.labels.verdicts import FrozenLabels
    from training.nightly.night import Night

# F1 on fewer documents is chance, and their interval promises too much.
LEAST_DOCUMENTS = 10


def card_of_night(
    night: Night, ledger: Ledger, knowledge: Knowledge, directory: Path | None = None
) -> CardInput | None:
    """Return what the card of a night's challenger is made of; None where none was trained.

    Parameters
    ----------
    night : Night
    ledger : Ledger
        For the analysts' corrections over time.
    knowledge : Knowledge
    directory : Path, optional
        Of earlier cards, for the learning curve.
    """
    if night.challenger is None:
        return None
    trial, labels, published = night.trial, night.labels, night.published
    point = None if trial is None else learning_point(trial, night.challenger, published=published)
    texts = () if labels is None else (*labels.train, *labels.held)
    return CardInput(
        release=night.challenger,
        gate=None if trial is None else gate_of(trial.decision, published=published),
        changes=None if trial is None else changes_of(trial, knowledge),
        learning=() if point is None else learning(point, directory),
        drift=drift(
            ledger.verdicts(),
            [(one.judged.at, one.document.text) for one in texts],
            known_words(night.challenger),
        ),
        labels=None if labels is None else labels_of(labels),
    )


def gate_of(decision: Decision, *, published: bool) -> Gate:
    """Return a decision as a card shows it; a dry run decides and does not publish."""
    return Gate(
        published=published,
        champion=decision.champion,
        reasons=decision.reasons,
        checks=tuple(
            Check(
                measure=one.title,
                champion=one.champion,
                challenger=one.challenger,
                difference=one.difference,
                passed=one.passed,
                why=one.why,
                protects=one.protects,
            )
            for one in decision.measures
        ),
        documents=decision.documents,
        verdicts=decision.verdicts,
    )


def changes_of(trial: Trial, knowledge: Knowledge) -> Changes:
    """Return what changed on the documents that the gate compared on."""
    origins = zip(trial.champion.predictions, trial.origins, strict=True)
    public = {one.document.id for one, origin in origins if origin == "test set"}
    return changes(
        trial.champion.release,
        trial.champion.predictions,
        trial.challenger.predictions,
        label_list("all", knowledge),
        quote=lambda one: one.document.id in public,
    )


def learning_point(trial: Trial, release: Release, *, published: bool) -> LearningPoint | None:
    """Return F1 by document on the fixed test set; None where the gate had none worth a curve."""
    f1s, ids = _f1_on_test_set(trial.challenger, trial)
    if len(ids) < LEAST_DOCUMENTS:
        return None
    found = bootstrap.interval(bootstrap.mean(f1s), len(ids))
    return LearningPoint(
        release=release.name,
        test=hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16],
        at=release.manifest.created,
        verdicts=trial.decision.verdicts,
        f1=found,
        published=published,
    )


def labels_of(labels: FrozenLabels) -> Labels:
    """Return the summary of a frozen label set."""
    counts = labels.counts
    return Labels(
        digest=labels.digest,
        documents=len(labels.train),
        sentences=sum(len(one.document.sentences) for one in labels.train),
        confirmed=counts.confirmed,
        rejected=counts.rejected,
        added=counts.added,
        curated=counts.curated,
        held_back=len(labels.held),
        over_tlp=counts.over_tlp,
        without_text=counts.without_text,
        changed=counts.changed,
        near_duplicates=counts.near_duplicates,
        unmapped=labels.unmapped,
        disagreements=tuple(_doubts(labels.disagreements)),
        suspicious=tuple(_doubts(labels.suspicious)),
    )


def _doubts(found: Iterable[FrozenDoubt]) -> Iterable[Doubt]:
    for one in found:
        yield Doubt(
            platform=one.platform,
            report=one.report,
            technique=one.technique,
            label=one.label,
            why=one.why,
        )


def _f1_on_test_set(said: Said, trial: Trial) -> tuple[NDArray[np.float64], list[str]]:
    chosen = [
        one
        for one, origin in zip(said.predictions, trial.origins, strict=True)
        if origin == "test set"
    ]
    gold = [one.document.techniques for one in chosen]
    found = [
        frozenset(t for t in one.findings if one.document.says(t) is not None) for one in chosen
    ]
    every = sorted(frozenset().union(*gold, *found))
    return document_f1s(gold, found, every), [one.document.id for one in chosen]
