"""Nights that keep an encoder, and nights that train one."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from nightly_program import nightly
from safetensors.torch import load_file
from small_verdicts import NOON, SMALL, site_reports

from engine.analysis import Engine
from engine.errors import TrainingDataError
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.releases import Release
from training.encoder import EncoderTrainingSettings, train_encoder
from training.encoder.checkpoint import Checkpoints
from training.encoder.kept import KEPT, Kept, digest_of
from training.encoder.settings import Stage
from training.encoder.stages import Stages
from training.labels import LabelSet
from training.labels.verdicts import frozen
from training.nightly import encoders, journal
from training.nightly import seed as module
from training.nightly.encoders import Encoders
from training.nightly.errors import OutOfTimeError
from training.nightly.learned import Learned, directory
from training.nightly.retrain import retrain
from training.nightly.seed import Seed, read_seed
from training.nightly.settings import NightlySettings
from training.nightly.work import Work
from training.out_of_fold import OutOfFold
from training.progress import NO_STEPS

ENCODER = "recognizers/encoder"
STAGE = Stage(epochs=1, learning_rate=3e-3, head_learning_rate=3e-2, alignment=0.1)
TINY = EncoderTrainingSettings(
    texts=STAGE, sentences=STAGE, max_tokens=32, precision="float32", threads=1, min_examples=4
)


@pytest.fixture(scope="module")
def part(labels: LabelSet, tiny_base: Path, knowledge: Knowledge, tmp_path_factory) -> Path:
    """What ``train encoder --cross-validate`` makes of the seed data."""
    directory = tmp_path_factory.mktemp("part")
    small = TINY.model_copy(update={"base": str(tiny_base)})
    train_encoder(labels, knowledge, directory, small, cross_validate=True)
    return directory


@pytest.fixture
def verdicts(site, tmp_path, monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    frozen.write(site.labels)
    return site.labels


def settings_of(**changes: object) -> NightlySettings:
    given = {"svc": SMALL, "rounds": 2, "encoder_training": TINY, **changes}
    return NightlySettings(**given)


def night(site, labels, verdicts, knowledge, directory, settings, at=NOON, **more) -> Release:
    seed = Seed(labels, (), "seed")
    return retrain(site.release, seed, verdicts, directory, at, settings, knowledge, **more)


def serves(release: Release, knowledge: Knowledge) -> None:
    assert {"svc", "encoder"} <= set(release.manifest.recognizers)
    engine = Engine.open(Release.open(release.path), knowledge)
    analyses = [engine.analyse(report.document) for report in site_reports(3, seed=5, first=800)]
    assert any(analysis.findings for analysis in analyses)
    named = {e.recognizer for a in analyses for f in a.findings for e in f.evidence}
    assert named <= {"svc", "encoder", "explicit", "commands"}


def test_an_encoder_trained_before_is_kept_and_scores_the_reports_of_the_site(
    site, verdicts, labels, part, knowledge, tmp_path
):
    settings = settings_of(part=part)
    release = night(site, labels, verdicts, knowledge, tmp_path / "n", settings)
    serves(release, knowledge)
    for path in (part / ENCODER).iterdir():
        assert (release.path / ENCODER / path.name).read_bytes() == path.read_bytes()


def written(labels: LabelSet, path: Path) -> Path:
    """Write the documents as the JSON lines of docs/training-data.md."""
    records = [
        {
            "id": sentence.id, "doc_id": document.id, "text": sentence.text,
            "labels": sorted(sentence.techniques), "cv_fold": document.fold,
        }
        for document in labels.documents
        for sentence in document.sentences
    ]  # fmt: skip
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Warm:
    """A night that trains the encoder, with nothing in its way."""

    release: Release
    data: Path
    folds: list[int]
    said: list[str]


@pytest.fixture(scope="module")
def warm(site, labels, part, knowledge, tmp_path_factory) -> Warm:
    folder = tmp_path_factory.mktemp("warm")
    began, said = [], []
    fit = Stages._fit

    def watched(stages, name, kind, rows, validating, epochs=0, labelled=None):
        if name.startswith("sentences without fold"):
            fold = int(name.split()[-1])
            begin = stages.model.state_dict()
            for key, value in load_file(part / KEPT / f"fold-{fold}.safetensors").items():
                assert not key.startswith("encoder.") or begin[key].equal(value)
            assert fold not in stages.data.fold[rows]
            assert set(stages.data.fold[validating]) == {fold}
            assert labelled is not None, "which sentences to learn from is chosen without the fold"
            began.append(fold)
        return fit(stages, name, kind, rows, validating, epochs, labelled)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTPSCRIBE_DATA_DIR", str(folder / "data"))
        patch.setattr(Stages, "_fit", watched)
        frozen.write(site.labels)
        settings = settings_of(checkpoint=part)
        made = night(
            site, labels, site.labels, knowledge, folder / "n", settings, tell=said.append
        )  # fmt: skip
    return Warm(made, folder / "data", began, said)


def test_a_warm_start_trains_the_encoder_by_folds_that_never_saw_what_they_score(
    warm, site, labels, part, knowledge, monkeypatch
):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(warm.data))
    serves(warm.release, knowledge)
    assert warm.folds == [0, 1, 2, 3, 4]
    assert "none that can be used was trained" in warm.said[0]
    models = [path / ENCODER / "model.onnx" for path in (warm.release.path, part)]
    assert models[0].read_bytes() != models[1].read_bytes()
    about = warm.release.manifest.figures["verdicts"]["encoder"]
    assert about["labels"] == site.labels.name
    assert about["verdicts"] > 30
    last = Learned.last()
    scores, before = OutOfFold.load(last.directory, "encoder"), OutOfFold.load(part, "encoder")
    assert set(scores.recognitions) == set(last.documents)
    assert {one.key for one in site.labels.train} < set(last.documents)
    assert {name: scores.folds[name] for name in before.folds} == before.folds


def test_the_nights_after_a_warm_start_use_its_encoder(
    warm, site, labels, part, knowledge, tmp_path, monkeypatch
):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(warm.data))
    monkeypatch.setattr(Stages, "_fit", None)
    at, settings = NOON + timedelta(days=9), settings_of(checkpoint=part)
    later = night(site, labels, site.labels, knowledge, tmp_path / "n", settings, at)
    for path in (warm.release.path / ENCODER).iterdir():
        assert (later.path / ENCODER / path.name).read_bytes() == path.read_bytes()
    about = [one.manifest.figures["verdicts"]["encoder"] for one in (warm.release, later)]
    assert about[0] == about[1]


def test_a_training_that_is_killed_anywhere_goes_on_and_ends_with_the_same_bytes(
    warm, site, verdicts, labels, part, knowledge, tmp_path, monkeypatch
):
    deaths = {"svc.json", "sentences without fold 1", "sentences of all", "store"}
    done: list[str] = []

    def deadly(cls, method, named=lambda *_: "store", after=False):
        real = getattr(cls, method)

        def wrapped(self, *args):
            name = named(*args)
            result = real(self, *args) if after or name not in deaths else None
            done.append(name)
            if name in deaths:
                deaths.remove(name)
                raise Killed
            return result

        monkeypatch.setattr(cls, method, wrapped)

    deadly(Work, "put", lambda name, _: name)
    deadly(Checkpoints, "finish", lambda name, _: name, after=True)
    deadly(Learned, "store", after=True)
    settings, target = settings_of(checkpoint=part), tmp_path / "n"
    while deaths:
        with pytest.raises(Killed):
            night(site, labels, verdicts, knowledge, target, settings)
    again = night(site, labels, verdicts, knowledge, target, settings)

    assert again.digest == warm.release.digest
    # What had ended was not trained again.
    stages = [name for name in done if name.startswith("sentences")]
    assert len(stages) == len(set(stages)) == 6
    assert done.count("round-1.json") == 1


class OutOfTimeAt:
    """Steps whose time is spent when one of a name begins, once."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.begun: list[str] = []

    def step(self, title, total):
        self.begun.append(title)
        if title.startswith(self.title):
            self.title = "never again"
            raise OutOfTimeError("The time budget is spent.")
        return NO_STEPS.step(title, total)


def test_a_whole_night_that_runs_out_of_time_in_the_encoder_is_gone_on_with(
    site, labels, part, tmp_path, monkeypatch
):
    monkeypatch.setenv("TTPSCRIBE_DATA_DIR", str(tmp_path / "data"))
    shipped = tmp_path / "shipped" / site.release.name
    shutil.copytree(site.release.path, shipped)
    path = written(labels, tmp_path / "seed.jsonl")
    told: list[str] = []
    with Ledger.open(site.ledger) as ledger:
        given = nightly(
            ledger, shipped, data=(path,), checkpoint=part, svc=SMALL, rounds=1,
            encoder_training=TINY, dry_run=True,
        )  # fmt: skip
        given.tell, given.steps = told.append, OutOfTimeAt("sentences without fold 2")
        steps = given.steps
        with pytest.raises(OutOfTimeError):
            given.run()
        broken = journal.last()
        assert not broken.done("train")
        assert list((broken.folder / "parts").rglob("sentences without fold 1.done.pt"))
        given.steps = steps
        ended = given.run()
    assert ended.run == broken.run
    assert not (broken.folder / "parts").exists()
    assert sum(title.startswith("sentences without fold 1") for title in steps.begun) == 1
    assert sum(title.startswith("Fit sentences, fold 0") for title in steps.begun) == 1
    retrained = [name for name in journal.last().result("train") if "-retrain-" in name]
    release = Release.open(broken.folder / retrained[0])
    assert release.manifest.figures["verdicts"]["encoder"]["labels"] == ended.labels.name
    assert any("is not put forward" in line for line in told)


def test_pieces_of_other_inputs_are_never_gone_on_with(tmp_path):
    work = Work(tmp_path / "w", {"labels": "a"})
    work.put("svc.json", 3)
    assert Work(tmp_path / "w", {"labels": "a"}).get("svc.json") == 3
    assert Work(tmp_path / "w", {"labels": "b"}).get("svc.json") is None


@pytest.mark.parametrize(
    ("how", "known", "days", "due"),
    [
        ("never", 0, 30, False),
        ("enough", 0, 1, True),
        ("enough", 1, 30, False),
        ("weekly", 1, 3, False),
        ("weekly", 1, 7, True),
        ("weekly", 0, 1, True),
        ("weekly", None, 30, False),
        ("nightly", 1, 1, True),
        ("nightly", None, 30, False),
        ("nightly", 1, 0, False),
    ],
)
def test_when_an_encoder_is_trained(verdicts, knowledge, part, how, known, days, due):
    """Known: verdicts that it learned from; None for all of them, 1 for all but fifty."""
    settings = settings_of(checkpoint=part, encoder=how, encoder_verdicts=60)
    chosen = Encoders(settings, verdicts, NOON, knowledge)
    said = sorted(chosen._verdicts())
    assert len(said) > 60
    learned = said if known is None else said[50:] if known else []
    trained = NOON - timedelta(days=days)
    chosen._last = Learned(part, trained, "c", "labels", {}, frozenset(learned))
    assert bool(chosen._due()) == due


def test_an_encoder_is_not_used_again_where_it_knows_what_it_is_measured_on(
    verdicts, knowledge, labels, part
):
    settings, said = settings_of(checkpoint=part), []
    ids = {document.id for document in labels.documents}
    kept = Kept.of(part / KEPT)
    copy = directory() / "copy"
    shutil.copytree(part, copy)
    digest = digest_of(part / KEPT)
    gone = Learned(copy, NOON, digest, "labels", dict.fromkeys([*ids, "misp:1"], ""), frozenset())
    gone.store()

    fresh = Encoders(settings, verdicts, NOON, knowledge, said.append)
    assert fresh.look(ids | {"misp:1"}) == kept.folds
    assert fresh._last is not None
    erased = Encoders(settings, verdicts, NOON, knowledge, said.append)
    erased.look(ids)
    assert erased._last is None
    assert "not used again" in said[0]

    # Nor is a given one that has learned from what is held back tonight.
    facts = json.loads((part / KEPT / "kept.json").read_text())
    other = directory() / "other"
    shutil.copytree(part / KEPT, other)
    facts["folds"][verdicts.held[0].key] = 0
    (other / "kept.json").write_text(json.dumps(facts))
    said.clear()
    chosen = Encoders(settings_of(checkpoint=other), verdicts, NOON, knowledge, said.append)
    chosen.look(ids)
    assert chosen._checkpoint is None
    assert "held back tonight" in said[0]


def test_a_report_whose_text_changed_is_not_scored_by_what_learned_its_old_text(
    verdicts, knowledge, labels, part
):
    chosen = Encoders(settings_of(checkpoint=part), verdicts, NOON, knowledge)
    digests = {one.id: encoders._digest_of(one) for one in labels.documents}
    chosen._last = Learned(part, NOON, "c", "labels", digests, frozenset())
    first, *rest = labels.documents
    changed = replace(first, sentences=first.sentences[1:])
    scores = chosen.scores(part, [changed, *rest], {one.id: 0 for one in labels.documents})
    assert set(scores.recognitions) == {one.id for one in rest}


def test_the_next_warm_start_goes_on_from_the_last_one_where_that_is_asked_for(
    verdicts, knowledge, labels, part, tmp_path, monkeypatch
):
    copy = directory() / "copy"
    shutil.copytree(part, copy)
    digest = digest_of(part / KEPT)
    ids = {document.id for document in labels.documents}
    last = Learned(copy, NOON, digest, "labels", dict.fromkeys(ids, ""), frozenset()).store()
    bases, told = [], []

    def seen(labels, knowledge, work, settings, **more):
        bases.append(Path(settings.base))
        raise TrainingDataError("Seen.")

    monkeypatch.setattr("training.encoder.train_encoder", seen, raising=False)
    for go_on in (False, True):
        settings = settings_of(checkpoint=part, go_on=go_on, encoder="nightly")
        at = NOON + timedelta(days=1)
        chosen = Encoders(settings, verdicts, at, knowledge, told.append)
        chosen.look(ids)
        # What cannot be trained leaves the encoder of before in use.
        assert chosen.part(labels, tmp_path / "work") == last.directory
    assert bases == [part / KEPT, last.directory / KEPT]
    assert told[1] == "The encoder was not trained. Seen."


def test_what_is_no_encoder_leaves_the_night_its_other_models(
    site, verdicts, labels, part, knowledge, tmp_path
):
    said: list[str] = []
    settings = settings_of(checkpoint=part / ENCODER, rounds=1)
    release = night(
        site, labels, verdicts, knowledge, tmp_path / "n", settings, tell=said.append
    )  # fmt: skip
    assert "svc" in release.manifest.recognizers
    assert "encoder" not in release.manifest.recognizers
    assert "it has no config.json" in said[0]
    assert "'ttpscribe train encoder' left" in said[0]


def test_a_damaged_part_is_told_of_and_not_used(verdicts, knowledge, labels, part, tmp_path):
    copy, said = tmp_path / "part", []
    shutil.copytree(part, copy)
    (copy / ENCODER / "encoder.json").write_text("{}")
    chosen = Encoders(settings_of(part=copy), verdicts, NOON, knowledge, said.append)
    assert chosen.look(()) == {}
    assert chosen.part(labels, tmp_path / "work") is None
    assert "encoder.json" in said[0]


def test_what_a_part_has_learned_but_not_scored_is_not_scored_by_it(
    verdicts, knowledge, labels, part, tmp_path
):
    """Of a part that was not cross-validated, one fold has honest scores."""
    copy = tmp_path / "part"
    shutil.copytree(part, copy)
    scores = OutOfFold.load(part, "encoder")
    first = {name: one for name, one in scores.recognitions.items() if scores.folds[name] == 0}
    replace(scores, recognitions=first).save(copy)
    chosen = Encoders(settings_of(part=copy), verdicts, NOON, knowledge)
    folds = chosen.look(())
    assert folds == scores.folds
    assert set(chosen.scores(copy, labels.documents, folds).recognitions) == set(first)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _another_size(folder: Path) -> None:
    facts = json.loads((folder / "kept.json").read_text())
    facts["labels"] = facts["labels"][:2]
    (folder / "kept.json").write_text(json.dumps(facts))
    head = load_file(folder / "head.safetensors")
    from safetensors.torch import save_file

    save_file({key: value[..., :4].contiguous() for key, value in head.items()},
              folder / "head.safetensors")  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "no complete model"),
        (lambda folder: _cut(folder / "model.safetensors"), "cannot be loaded"),
        (lambda folder: _cut(folder / "head.safetensors"), "is damaged"),
        (_another_size, "is damaged"),
        (lambda folder: (folder / "fold-2.safetensors").unlink(), "is damaged"),
    ],
)
def test_a_checkpoint_that_cannot_be_trained_is_told_of(
    verdicts, knowledge, labels, part, tmp_path, break_it, says
):
    folder = tmp_path / "kept"
    shutil.copytree(part / KEPT, folder)
    break_it(folder)
    said: list[str] = []
    chosen = Encoders(settings_of(checkpoint=folder), verdicts, NOON, knowledge, said.append)
    chosen.look({document.id for document in labels.documents})
    assert chosen.part(labels, tmp_path / "work") is None
    assert says in said[-1]
    assert "The encoder was not trained." in said[-1]


def test_what_a_given_encoder_has_learned_from_is_no_test_set(
    tmp_path, labels, part, knowledge, monkeypatch
):
    path = written(labels, tmp_path / "seed.jsonl")
    monkeypatch.setattr(module, "TEST_SHARE", 2)
    monkeypatch.setattr(module, "LEAST_TEST", 2)
    alone = read_seed(settings_of(data=(path,)), knowledge)
    assert alone.test
    for given in ({"part": part}, {"checkpoint": part}):
        beside = read_seed(settings_of(data=(path,), **given), knowledge)
        assert not beside.test
        assert beside.digest != alone.digest
        assert len(beside.labels.documents) == len(labels.documents)


def test_an_encoder_trained_without_the_test_set_leaves_it_to_the_nights(
    tmp_path, labels, tiny_base, knowledge, monkeypatch
):
    from training.commands.encoder import encoder

    path = written(labels, tmp_path / "seed.jsonl")
    monkeypatch.setattr(module, "TEST_SHARE", 2)
    monkeypatch.setattr(module, "LEAST_TEST", 2)
    whole = read_seed(settings_of(data=(path,)), knowledge)
    call = ["--base", tiny_base, "--data", path, "--output", tmp_path / "part", "--epochs", "1"]
    more = ["--without-test-set", "--min-examples", "2", "--max-tokens", "32", "--threads", "1"]
    result = CliRunner().invoke(encoder, [*map(str, call), *more], standalone_mode=False)
    assert result.exception is None, result.output
    kept = Kept.of(tmp_path / "part" / KEPT)
    assert kept is not None
    assert set(kept.folds) == {document.id for document in whole.labels.documents}
    beside = read_seed(settings_of(data=(path,), checkpoint=tmp_path / "part"), knowledge)
    assert beside.test == whole.test
    assert f"--checkpoint {tmp_path / 'part' / KEPT}" in result.stderr.replace("\n", "")


def test_a_base_of_few_positions_reads_as_much_as_it_can(
    labels, tiny_base, knowledge, tmp_path, caplog
):
    from transformers import BertConfig, BertModel

    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    config = BertConfig.from_pretrained(tiny_base, max_position_embeddings=12)
    BertModel(config, add_pooling_layer=False).save_pretrained(base)
    caplog.set_level("WARNING", logger="training")
    small = TINY.model_copy(update={"base": str(base)})
    trained = train_encoder(labels, knowledge, tmp_path / "part", small, keep=False)
    assert json.loads((trained.directory / "encoder.json").read_text())["max_tokens"] == 12
    assert "reads texts of 12 tokens at most" in caplog.text
    assert np.isfinite(trained.figures["f1"])
