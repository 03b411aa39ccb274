"""From many verdicts to one opinion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.documents import from_text
from engine.errors import ReleaseError
from engine.harvest import ReportText
from engine.ledger import Curation, Enrichment, Ledger, Verdict, Withdrawal, Written, text_digest
from training.labels.verdicts import VerdictSettings, collect
from training.labels.verdicts.texts import Texts

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SETTINGS = VerdictSettings()
TEXT = "The macro starts PowerShell. The mail had an attachment. It was seen in May."


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite", keep_text=True) as opened:
        yield opened


def say(ledger, technique, verdict, who="ana", minutes=0, report="r", **more):
    ledger.record_verdicts(
        Verdict(
            platform="opencti",
            report=report,
            technique=technique,
            verdict=verdict,
            who=who,
            at=NOON + timedelta(minutes=minutes),
            **{"known_by": "difference", **more},
        )
    )


def label(ledger, knowledge, technique):
    (report,) = collect(ledger, knowledge, SETTINGS).reports
    return report.labels.get(technique)


def test_the_last_word_of_each_analyst_counts(ledger, knowledge):
    say(ledger, "T1059.001", "rejected")
    say(ledger, "T1059.001", "added", minutes=1)
    found = label(ledger, knowledge, "T1059.001")
    assert (found.shown, found.weight, found.why) == (True, 1.0, "added")
    assert collect(ledger, knowledge, SETTINGS).disagreements == ()


def test_what_was_taken_back_is_no_label(ledger, knowledge):
    say(ledger, "T1059.001", "rejected", known_by="opinion")
    say(ledger, "T1059.001", "confirmed", "eve")
    taken = ledger.said("opencti", "opinion")
    ledger.withdraw(
        *(
            Withdrawal(platform=v.platform, report=v.report, technique=v.technique, verdict=v.id)
            for v in taken
        )
    )
    assert label(ledger, knowledge, "T1059.001").weight == 1.0
    assert collect(ledger, knowledge, SETTINGS).disagreements == ()


def test_the_heavier_side_of_a_disagreement_counts_less_and_is_listed(ledger, knowledge):
    say(ledger, "T1059.001", "confirmed", "ana")
    say(ledger, "T1059.001", "confirmed", "bob")
    say(ledger, "T1059.001", "rejected", "eve", minutes=5)
    found = label(ledger, knowledge, "T1059.001")
    assert found.shown
    assert found.weight == pytest.approx(1 / 3)
    (doubt,) = collect(ledger, knowledge, SETTINGS).disagreements
    assert (doubt.report, doubt.label) == ("r", "shown")
    assert "eve: rejected" in doubt.why


def test_a_balanced_disagreement_is_left_out_and_listed(ledger, knowledge):
    say(ledger, "T1059.001", "confirmed", "ana")
    say(ledger, "T1059.001", "rejected", "eve", minutes=5)
    assert label(ledger, knowledge, "T1059.001") is None
    assert [d.label for d in collect(ledger, knowledge, SETTINGS).disagreements] == ["left out"]


def test_what_is_known_of_nobody_gives_way_to_a_later_name(ledger, knowledge):
    say(ledger, "T1059.001", "rejected", None)
    say(ledger, "T1059.001", "confirmed", "ana", minutes=5)
    assert label(ledger, knowledge, "T1059.001").shown
    say(ledger, "T1059.001", "rejected", None, minutes=9)
    assert label(ledger, knowledge, "T1059.001") is None


def test_labels_follow_attack_and_what_is_gone_is_listed(ledger, knowledge):
    say(ledger, "T1086", "added")  # PowerShell before there were sub-techniques
    say(ledger, "T9999", "added")
    say(ledger, "T1064", "confirmed")  # Scripting, deprecated
    collected = collect(ledger, knowledge, SETTINGS)
    assert set(collected.reports[0].labels) == {"T1059.001"}
    assert collected.unmapped == {("T9999", "unknown"): 1, ("T1064", "deprecated"): 1}


def enrich(ledger, text=TEXT, tlp=None):
    one = Enrichment(
        platform="opencti",
        report="r",
        digest=text_digest(text),
        digests={"description": text_digest(text)},
        release="one",
        attack_version="18.1",
        operating_point="balanced",
        tlp=tlp,
        at=NOON,
    )
    ledger.begin_enrichment(one, {text_digest(text): text})
    evidence = from_text(text).sentences[0].text
    written = Written(enrichment=one.id, kind="ref", technique="T1059.001", evidence=evidence)
    ledger.record_written(written)
    ledger.finish_enrichment(one.id, "done")
    ledger.record_curations(
        Curation(platform="opencti", report="r", known_by="status", digest=one.digest, at=NOON)
    )


class Platform:
    platform = "opencti"

    def __init__(self, text, tlp=None):
        self.text, self.tlp = text, tlp

    def read(self, report):
        document = from_text(self.text, report)
        return ReportText(
            platform="opencti",
            report=report,
            document=document,
            tlp=self.tlp,
            techniques=frozenset(),
            digest=text_digest(self.text),
        )


def document(ledger, knowledge, platform=None, **settings):
    chosen = VerdictSettings(**settings)
    (judged,) = collect(ledger, knowledge, chosen).reports
    harvesters = {} if platform is None else {"opencti": platform}
    return Texts(ledger, harvesters, chosen).of(judged)


def test_texts_that_the_ledger_keeps_are_what_was_judged(ledger, knowledge):
    enrich(ledger)
    say(ledger, "T1059.001", "confirmed")
    found = document(ledger, knowledge, Platform("Another text by now."))
    assert found.document.text == TEXT
    assert found.judged.complete


@pytest.mark.parametrize(
    ("tlp", "most", "enters"),
    [
        ("TLP:RED", "TLP:AMBER", False),
        ("TLP:AMBER+STRICT", "TLP:AMBER", False),
        ("TLP:EX:CHR", "TLP:RED", False),
        ("TLP:AMBER", "TLP:AMBER", True),
        ("tlp:white", "TLP:CLEAR", True),
        (None, "TLP:CLEAR", True),
    ],
)
def test_reports_above_a_marking_never_enter(ledger, knowledge, tlp, most, enters):
    enrich(ledger, tlp=tlp)
    say(ledger, "T1059.001", "confirmed")
    found = document(ledger, knowledge, max_tlp=most)
    assert (found != "over TLP") is enters


def test_a_report_marked_higher_since_does_not_enter(tmp_path, knowledge):
    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        enrich(ledger, tlp="TLP:GREEN")
        say(ledger, "T1059.001", "confirmed")
        platform = Platform(TEXT, "TLP:RED")
        assert document(ledger, knowledge, platform) == "over TLP"


def test_of_a_text_that_changed_only_labels_whose_sentence_stands_hold(tmp_path, knowledge):
    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        enrich(ledger)
        say(ledger, "T1059.001", "confirmed")
        say(ledger, "T1566.001", "added")
        changed = Platform("The macro starts PowerShell. All else is new here.")
        found = document(ledger, knowledge, changed)
        assert set(found.judged.labels) == {"T1059.001"}
        assert not found.judged.complete
        gone = document(ledger, knowledge, Platform("Nothing of it is left at all."))
        assert gone.judged.labels == {}


def test_without_a_text_the_evidence_alone_teaches(tmp_path, knowledge):
    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        enrich(ledger)
        say(ledger, "T1059.001", "rejected")
        say(ledger, "T1566.001", "added")
        found = document(ledger, knowledge)
        assert [s.text for s in found.document.sentences] == ["The macro starts PowerShell."]
        assert not found.whole
        assert set(found.judged.labels) == {"T1059.001"}
        ledger.erase("opencti", "r")
        assert document(ledger, knowledge) == "no text"


def test_a_platform_that_does_not_answer_is_asked_once_and_evidence_stands_in(tmp_path, knowledge):
    class Down:
        asked = 0

        def read(self, report):
            self.asked += 1
            raise ReleaseError("It does not answer.")

    down = Down()
    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        enrich(ledger)
        say(ledger, "T1059.001", "rejected")
        (judged,) = collect(ledger, knowledge, SETTINGS).reports
        texts = Texts(ledger, {"opencti": down}, SETTINGS)
        assert not texts.of(judged).whole
        assert not texts.of(judged).whole
    assert down.asked == 1
    assert texts.down == {"opencti": "It does not answer."}
