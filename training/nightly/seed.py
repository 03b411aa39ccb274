"""The seed data of training anew, with its test set taken out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from training.labels import LabelledDocument, LabelSet, drop_near_duplicates, read
from training.nightly.encoders import learned_before
from training.nightly.settings import NightlySettings

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

TEST_SHARE = 5  # One document in so many is the test set.
# The gate measures on no fewer (`GateSettings.least_documents`), and where there are few labels
# each is worth more for learning from.
LEAST_TEST = 10


@dataclass(frozen=True)
class Seed:
    """Seed data with its test set taken out.

    Attributes
    ----------
    labels : LabelSet
        To train on.
    test : tuple of LabelledDocument
        Always the same documents of the same data.
    digest : str
        Names data and test set.
    """

    labels: LabelSet
    test: tuple[LabelledDocument, ...]
    digest: str


def read_seed(settings: NightlySettings, knowledge: Knowledge) -> Seed | None:
    """Read the seed data; None where there is none.

    What a given encoder has learned from is never in the test set.
    """
    if not settings.data:
        return None
    return seed_of(read(settings.data, knowledge), learned_before(settings))


def seed_of(labels: LabelSet, known: Collection[str] = ()) -> Seed:
    """Take the test set out of labels.

    It is chosen by the documents' ids alone, so that it never changes: who is in it stays in it,
    whatever is added. Where fewer than ten would be in it there is none.

    Parameters
    ----------
    labels : LabelSet
    known : collection of str
        Documents that may not be in it.
    """
    test = frozenset(
        d.id for d in labels.documents if d.sentences and _is_test(d.id) and d.id not in known
    )
    if len(test) < LEAST_TEST:
        test = frozenset()
    kept = labels.select(
        lambda example: example.document not in test, lambda document: document.id not in test
    )
    tested = tuple(document for document in labels.documents if document.id in test)
    named = "\n".join([labels.digest(), *sorted(test)])
    digest = hashlib.sha256(named.encode()).hexdigest()
    return Seed(without_repeats(kept, tested), tested, digest)


def without_repeats(labels: LabelSet, test: Sequence[LabelledDocument]) -> LabelSet:
    """Leave out sentences that repeat one of the test set, such as a quotation in another report.

    Their documents keep them: what is no example is scored, but not learned from.
    """
    return replace(labels, examples=drop_near_duplicates(labels.examples, test))


def _is_test(name: str) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % TEST_SHARE == 0
