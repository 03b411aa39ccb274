from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.ledger import (
    Enrichment,
    LeaseLostError,
    Ledger,
    Observation,
    OwnFile,
    Verdict,
    Withdrawal,
    Written,
    text_digest,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
WORDS = "the-operator-hid-in-the-mailroom"


def enrich(ledger: Ledger, report: str = "r1", at: datetime = NOON, outcome: str = "done") -> str:
    id_ = ledger.begin_enrichment(
        Enrichment(
            platform="opencti",
            report=report,
            digest="d" * 64,
            release="one",
            attack_version="18.1",
            operating_point="balanced",
            at=at,
        ),
        {text_digest(WORDS): WORDS},
    )
    ledger.record_written(
        Written(enrichment=id_, kind="ref", technique="T1059", evidence=WORDS, at=at),
        Written(enrichment=id_, kind="note", object="note--1", at=at),
    )
    ledger.record_files(OwnFile(enrichment=id_, name="ours.html", digest="f" * 64, at=at))
    ledger.finish_enrichment(id_, outcome)
    return id_


def judge(ledger: Ledger, judged: str, at: datetime = NOON, report: str = "r1") -> None:
    ledger.record_verdicts(
        Verdict(
            platform="opencti",
            report=report,
            technique="T1059",
            verdict=judged,
            known_by="difference",
            evidence=WORDS,
            at=at,
        )
    )


def test_erasing_takes_every_word_of_one_report_and_nothing_else(url):
    with Ledger.open(url, keep_text=True) as ledger:
        for report in ("r1", "r2"):
            enrich(ledger, report)
            judge(ledger, "rejected", report=report)
        journal = ledger.journal("opencti", "q")
        held = journal.take("m1", WORDS, report="r1")
        held.step("read", WORDS)
        journal.put("m2", WORDS, report="r1")
        journal.put("m3", "other", report="r2")

        changed = ledger.erase("opencti", "r1")

        assert changed == {"texts": 1, "written": 1, "verdicts": 1, "steps": 1, "journal": 2}
        assert ledger.text("opencti", "r1", text_digest(WORDS)) is None
        ref = ledger.written("opencti", "r1")[0]
        assert (ref.evidence, ref.evidence_digest) == (None, text_digest(WORDS))
        assert ledger.removed("opencti", "r1") == {"T1059"}
        assert ledger.is_own_file("opencti", "r1", "ours.html")
        assert ledger.text("opencti", "r2", text_digest(WORDS)) == WORDS
        assert ledger.written("opencti", "r2")[0].evidence == WORDS

        with pytest.raises(LeaseLostError, match="erased"):
            held.step("next")
        assert [e.state for e in journal.entries()] == ["failed", "failed", "waiting"]
        assert set(ledger.erase("opencti", "r1").values()) == {0}


def test_erased_words_are_gone_from_the_files_of_sqlite(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path, keep_text=True) as ledger:
        enrich(ledger)
        judge(ledger, "rejected")
        assert WORDS.encode() in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        ledger.erase("opencti", "r1")
        assert WORDS.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_pruning_keeps_what_protects_an_analysts_edit(url):
    later = NOON + timedelta(days=30)
    with Ledger.open(url, keep_text=True) as ledger:
        first = enrich(ledger)
        second = enrich(ledger, at=NOON + timedelta(days=1))
        judge(ledger, "confirmed")
        judge(ledger, "rejected", at=NOON + timedelta(days=1))
        for day, present in enumerate((True, True, False, False)):
            ledger.observe(
                Observation(
                    platform="opencti",
                    report="r1",
                    technique="T1059",
                    present=present,
                    at=NOON + timedelta(days=day),
                )
            )
        before = [w.id for w in ledger.written("opencti", "r1")]
        gone = ledger.prune(later)

        assert gone["enrichments"] == gone["verdicts"] == gone["files"] == 1
        assert gone["observations"] == gone["written"] == 2
        assert ledger.enrichment(first) is None
        assert ledger.last_enrichment("opencti", "r1").id == second
        assert ledger.removed("opencti", "r1") == {"T1059"}
        assert ledger.seen_present("opencti", "r1") == {"T1059"}
        assert not ledger.last_seen("opencti", "r1")["T1059"].present
        kept = ledger.written("opencti", "r1")
        assert [w.id for w in kept] == before
        assert ledger.is_own_file("opencti", "r1", "ours.html")
        # Words of that age are gone, their digests are not.
        assert [w.evidence for w in kept] == [None, None]
        assert kept[0].evidence_digest == text_digest(WORDS)
        assert ledger.history("opencti", "r1")[0].evidence is None
        assert ledger.counts()["texts"] == 0
        assert set(ledger.prune(later).values()) == {0}


def test_pruning_keeps_the_verdict_that_a_withdrawal_left_holding(ledger):
    judge(ledger, "rejected")
    judge(ledger, "confirmed", at=NOON + timedelta(days=1))
    first, second = ledger.history("opencti", "r1")
    day = NOON + timedelta(days=2)
    taken_back = Withdrawal(
        platform="opencti", report="r1", technique="T1059", verdict=second.id, at=day
    )
    ledger.withdraw(taken_back)

    assert ledger.prune(day)["verdicts"] == 0, "its withdrawal is young"
    assert ledger.prune(day + timedelta(days=1))["verdicts"] == 1
    assert [each.id for each in ledger.history("opencti", "r1")] == [first.id]
    # A copy of before brings the other one back, and it still does not hold.
    ledger.record_verdicts(second)
    assert ledger.removed("opencti", "r1") == {"T1059"}


def test_pruning_keeps_the_last_enrichment_that_was_done_beside_a_later_failure(ledger):
    done = enrich(ledger)
    failed = enrich(ledger, at=NOON + timedelta(days=1), outcome="failed")
    ledger.prune(NOON + timedelta(days=30))
    assert ledger.last_enrichment("opencti", "r1").id == done
    assert ledger.last_enrichment("opencti", "r1", outcome=None).id == failed


def test_pruning_leaves_what_is_young_and_work_that_is_not_finished(ledger):
    judge(ledger, "confirmed", at=datetime.now(UTC) - timedelta(hours=2))
    judge(ledger, "rejected", at=datetime.now(UTC) - timedelta(hours=1))
    journal = ledger.journal("opencti", "q")
    journal.put("m1", "body")
    with journal.take("m2", "body") as claim:
        claim.step("read")
        claim.done()

    assert set(ledger.prune(timedelta(days=1)).values()) == {0}
    assert len(ledger.history("opencti", "r1")) == 2
    gone = ledger.prune(timedelta(0))
    assert (gone["journal"], gone["steps"], gone["verdicts"]) == (1, 1, 1)
    assert [e.message for e in journal.entries()] == ["m1"]
