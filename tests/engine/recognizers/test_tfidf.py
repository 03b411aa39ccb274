"""Unknown words: how far a text is from what a release learned."""

from __future__ import annotations

import pytest

from engine.documents import from_text
from engine.recognizers.tfidf import Tfidf, vectorizer, words

TRAINED = ["The actor ran PowerShell on the host.", "The actor deleted the logs of the host."]


@pytest.fixture(scope="module")
def tfidf():
    return Tfidf(vectorizer({}).fit(TRAINED), vectorizer({"analyzer": "char"}).fit(TRAINED))


def test_words_are_those_of_the_features():
    text = "It ran cmd.exe (T1059.003) from 10.20.30.40, hash d41d8cd98f00b204e9800998ecf8427e!"
    assert words(text) == ["it", "ran", "cmd", "exe", "from", "hash", "xhash"]


@pytest.mark.parametrize(
    ("text", "share"),
    [("The actor ran logs.", 0), ("The Actor ran wild on it", 2 / 6), ("Ganz anders", 1),
     ("12 !", None), ("", None)],
)  # fmt: skip
def test_the_share_that_no_feature_knows(tfidf, text, share):
    found = tfidf.unknown_share(text)
    assert found == (share if share is None else pytest.approx(share))


def test_another_language_and_another_subject_stand_out(engine):
    def share(text: str) -> float:
        found = engine.analyse(from_text(text)).unknown_words
        assert found is not None
        return found

    usual = engine.release.manifest.figures["unknown_words"]
    report = "The actor sent spearphishing e-mails and ran PowerShell to dump LSASS memory."
    german = "Die Angreifer haben das Netzwerk der Firma über eine Schwachstelle übernommen."
    assert share(report) < 2 * usual < share(german)
