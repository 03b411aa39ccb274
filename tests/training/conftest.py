"""A release trained within seconds from text of our own writing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from small_labels import small_label_set
from small_verdicts import NOON, judge, site_reports, small_release

from engine.analysis import Engine
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.releases import Release
from training.labels import LabelSet
from training.labels.verdicts import Freezing, FrozenLabels, VerdictSettings, freeze
from training.readings import Reader
from training.svc import SvcSettings, SvcTraining, train_svc

SMALL = SvcSettings(words=2000, characters=2000, min_count=1, min_examples=4, min_documents=3)


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return Knowledge.load()


@pytest.fixture(scope="session")
def small_labels() -> LabelSet:
    return small_label_set()


@pytest.fixture(scope="session")
def small_svc(small_labels: LabelSet, knowledge: Knowledge) -> SvcTraining:
    return train_svc(small_labels, knowledge, SMALL)


@dataclass(frozen=True)
class Site:
    """A release that does not know the site's language, and 60 reports judged by an analyst."""

    release: Release
    engine: Engine
    reader: Reader
    ledger: Path
    labels: FrozenLabels


@pytest.fixture(scope="session")
def site_release(knowledge: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("site"), knowledge)


@pytest.fixture(scope="session")
def site(
    site_release: Release, knowledge: Knowledge, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    engine, reader = Engine.open(site_release, knowledge), Reader(site_release, knowledge)
    with Ledger.open(path, keep_text=True) as ledger:
        judge(ledger, engine, site_reports(60))
        labels = freeze(Freezing(ledger, {}, reader, VerdictSettings()), NOON)
    return Site(site_release, engine, reader, path, labels)
