"""Training anew from seed data and verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from small_verdicts import NEW, NOON, SMALL, seed_labels, site_reports

from engine.analysis import Engine
from engine.errors import TrainingDataError
from training.adapt import Adapting, AdaptSettings, adapt
from training.adapt.release import new_to_base
from training.gate import GateSettings
from training.labels.verdicts import frozen
from training.nightly import seed as module
from training.nightly.retrain import retrain
from training.nightly.seed import read_seed
from training.nightly.settings import NightlySettings
from training.readings import Reader


@pytest.fixture
def seed_data(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST_TEST", 2)
    path = tmp_path / "seed.jsonl"
    with path.open("w") as stream:
        for document in seed_labels(20).documents:
            for sentence in document.sentences:
                record = {
                    "id": sentence.id,
                    "doc_id": document.id,
                    "text": sentence.text,
                    "labels": sorted(sentence.techniques),
                    "cv_fold": document.fold,
                    "start": sentence.start,
                    "end": sentence.end,
                }
                stream.write(json.dumps(record) + "\n")
    return path


def test_a_release_trained_anew_knows_seed_data_and_verdicts_but_never_its_test_set(
    site, knowledge, seed_data, tmp_path, monkeypatch
):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    frozen.write(site.labels)
    settings = NightlySettings(data=(seed_data,), svc=SMALL)
    seed = read_seed(settings, knowledge)
    tested = {document.id for document in seed.test}
    assert tested
    assert not tested & {document.id for document in seed.labels.documents}
    assert not tested & {example.document for example in seed.labels.examples}
    assert read_seed(settings, knowledge).digest == seed.digest

    release = retrain(site.release, seed, site.labels, tmp_path / "anew", NOON, settings, knowledge)
    about = release.manifest.figures["verdicts"]
    assert about["test"] == seed.digest
    assert set(release.manifest.recommenders) == set(site.release.manifest.recommenders)
    engine = Engine.open(release, knowledge)
    with pytest.raises(TrainingDataError, match="was trained anew on all"):
        adapt(
            Adapting(Reader(release, knowledge), site.labels, knowledge, AdaptSettings()),
            tmp_path / "a",
            NOON,
        )
    fresh = [r for r in site_reports(30, seed=77, first=700) if NEW in r.techniques]
    found = [NEW in {f.technique for f in engine.analyse(r.document).findings} for r in fresh]
    assert sum(found) / len(found) > 0.6


def test_only_reports_that_a_release_has_not_learned_from_adapt_it(site, monkeypatch, tmp_path):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    frozen.write(site.labels)
    learned = {one.key for one in site.labels.train}
    made = max(one.judged.at for one in site.labels.train)
    late = replace(site.labels.held[0].judged, at=made + timedelta(days=1))
    documents = (*site.labels.train, replace(site.labels.held[0], judged=late))

    def keys(about):
        manifest = site.release.manifest
        figures = {**manifest.figures, "verdicts": about}
        told = manifest.model_copy(update={"figures": figures, "created": made})
        return {one.key for one in new_to_base(told, documents)}

    every = {one.key for one in documents}
    assert keys({"labels": site.labels.name}) == every  # an adaptation is made anew each time
    assert keys({"base_labels": site.labels.name}) == every - learned
    assert keys({"base_labels": "gone"}) == {late.key}


def test_a_sentence_of_the_test_set_that_another_report_repeats_is_not_learned_from(
    seed_data, knowledge
):
    settings = NightlySettings(data=(seed_data,), svc=SMALL)
    before = read_seed(settings, knowledge)
    quoted = before.test[0].sentences[0]
    extra = {"id": "quoted", "text": f"Again: {quoted.text}", "labels": sorted(quoted.techniques)}
    with seed_data.open("a") as stream:
        stream.write(json.dumps(extra) + "\n")

    after = read_seed(settings, knowledge)

    assert {document.id for document in after.test} == {document.id for document in before.test}
    assert "quoted" not in {example.id for example in after.labels.examples}
    assert after.labels.examples == before.labels.examples


def test_a_test_set_too_small_to_be_measured_on_is_learned_from(seed_data, knowledge, monkeypatch):
    settings = NightlySettings(data=(seed_data,), svc=SMALL)
    tested = len(read_seed(settings, knowledge).test)
    monkeypatch.setattr(module, "LEAST_TEST", tested + 1)

    seed = read_seed(settings, knowledge)

    assert tested > 0
    assert not seed.test
    assert {document.id for document in seed.labels.documents} == {
        document.id for document in seed_labels(20).documents
    }
    assert seed.labels.examples


def test_the_smallest_test_set_is_one_that_the_gate_measures_on():
    assert GateSettings().least_documents == module.LEAST_TEST
