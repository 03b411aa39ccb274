from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.ledger import (
    Curation,
    Enrichment,
    Ledger,
    LedgerError,
    Observation,
    OwnFile,
    Verdict,
    Withdrawal,
    Written,
    text_digest,
)

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
REPORT = ("opencti", "report-1")


def enrichment(**changes: object) -> Enrichment:
    values = {
        "platform": "opencti",
        "report": "report-1",
        "digest": text_digest("all of it"),
        "digests": {"description": text_digest("a"), "Bericht ä.pdf": text_digest("b")},
        "release": "2026-05-03",
        "attack_version": "18.1",
        "operating_point": "balanced",
        "tlp": "TLP:GREEN",
        "at": NOON,
    }
    return Enrichment(**{**values, **changes})


def verdict(technique: str, judged: str, **changes: object) -> Verdict:
    values = {"platform": "opencti", "report": "report-1", "known_by": "history", "at": NOON}
    return Verdict(technique=technique, verdict=judged, **{**values, **changes})


def test_an_enrichment_is_read_back_as_it_was_recorded(ledger):
    one = enrichment()
    ledger.begin_enrichment(one)

    assert ledger.enrichment(one.id) == one
    assert ledger.enrichment("unknown") is None


def test_the_last_outcome_of_an_enrichment_holds(ledger):
    one = ledger.begin_enrichment(enrichment())
    assert ledger.last_enrichment(*REPORT) is None
    assert ledger.last_enrichment(*REPORT, outcome=None).outcome == "begun"

    ledger.finish_enrichment(one, "failed", "OpenCTI did not answer.")
    assert ledger.last_enrichment(*REPORT) is None
    assert ledger.last_enrichment(*REPORT, outcome="failed").detail == "OpenCTI did not answer."

    ledger.finish_enrichment(one, "done")
    assert ledger.last_enrichment(*REPORT) == replace(enrichment(id=one), outcome="done")


def test_a_failed_enrichment_does_not_hide_the_last_one_that_was_done(ledger):
    first = ledger.begin_enrichment(enrichment())
    ledger.finish_enrichment(first, "done")
    second = ledger.begin_enrichment(enrichment(at=NOON + timedelta(hours=1)))
    ledger.finish_enrichment(second, "failed")
    other = ledger.begin_enrichment(enrichment(report="report-2", at=NOON + timedelta(hours=2)))
    ledger.finish_enrichment(other, "done")

    assert ledger.last_enrichment(*REPORT).id == first


def test_recording_an_enrichment_and_its_writes_again_after_a_crash_changes_nothing(ledger):
    one = enrichment()
    thing = Written(enrichment=one.id, kind="ref", technique="T1059", probability=0.9)
    for new in (1, 0):
        ledger.begin_enrichment(one)
        assert ledger.record_written(thing) == new
        # What is written anew has the same id, though the moment differs.
        again = Written(enrichment=one.id, kind="ref", technique="T1059")
        assert ledger.record_written(again) == 0

    assert ledger.written(*REPORT) == (thing,)
    assert ledger.counts()["enrichments"] == 1


def test_what_was_written_is_traced_to_sentence_recognizer_and_release(ledger):
    one = enrichment()
    ledger.begin_enrichment(one)
    thing = Written(
        enrichment=one.id,
        kind="relationship",
        technique="T1059.001",
        object="relationship--1",
        probability=0.8125,
        recognizer="svc",
        evidence="It ran PowerShell.",
        source="story.pdf",
        page=3,
        at=NOON,
    )
    note = Written(enrichment=one.id, kind="note", object="note--1", content_digest="0" * 64)
    assert ledger.record_written(thing, note) == 2

    assert ledger.written(*REPORT) == (thing, note)
    assert thing.evidence_digest == text_digest("It ran PowerShell.")
    assert ledger.enrichment(ledger.written(*REPORT)[0].enrichment).release == "2026-05-03"


def test_each_thing_is_listed_as_it_was_last_written(ledger):
    first, second = enrichment(), enrichment()
    for number, one in enumerate((first, second)):
        ledger.begin_enrichment(one)
        ledger.record_written(
            Written(
                enrichment=one.id,
                kind="note",
                object="note--1",
                content_digest=str(number) * 64,
                at=NOON + timedelta(minutes=number),
            )
        )

    assert [thing.content_digest for thing in ledger.written(*REPORT)] == ["1" * 64]


def test_own_files_are_known_by_name_and_by_bytes(ledger):
    one = ledger.begin_enrichment(enrichment())
    assert ledger.record_files(OwnFile(enrichment=one, name="a.html", digest="f" * 64)) == 1

    assert ledger.is_own_file(*REPORT, "a.html")
    assert ledger.is_own_file(*REPORT, "renamed.html", "f" * 64)
    assert not ledger.is_own_file(*REPORT, "story.pdf", "e" * 64)
    assert not ledger.is_own_file("misp", "report-1", "a.html")


def test_the_latest_verdict_holds_and_earlier_ones_stay(ledger):
    ledger.record_verdicts(verdict("T1059", "confirmed"), verdict("T1047", "added"))
    ledger.record_verdicts(verdict("T1059", "rejected", at=NOON + timedelta(days=1), who="ana"))

    assert ledger.removed(*REPORT) == {"T1059"}
    assert ledger.added(*REPORT) == {"T1047"}
    assert ledger.current_verdicts(*REPORT)["T1059"].who == "ana"
    judged = [v.verdict for v in ledger.history(*REPORT, "T1059")]
    assert judged == ["confirmed", "rejected"]
    assert len(ledger.history(*REPORT)) == 3

    ledger.record_verdicts(verdict("T1059", "added", at=NOON + timedelta(days=2)))
    assert ledger.removed(*REPORT) == frozenset()


def test_the_time_of_the_edit_decides_not_the_time_it_was_heard_of(ledger):
    ledger.record_verdicts(verdict("T1059", "rejected", at=NOON + timedelta(hours=1)))
    ledger.record_verdicts(verdict("T1059", "confirmed", at=NOON))
    assert ledger.removed(*REPORT) == {"T1059"}


def test_of_two_verdicts_of_one_moment_the_one_recorded_later_holds(ledger):
    ledger.record_verdicts(verdict("T1059", "confirmed"), verdict("T1059", "rejected"))
    assert ledger.removed(*REPORT) == {"T1059"}


def test_what_is_withdrawn_holds_no_longer_and_what_was_before_it_does(ledger):
    first, said = verdict("T1059", "confirmed"), verdict("T1059", "rejected", known_by="opinion")
    alone = verdict("T1047", "rejected", known_by="opinion")
    ledger.record_verdicts(first, said, alone)
    assert ledger.said("opencti", "opinion") == (said, alone)
    taken_back = [
        Withdrawal(
            platform="opencti", report="report-1", technique=each.technique, verdict=each.id,
            who="ana", at=NOON + timedelta(days=1),
        )
        for each in (said, alone)
    ]  # fmt: skip
    assert [ledger.withdraw(*taken_back), ledger.withdraw(*taken_back)] == [2, 0]

    assert ledger.current_verdicts(*REPORT) == {"T1059": first}
    assert ledger.history(*REPORT) == (first,)
    assert list(ledger.verdicts()) == [first]
    assert ledger.removed(*REPORT) == frozenset()
    assert ledger.said("opencti", "opinion") == ()
    assert ledger.withdrawn(*REPORT) == tuple(zip((said, alone), taken_back, strict=True))
    # The same words again are another verdict.
    again = verdict("T1047", "rejected", at=NOON + timedelta(days=2))
    ledger.record_verdicts(again)
    assert ledger.current_verdicts(*REPORT)["T1047"] == again


def test_the_same_edit_is_recorded_once(ledger):
    heard = verdict("T1059", "rejected", origin="history-row-17")
    seen = Observation(
        platform="opencti", report="report-1", technique="T1059", present=False, origin="row-17"
    )
    assert ledger.record_verdicts(heard, verdict("T1047", "rejected", origin="row-18")) == 2
    assert ledger.record_verdicts(verdict("T1059", "rejected", origin="history-row-17")) == 0
    assert [ledger.observe(seen), ledger.observe(replace(seen, id=""))] == [1, 0]


def test_verdicts_of_all_reports_can_be_read_while_the_ledger_is_written(ledger):
    rows = [verdict("T1059", "confirmed", report=f"r{n:04}") for n in range(1200)]
    ledger.record_verdicts(*rows, verdict("T1059", "rejected", platform="misp"))

    reports = []
    for found in ledger.verdicts("opencti"):
        reports.append(found.report)
        if len(reports) % 400 == 1:
            ledger.set_cursor("opencti", "labels", found.report)
    assert reports == [row.report for row in rows]
    assert ledger.cursor("opencti", "labels") == "r0800"
    assert len(list(ledger.verdicts())) == 1201


def test_verdicts_since_leave_out_older_ones_but_never_bring_one_back(ledger):
    ledger.record_verdicts(
        verdict("T1001", "confirmed"),
        verdict("T1002", "confirmed", at=NOON + timedelta(days=2)),
        verdict("T1002", "rejected", at=NOON + timedelta(days=3)),
    )
    found = list(ledger.verdicts(since=NOON + timedelta(days=1)))
    assert [(v.technique, v.verdict) for v in found] == [("T1002", "rejected")]


def test_observations_tell_what_was_ever_present_and_what_was_seen_last(ledger):
    def seen(present: bool, hour: int, **what: str) -> Observation:
        at = NOON + timedelta(hours=hour)
        return Observation(platform="opencti", report="report-1", present=present, at=at, **what)

    ledger.observe(
        seen(True, 0, technique="T1059"),
        seen(False, 1, technique="T1059"),
        seen(False, 1, technique="T1047"),
        seen(False, 2, object="note--1"),
    )
    assert ledger.seen_present(*REPORT) == {"T1059"}
    assert not ledger.last_seen(*REPORT)["T1059"].present
    assert ledger.last_seen_objects(*REPORT)["note--1"].at == NOON + timedelta(hours=2)


def test_texts_are_kept_only_where_the_admin_allows_it(url):
    digest = text_digest("The text.")
    with Ledger.open(url) as strict:
        strict.begin_enrichment(enrichment(), {digest: "The text."})
        assert strict.text(*REPORT, digest) is None
    with Ledger.open(url, keep_text=True) as kept:
        kept.begin_enrichment(enrichment(), {digest: "The text."})
        kept.begin_enrichment(enrichment(), {digest: "The text."})
        assert kept.text(*REPORT, digest) == "The text."


def test_a_transaction_keeps_everything_or_nothing(ledger):
    with pytest.raises(RuntimeError), ledger.transaction():  # noqa: PT012
        ledger.record_verdicts(verdict("T1059", "rejected"))
        ledger.set_cursor("opencti", "harvest", "2")
        assert ledger.removed(*REPORT) == {"T1059"}  # Seen inside.
        raise RuntimeError
    assert ledger.removed(*REPORT) == frozenset()
    assert ledger.cursor("opencti", "harvest") is None

    with ledger.transaction():
        ledger.record_verdicts(verdict("T1059", "rejected"))
        ledger.set_cursor("opencti", "harvest", "2")
    ledger.set_cursor("opencti", "harvest", "3")
    ledger.set_cursor("misp", "harvest", "1")
    assert ledger.removed(*REPORT) == {"T1059"}
    assert ledger.cursor("opencti", "harvest") == "3"


def test_several_threads_write_to_one_ledger(ledger):
    def write(number: int) -> None:
        for step in range(10):
            ledger.record_verdicts(verdict(f"T{number}{step:03}", "added"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.added(*REPORT)) == 40


def test_text_that_no_database_holds_is_mended(ledger):
    one = ledger.begin_enrichment(enrichment())
    ledger.record_written(
        Written(enrichment=one, kind="ref", technique="T1059", evidence="a\0b \ud800 ü 漢")
    )
    assert ledger.written(*REPORT)[0].evidence == "a\ufffdb ? ü 漢"


def test_wrong_values_are_refused(ledger):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        verdict("T1059", "rejected", confidence=1.5)
    with pytest.raises(ValueError, match="time zone"):
        ledger.record_verdicts(verdict("T1059", "rejected", at=datetime(2026, 1, 1)))
    with pytest.raises(LedgerError):
        ledger.record_verdicts(verdict("T1059", "perhaps"))
    with pytest.raises(LedgerError):
        ledger.record_written(Written(enrichment="none", kind="ref", technique="T1059"))
    assert ledger.history(*REPORT) == ()


def curation(**changes: object) -> Curation:
    where = {"platform": "opencti", "report": "r", "known_by": "status", "at": NOON}
    return Curation(**{**where, **changes})


def test_a_report_counts_as_curated_until_it_is_reopened(ledger):
    first = curation(digest="a" * 64, who="ana", tlp="TLP:GREEN", attack_version="18.1")
    assert ledger.record_curations(first, curation(report="other")) == 2
    assert ledger.curation("opencti", "r") == first
    assert [c.report for c in ledger.curations()] == ["other", "r"]
    assert ledger.curations("misp") == ()
    assert ledger.reports() == (("opencti", "other"), ("opencti", "r"))

    ledger.record_curations(curation(complete=False, at=NOON + timedelta(hours=1)))
    assert [c.report for c in ledger.curations()] == ["other"]
    assert ledger.curation("opencti", "r").complete is False
    assert ledger.curation("opencti", "unknown") is None


def test_a_curation_seen_by_two_polls_is_recorded_once(ledger):
    assert ledger.record_curations(curation(origin="status-17")) == 1
    assert ledger.record_curations(curation(origin="status-17", at=NOON + timedelta(hours=1))) == 0
    assert ledger.curation("opencti", "r").at == NOON


def test_pruning_keeps_what_says_that_a_report_is_curated(ledger):
    ledger.record_curations(curation(), curation(at=NOON + timedelta(hours=1), known_by="label"))
    assert ledger.prune(NOON + timedelta(days=1))["curations"] == 1
    assert ledger.curation("opencti", "r").known_by == "label"
