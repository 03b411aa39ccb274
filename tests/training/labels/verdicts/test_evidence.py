"""Which sentences a label is about: shown to an analyst, or pointed at by one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from small_verdicts import NEW

from engine.documents import from_text
from engine.harvest import ReportText
from engine.ledger import Curation, Enrichment, Ledger, Verdict, Written, text_digest
from training.labels import read
from training.labels.verdicts import Freezing, VerdictSettings, collect, freeze, frozen
from training.labels.verdicts.again import choose_again
from training.labels.verdicts.evidence import MOST_PLACES, in_text
from training.labels.verdicts.likeness import Likeness

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MACRO = "The macro starts PowerShell to load a second stage."
TASK = "It was then planted as a recurring job that runs every morning."
MAY = "All of this was seen in May."
TEXT = f"{MACRO} {TASK} {MAY}"


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite", keep_text=True) as opened:
        yield opened


def enrich(ledger, text=TEXT, report="r", wrote=(("T1059.001", MACRO),)):
    where = {"platform": "opencti", "report": report}
    digest = text_digest(text)
    one = Enrichment(
        **where, digest=digest, digests={"description": digest}, release="one",
        attack_version="18.1", operating_point="balanced", at=NOON,
    )  # fmt: skip
    ledger.begin_enrichment(one, {digest: text})
    for technique, evidence in wrote:
        ledger.record_written(
            Written(enrichment=one.id, kind="ref", technique=technique, evidence=evidence)
        )
    ledger.finish_enrichment(one.id, "done")
    ledger.record_curations(Curation(**where, known_by="status", digest=digest, at=NOON))


def say(ledger, technique, verdict, evidence=None, minutes=0, report="r", **more):
    ledger.record_verdicts(
        Verdict(
            platform="opencti", report=report, technique=technique, verdict=verdict,
            evidence=evidence, at=NOON + timedelta(minutes=minutes),
            **{"known_by": "opinion", "who": "ana", **more},
        )
    )  # fmt: skip


def judged(ledger, knowledge, text=TEXT):
    (report,) = collect(ledger, knowledge, VerdictSettings()).reports
    return in_text(report, from_text(text, "r"))


def shown(report, technique):
    return [text for text, _ in report.evidence.get(technique, ())]


def pointed(report, technique, *texts):
    return report.pointed.get(technique, frozenset()) == {text_digest(text) for text in texts}


@pytest.mark.parametrize(
    ("quote", "sentences"),
    [
        (TASK, [TASK]),
        ("planted as a recurring job", [TASK]),
        ("It was then  planted as a\nrecurring job, that runs every morning", [TASK]),
        (f"{TASK} {MAY}", [TASK, MAY]),
        (f"a recurring job that runs\n{MAY}", [TASK, MAY]),
    ],
)
def test_a_quotation_is_found_in_the_text(ledger, knowledge, quote, sentences):
    enrich(ledger)
    say(ledger, "T1053.005", "added")
    say(ledger, "T1053.005", "added", quote, minutes=1)
    found = judged(ledger, knowledge)
    assert shown(found, "T1053.005") == sentences
    assert pointed(found, "T1053.005", *sentences)


@pytest.mark.parametrize("quote", ["The task was a cron job, I think.", "It was", "in May"])
def test_what_is_not_in_the_text_or_stands_anywhere_points_at_nothing(ledger, knowledge, quote):
    enrich(ledger)
    say(ledger, "T1059.001", "confirmed", quote)
    say(ledger, "T1053.005", "added", quote)
    found = judged(ledger, knowledge)
    assert found.pointed == {}
    assert MACRO in shown(found, "T1059.001")


def test_half_a_sentence_that_many_have_points_at_none_of_them(ledger, knowledge):
    text = " ".join(f"The host number {n} beaconed home over TLS." for n in range(MOST_PLACES + 1))
    enrich(ledger, text)
    say(ledger, "T1573", "added", "beaconed home over TLS")
    assert judged(ledger, knowledge, text).pointed == {}
    whole = "The host number 1 beaconed home over TLS."
    say(ledger, "T1573", "added", whole, minutes=1)
    assert pointed(judged(ledger, knowledge, text), "T1573", whole)


@pytest.mark.parametrize("later", [MAY, TASK])
def test_what_we_wrote_later_is_no_evidence_of_what_was_added(ledger, knowledge, later):
    enrich(ledger)
    say(ledger, "T1053.005", "added", TASK)
    enrich(ledger, wrote=[("T1053.005", later)])
    found = judged(ledger, knowledge)
    assert shown(found, "T1053.005") == [TASK]
    assert pointed(found, "T1053.005", TASK)


def test_another_sentence_takes_the_place_of_the_one_that_was_shown(ledger, knowledge):
    enrich(ledger, wrote=[("T1059.001", MAY), ("T1053.005", MAY)])
    say(ledger, "T1059.001", "confirmed", MACRO)
    say(ledger, "T1053.005", "confirmed", MAY)
    found = judged(ledger, knowledge)
    assert shown(found, "T1059.001") == [MACRO]
    # What the analyst was shown and left there is no pointing.
    assert (shown(found, "T1053.005"), found.pointed.get("T1053.005")) == ([MAY], None)


def test_a_rejection_is_about_what_was_shown_and_what_is_quoted(ledger, knowledge):
    enrich(ledger)
    say(ledger, "T1059.001", "confirmed", TASK)
    say(ledger, "T1059.001", "rejected", MAY, minutes=1)
    assert set(shown(judged(ledger, knowledge), "T1059.001")) == {MACRO, MAY}


def test_of_a_text_that_changed_what_is_quoted_still_holds(tmp_path, knowledge):
    from training.labels.verdicts.texts import Texts

    class Platform:
        def read(self, report):
            text = f"{TASK} All else is new here."
            return ReportText(
                platform="opencti", report=report, document=from_text(text, report), tlp=None,
                techniques=frozenset(), digest=text_digest(text),
            )  # fmt: skip

    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        enrich(ledger)
        say(ledger, "T1053.005", "added", "planted as a recurring job that runs")
        say(ledger, "T1566.001", "added")
        (report,) = collect(ledger, knowledge, VerdictSettings()).reports
        found = Texts(ledger, {"opencti": Platform()}, VerdictSettings()).of(report)
    assert set(found.judged.labels) == {"T1053.005"}
    assert shown(found.judged, "T1053.005") == [TASK]


def frozen_with(ledger, site, root):
    labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    frozen.write(labels, root)
    assert frozen.load(labels.name, root) == labels
    return labels


def test_only_the_sentence_that_was_pointed_at_is_learned_from(ledger, knowledge, site, tmp_path):
    enrich(ledger)
    # Of all sentences the one that no words speak for.
    say(ledger, NEW, "added", "All of this was seen in May")
    labels = frozen_with(ledger, site, tmp_path)
    own = read([tmp_path / labels.name / "train.jsonl"], knowledge)
    again = choose_again(own, labels.train, {}, Likeness(own.documents, (), knowledge))
    for found in (own, again):
        by_text = {one.text: one for one in found.examples}
        assert by_text[MAY].says(NEW) is True
        # Who points at one has not said that no other shows it.
        assert [by_text[text].says(NEW) for text in (MACRO, TASK)] == [None, None]
    assert not any(one.certainty for one in again.examples if one.text != MAY)


def test_a_quotation_makes_a_new_label_set(ledger, site, tmp_path):
    enrich(ledger)
    say(ledger, NEW, "added")
    before = frozen_with(ledger, site, tmp_path)
    say(ledger, NEW, "added", TASK, minutes=1)
    after = frozen_with(ledger, site, tmp_path)
    assert before.about["judged"] != after.about["judged"]
    assert before.digest != after.digest


def test_a_set_of_the_former_protocol_has_no_evidence_of_what_was_added(ledger, site, tmp_path):
    enrich(ledger)
    say(ledger, NEW, "added", TASK)
    say(ledger, "T1059.001", "confirmed", MACRO)
    labels = frozen_with(ledger, site, tmp_path)
    folder = tmp_path / labels.name
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("pointed", None)
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "protocol": 3}))
    (document,) = frozen.load(labels.name, tmp_path).train
    assert document.judged.evidence.keys() == {"T1059.001"}
    assert document.judged.pointed == {}
