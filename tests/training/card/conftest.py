"""A small release with what cross-validation measured of it, and a card that has everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.knowledge import Knowledge
from engine.releases import Release
from training.assemble import Fitted, assemble, fit
from training.card import (
    CardInput,
    Change,
    Changes,
    Check,
    Doubt,
    Example,
    Gate,
    Labels,
    LearningPoint,
    Period,
)
from training.evaluation import Interval
from training.fusion import FusionSettings
from training.labels import LabelSet
from training.out_of_fold import OutOfFold
from training.svc import SvcTraining

BEGUN = datetime(2026, 3, 2, tzinfo=UTC)
# What a report may hold and a page must never run.
HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="session")
def fitted(small_labels: LabelSet, small_svc: SvcTraining, knowledge: Knowledge) -> Fitted:
    recognitions = {d.id: small_svc.score(d) for d in small_svc.documents}
    scores = {"svc": OutOfFold("svc", recognitions, small_svc.folds)}
    return fit(small_labels, scores, knowledge, FusionSettings())


@pytest.fixture(scope="session")
def release(
    fitted: Fitted,
    small_labels: LabelSet,
    small_svc: SvcTraining,
    knowledge: Knowledge,
    tmp_path_factory: pytest.TempPathFactory,
) -> Release:
    root = tmp_path_factory.mktemp("carded")
    small_svc.recognizer.save(root / "part/recognizers/svc")
    return assemble(
        root / "small",
        [root / "part"],
        fitted,
        small_labels,
        knowledge,
        FusionSettings(),
        BEGUN,
        {},
        {},
        None,
        {},
    )


@pytest.fixture
def full(release: Release) -> CardInput:
    """A card with everything that a night can know."""
    hidden = Example(document=HOSTILE, outcome="now missed", sentence=HOSTILE)
    better = Example(document="Copper Lantern", outcome="now found", sentence="It read lsass.")
    doubt = Doubt(
        platform="opencti", report="report--1", technique="T1486", label="shown", why=HOSTILE
    )
    check = {"champion": 0.7, "challenger": 0.72, "why": "Not worse beyond its interval."}
    return CardInput(
        release=release,
        gate=Gate(
            published=False,
            champion="2026-11",
            reasons=("Not better beyond doubt on the analysts' own labels.",),
            checks=(
                Check(
                    measure="F1 by document",
                    difference=Interval(0.02, -0.01, 0.05),
                    passed=True,
                    **check,
                ),
                Check(
                    measure="F1 on analysts' reports",
                    difference=Interval(0.01, -0.02, 0.04),
                    passed=False,
                    protects=False,
                    **check,
                ),
            ),
            documents=40,
            verdicts=312,
        ),
        changes=Changes(
            champion="2026-11",
            documents=40,
            changed=(
                Change(
                    technique="T1003.001", before=0.5, after=0.75, support=4, examples=(better,)
                ),
                Change(technique="T1486", before=0.8, after=0.6, support=9, examples=(hidden,)),
            ),
        ),
        learning=tuple(
            LearningPoint(
                release=f"night-{number}",
                test="t",
                at=BEGUN + timedelta(days=number),
                verdicts=50 * number,
                f1=Interval(0.5 + 0.04 * number, 0.45 + 0.04 * number, 0.55 + 0.04 * number),
                published=number != 2,
            )
            for number in range(4)
        ),
        drift=tuple(
            Period(
                begin=BEGUN + timedelta(days=7 * number),
                reports=9,
                unknown_words=0.05 + 0.01 * number,
                novelty=0.1 * number if number else None,
                confirmed=20,
                rejected=5 + number,
                added=3,
            )
            for number in range(5)
        ),
        labels=Labels(
            digest="ab" * 32,
            documents=90,
            sentences=8000,
            confirmed=200,
            rejected=70,
            added=42,
            curated=31,
            disagreements=(doubt,),
            suspicious=(doubt,),
        ),
    )


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place where cards are looked for."""
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path))
    return tmp_path / "cards"
