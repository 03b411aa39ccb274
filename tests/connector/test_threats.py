"""Whom a sentence speaks of."""

from __future__ import annotations

import pytest

from connector.reader import combine
from connector.report import Threat
from connector.threats import Threats, threats_of
from engine.documents import from_sentences
from engine.types import Evidence, Finding

SPIDER = Threat("1", "intrusion-set--1", "Intrusion-Set", ("Example Spider", "ES-7", "Panda"))
BEAR = Threat("2", "intrusion-set--2", "Intrusion-Set", ("Big Bear", "Panda"))
PLAY = Threat("3", "malware--3", "Malware", ("Play",))
PLAIN = Threat("4", "campaign--4", "Campaign", ("Spider",))
ALL = Threats((SPIDER, BEAR, PLAY, PLAIN))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Example Spider ran it.", {SPIDER}),
        ("EXAMPLE  SPIDER's tool", {SPIDER}),
        ("example-spider", {SPIDER}),
        ("ES 7 and others", {SPIDER}),
        ("Examples Spiders", set()),
        ("A Spider ran.", {PLAIN}),
        ("Panda ran it.", {SPIDER, BEAR}),
        ("Big Bear and Example Spider", {SPIDER, BEAR}),
        ("They play games.", set()),
        ("Play encrypted all files.", {PLAY}),
        ("Playing", set()),
        ("", set()),
    ],
)
def test_names_and_aliases(text: str, named: set[Threat]) -> None:
    assert ALL.named_in(text) == {each.standard_id for each in named}


def speaker(*sentences: str) -> str | None:
    reading = combine([from_sentences(list(sentences), "text")], "report")
    assert reading.document is not None
    last = len(sentences) - 1
    evidence = Evidence(last, 0, 1, sentences[-1], "svc", 0.9)
    found = threats_of(Finding("T1105", "x", 0.9, False, (evidence,)), reading, ALL)
    return next(iter(found), None)


def test_the_sentence_goes_before_what_stands_before_it() -> None:
    assert speaker("Big Bear came.", "Example Spider dumped LSASS.") == SPIDER.standard_id


def test_the_nearest_sentence_before_counts() -> None:
    said = speaker("Big Bear came.", "Example Spider came.", "Then.", "It dumped LSASS.")
    assert said == SPIDER.standard_id


def test_two_that_fit_are_not_guessed() -> None:
    assert speaker("Panda dumped LSASS.") is None
    assert speaker("Example Spider and Big Bear came.", "It dumped LSASS.") is None
    # The nearest names two; who is further off is not asked.
    assert speaker("Big Bear came.", "Panda met Play.", "It dumped LSASS.") is None


def test_what_is_far_off_does_not_count() -> None:
    assert speaker("Big Bear came.", *["Then."] * 5, "It dumped LSASS.") is None


def test_another_source_does_not_count() -> None:
    parts = [from_sentences(["Big Bear came."], "a"), from_sentences(["It dumped LSASS."], "b")]
    reading = combine(parts, "report")
    finding = Finding("T1105", "x", 0.9, False, (Evidence(1, 0, 1, "x", "svc", 0.9),))
    assert threats_of(finding, reading, ALL) == {}


def test_no_threats() -> None:
    assert Threats(()).named_in("Example Spider") == frozenset()


def test_hostile_names() -> None:
    odd = Threats((Threat("9", "tool--9", "Tool", ("a(b", "[x]+*", "")),))
    assert odd.named_in("we saw a(b and [x]+* here") == {"tool--9"}
