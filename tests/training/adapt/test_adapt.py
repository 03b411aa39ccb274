"""A release adapted to a site: what it learns, and what it must not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from small_verdicts import DECOY, NEW, NOON, judge, site_reports

from engine.analysis import Engine
from engine.documents import from_text
from engine.errors import TrainingDataError
from engine.ledger import Ledger, Verdict
from training.adapt import Adapting, AdaptSettings, adapt
from training.evaluation import document_f1s
from training.labels.verdicts import Freezing, VerdictSettings, freeze

SETTINGS = AdaptSettings(strengths=(0.1, 1.6), folds=3)


@pytest.fixture(scope="module")
def adapted(site, knowledge, tmp_path_factory):
    given = Adapting(site.reader, site.labels, knowledge, SETTINGS)
    release, found = adapt(given, tmp_path_factory.mktemp("adapt") / "new", NOON)
    return release, found, Engine.open(release, knowledge)


def f1(engine, reports):
    gold = [report.techniques for report in reports]
    found = [{f.technique for f in engine.analyse(r.document).findings} for r in reports]
    return float(document_f1s(gold, found, sorted(frozenset().union(*gold, *found))).mean())


def test_it_finds_far_more_on_reports_of_the_site_that_nobody_judged(site, adapted):
    reports = site_reports(20, seed=99, first=500)
    before, after = f1(site.engine, reports), f1(adapted[2], reports)
    assert after > before + 0.15


def test_the_same_labels_give_the_same_bytes(site, adapted, knowledge, tmp_path):
    given = Adapting(site.reader, site.labels, knowledge, SETTINGS)
    again, _ = adapt(given, tmp_path / "new", NOON)
    assert again.digest == adapted[0].digest


def test_what_verdicts_raised_says_so_and_the_release_still_tells_its_origin(adapted, site):
    release, found, engine = adapted
    assert found.losses[str(found.strength)] < found.losses["none"]
    (analysis,) = [engine.analyse(from_text("The crew set the task planner to start it daily."))]
    finding = next(f for f in analysis.findings if f.technique == NEW)
    assert finding.evidence[0].recognizer == "verdicts"
    assert "learned from verdicts" in finding.evidence[0].note
    about = release.manifest.figures["verdicts"]
    assert (about["base"], about["labels"]) == (site.release.name, site.labels.name)
    assert "verdicts" in {source.name for source in release.manifest.training_data.sources}


def test_a_decoy_that_analysts_rejected_is_taken_for_less(adapted, site):
    said = from_text(f"The crew near babaduco {DECOY} by fegikalo.")
    before = dict(_probabilities(site.engine, said))
    after = dict(_probabilities(adapted[2], said))
    assert after.get("T1486", 0) < before.get("T1486", 0)


def _probabilities(engine, document):
    analysis = engine.analyse(document, "sensitive")
    return [(f.technique, f.probability) for f in (*analysis.findings, *analysis.suggestions)]


def test_recommenders_learn_from_curated_reports(adapted, site, knowledge):
    before = Engine.open(site.release, knowledge).infer({"T1486": 1.0}, 5, "user_knn")
    after = adapted[2].infer({"T1486": 1.0}, 5, "user_knn")
    assert NEW not in {one.technique for one in before}
    assert NEW in {one.technique for one in after}


def test_a_technique_without_any_label_is_found_after_eight_added_verdicts(
    site, knowledge, tmp_path
):
    reports = site_reports(60, seed=21)
    with_new = [r for r in reports if NEW in r.techniques][:8]
    others = [r for r in reports if NEW not in r.techniques][:16]
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, others, begin=NOON + timedelta(days=1))
        # Nothing but the eight verdicts is known of these.
        for report in with_new:
            judge(ledger, site.engine, [report], curate=False)
            assert ledger.current_verdicts("opencti", report.name)[NEW].verdict == "added"
        labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    assert sum(NEW in document.techniques for document in labels.train) == 8
    release, _ = adapt(Adapting(site.reader, labels, knowledge, SETTINGS), tmp_path / "n", NOON)
    fresh = [r for r in site_reports(24, seed=77, first=700) if NEW in r.techniques]
    engine = Engine.open(release, knowledge)
    found = [
        NEW in {f.technique for f in engine.analyse(report.document).findings} for report in fresh
    ]
    assert sum(found) / len(found) > 0.7
    assert not any(NEW in dict(_probabilities(site.engine, report.document)) for report in fresh)


def test_too_few_reports_say_so(site, knowledge, tmp_path):
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, site_reports(3))
        labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    with pytest.raises(TrainingDataError, match="too few to learn from"):
        adapt(Adapting(site.reader, labels, knowledge, SETTINGS), tmp_path / "n", NOON)


def test_a_verdict_on_a_technique_that_attack_dropped_is_left_out(site, tmp_path):
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, site_reports(6))
        ledger.record_verdicts(
            Verdict(
                platform="opencti",
                report="report-000",
                technique="T9999",
                verdict="added",
                known_by="difference",
            )
        )
        labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    assert labels.unmapped == ("T9999 (unknown): 1",)
