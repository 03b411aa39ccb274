"""A release trained within seconds from text of our own writing."""

from __future__ import annotations

import pytest
from small_labels import small_label_set

from engine.knowledge import Knowledge
from training.labels import LabelSet
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
