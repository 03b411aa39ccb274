"""Frozen label sets: what is in them, who may read them, how words leave them."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from small_verdicts import DECOY, NOON, PHRASES, judge, site_reports

from engine.commands.ledger import ledger as ledger_command
from engine.errors import TrainingDataError
from engine.ledger import Curation, Ledger, Verdict
from training.labels import read, targets
from training.labels.verdicts import Freezing, VerdictSettings, freeze, frozen
from training.labels.verdicts.suspicious import confident_errors, suspicious


@pytest.fixture
def root(tmp_path, site):
    frozen.write(site.labels, tmp_path / "labels")
    return tmp_path / "labels"


def test_a_full_disk_leaves_sets_as_they_were(site, disk):
    disk.fill()
    with pytest.raises(TrainingDataError, match="Free some space"):
        frozen.write(site.labels, disk.root)
    assert [path.name for path in disk.root.iterdir()] == [".ballast"]
    disk.free()
    frozen.write(site.labels, disk.root)
    before = frozen.load(site.labels.name, disk.root)
    doubts = [replace(doubt) for doubt in before.disagreements]
    disk.fill()
    with pytest.raises(TrainingDataError, match="Free some space"):
        frozen.keep_suspicious(site.labels.name, doubts, disk.root)
    assert frozen.load(site.labels.name, disk.root) == before
    assert not list(disk.root.rglob("*.new"))


def test_verdicts_label_the_sentences_that_carry_them(site):
    right = wrong = 0
    for document in site.labels.train:
        for place, labels in document.sentences.items():
            text = document.document.sentences[place].text
            for label in labels:
                if label.why == "added":
                    found = any(phrase in text for phrase in PHRASES[label.technique])
                    right, wrong = right + found, wrong + (not found)
                elif label.why == "rejected":
                    assert not label.shown
    # An added technique has no evidence: its sentence is found by likeness to other reports.
    assert right > 20
    assert right >= 6 * wrong
    decoys = [
        label
        for document in site.labels.train
        for place, labels in document.sentences.items()
        if DECOY in document.document.sentences[place].text
        for label in labels
    ]
    assert decoys
    assert not any(label.shown for label in decoys if label.why == "rejected")


def test_a_sentence_that_may_show_what_its_report_shows_is_no_negative(root, site, knowledge):
    labels = read([root / site.labels.name / "train.jsonl"], knowledge)
    by_id = {document.id: document for document in labels.documents}
    perhaps = absent = 0
    for document in site.labels.train:
        own = by_id[document.key]
        for technique in PHRASES:
            said = [sentence.says(technique) for sentence in own.sentences]
            if technique in document.techniques:
                assert False not in said
                perhaps += said.count(None)
            else:
                assert set(said) == {False}  # curated, and not on the report
                absent += len(said)
    assert perhaps
    assert absent
    column = targets(labels.examples, sorted(PHRASES))
    assert column.unsure.nnz == perhaps
    assert not (column.known & column.unsure.toarray()).any()


def test_the_newest_reports_are_held_back(site):
    oldest = min(document.judged.at for document in site.labels.held)
    assert len(site.labels.held) == 12
    assert max(document.judged.at for document in site.labels.train) < oldest


def test_a_set_reads_back_the_same_and_as_training_data(root, site, knowledge):
    name = site.labels.name
    assert frozen.load(name, root) == site.labels
    labels = read([root / name / "train.jsonl"], knowledge)
    assert len(labels.documents) == len(site.labels.train)
    assert labels.sources == ("verdicts",)
    by_id = {document.id: document for document in labels.documents}
    for document in site.labels.train:
        assert by_id[document.key].techniques == document.techniques
        assert by_id[document.key].known is None  # curated: what is not there is absent


def test_only_the_owner_reads_it(root, site):
    folder = root / site.labels.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_set_changed_by_hand_is_refused(root, site):
    path = root / site.labels.name / "train.jsonl"
    path.write_text(path.read_text().replace("ransom", "random"))
    with pytest.raises(TrainingDataError, match="do not match its digest"):
        frozen.load(site.labels.name, root)


def test_erasing_in_the_ledger_takes_the_words_out_of_frozen_sets(tmp_path, site, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path))
    folder = frozen.write(site.labels)
    document = site.labels.train[0]
    sentence = document.document.sentences[0].text
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        ledger.record_curations(
            Curation(platform="opencti", report=document.judged.report, known_by="status")
        )
    call = ["--ledger", str(tmp_path / "l.sqlite"), "erase", document.judged.report, "--yes"]
    result = CliRunner().invoke(ledger_command, call)
    assert result.exit_code == 0, result.output
    assert "erased from 1 label sets" in result.output
    assert all(sentence.encode() not in file.read_bytes() for file in folder.iterdir())
    after = frozen.load(site.labels.name)
    assert after.erased == (document.key,)
    assert len(after.train) == len(site.labels.train) - 1


def test_pruning_deletes_old_sets(root):
    assert frozen.prune(NOON, root) == 0
    assert frozen.prune(NOON + timedelta(days=1), root) == 1
    assert frozen.names(root) == []


def test_a_report_that_repeats_a_held_one_is_not_learned_from(tmp_path, site):
    reports = site_reports(20, seed=8)
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, reports, begin=NOON + timedelta(days=1))
        # The newest report came in before, under another name.
        copy = replace(reports[-1], name="copy")
        judge(ledger, site.engine, [copy])
        labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    assert labels.counts.near_duplicates == 1
    assert "opencti:copy" not in {document.key for document in labels.train}


def test_labels_that_the_models_doubt_are_listed(tmp_path, site):
    reports = site_reports(30, seed=9)
    known = [r for r in reports if "T1486" in r.techniques]
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, reports)
        ledger.record_verdicts(
            Verdict(
                platform="opencti",
                report=known[0].name,
                technique="T1486",
                verdict="rejected",
                known_by="difference",
                who="ana",
                at=NOON + timedelta(days=1),
            )
        )
        labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    found = {(doubt.report, doubt.technique) for doubt in suspicious(labels, site.reader)}
    assert (known[0].name, "T1486") in found


def test_confident_errors_are_where_a_document_plainly_belongs_to_the_other_class():
    p = np.array([[0.9], [0.8], [0.85], [0.1], [0.2], [0.15], [0.05], [0.95]], dtype=np.float32)
    shown = np.array([[1], [1], [1], [0], [0], [0], [1], [0]], dtype=np.int8)
    assert [(row, column) for row, column, _ in confident_errors(p, shown)] == [(6, 0), (7, 0)]
    assert confident_errors(p[:4], shown[:4]) == []
