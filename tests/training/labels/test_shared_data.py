"""The real training data, where it is at hand."""

from pathlib import Path

import pytest

from training.labels import group_documents, read

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "text").is_dir(), reason=f"needs the training data in {DATA}"
)


@pytest.fixture(scope="module")
def labels(knowledge):
    return read([DATA / "text", DATA / "attack" / "techniques_v18.1.jsonl.gz"], knowledge)


def test_everything_is_read(labels):
    counts = labels.report.examples
    assert counts["tram2"] == 30087
    assert counts["tram2-spans"] == 4267
    assert counts["attack-techniques"] == 691
    assert counts["tram1"] + labels.report.skipped["tram1-repeats", "source switched off"] == 9851
    assert labels.report.documents == {"tram2": 117}
    assert not labels.report.dropped


def test_documents_hold_their_sentences_at_their_offsets(labels):
    assert sum(len(document.sentences) for document in labels.documents) == 30087
    for document in labels.documents:
        starts = [part.start for part in document.sentences]
        assert starts == sorted(starts)
        for part in document.sentences:
            there = document.text[part.start : part.end]
            assert " ".join(there.split()) == " ".join(part.text.split())
            assert part.fold == document.fold


def test_documents_that_repeat_each_other_share_the_fold_they_were_given(labels):
    folds = {}
    for document, group in zip(labels.documents, group_documents(labels.documents), strict=True):
        assert folds.setdefault(group, document.fold) == document.fold
