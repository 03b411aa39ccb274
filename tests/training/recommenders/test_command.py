"""``ttpscribe train recommenders`` from files to fitted models, and sweeps."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from engine.errors import TrainingDataError, UsageError
from engine.knowledge import Knowledge
from engine.recommenders.serving import load_directory
from engine.scale import LocalWorkers
from training.commands.recommenders import recommenders
from training.recommenders import build_matrix, evaluate, new_report_folds
from training.recommenders.interactions import evaluate_interactions
from training.recommenders.sweep import sweep
from training.sweeps import TrialResult


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """80 reports of four kinds, each kind with techniques of its own."""
    generator = np.random.default_rng(0)
    ids = [t.id for t in Knowledge.load().techniques("enterprise")][:60]
    records = []
    for number in range(80):
        kind = ids[number % 4 * 15 : number % 4 * 15 + 15]
        chosen = [t for t in kind if generator.random() < 0.6]
        records.append({"id": f"r{number}", "title": f"R{number}", "techniques": chosen})
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


@pytest.fixture(scope="module")
def folds(data):
    return tuple(new_report_folds(build_matrix([data], Knowledge.load()), folds=3))


def untimed(trial: TrialResult) -> TrialResult:
    return replace(trial, figures=trial.figures | {"fit_seconds": 0.0})


def run(*arguments: object):
    command = [str(argument) for argument in arguments]
    result = CliRunner().invoke(recommenders, command, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def test_models_figures_and_index_are_written(data, tmp_path) -> None:
    models = ["--model", "ease", "--model", "top_items", "--model", "hybrid"]
    run("--data", data, *models, "--output", tmp_path, "--folds", 3, "--tie-split")
    index = json.loads((tmp_path / "recommenders.json").read_text())
    assert set(index["recommenders"]) == {"ease", "top_items", "hybrid"}
    assert index["default_recommender"] == "hybrid"
    assert index["figures"]["ease"]["ndcg@20"] > index["figures"]["top_items"]["ndcg@20"]
    assert len(index["data_hash"]) == 64
    for name in index["recommenders"]:
        model = load_directory(tmp_path, name)
        assert model.recommend({model.techniques_[0]: 1.0}, 3)
    assert load_directory(tmp_path).name == "hybrid"
    with pytest.raises(UsageError, match="no recommender 'wals'"):
        load_directory(tmp_path, "wals")
    (table,) = tmp_path.glob("results-*.csv")
    rows = list(csv.DictReader(table.open()))
    assert {row["recommender"] for row in rows} == {"ease", "top_items", "hybrid"}
    (page,) = tmp_path.glob("results-*.html")
    html = page.read_text()
    assert html.count("<svg") == 2
    assert "TIE's split" in html
    assert not re.search(r'(src|href)="(?!#)', html)  # nothing is fetched to show it
    (results,) = tmp_path.glob("results-*.json")
    measured = json.loads(results.read_text())
    assert {i["recommender"]: i["mse"] is None for i in measured["interactions"]} == {
        "ease": False,
        "top_items": True,
        "hybrid": True,
    }


def test_the_best_of_a_sweep_is_returned_and_fitted_on_everything(data, tmp_path) -> None:
    result = run(
        *("--data", data, "--model", "top_items", "--model", "ease", "--output", tmp_path),
        *("--folds", 3, "--sweep", "--trials", 3, "--return-best"),
    )
    best = json.loads(result.stdout)
    assert best["recommender"] == "ease"
    assert [path.name for path in (tmp_path / "recommenders").iterdir()] == ["ease"]
    model = load_directory(tmp_path)
    assert model.settings.model_dump(include=set(best["settings"])) == best["settings"]
    built = build_matrix([data], Knowledge.load())
    everything = np.asarray((built.matrix.weights > 0).mean(axis=0)).ravel()
    assert model.popularity_ == pytest.approx(everything, abs=1e-6)
    (trials,) = tmp_path.glob("trials-*.csv")
    assert len(list(csv.DictReader(trials.open()))) == 4
    assert json.loads((tmp_path / "recommenders.json").read_text())["default_recommender"] == "ease"


def test_embeddings_are_exported(data, tmp_path) -> None:
    run(
        *("--data", data, "--model", "wals", "--model", "ease", "--output", tmp_path / "out"),
        *("--folds", 3, "--export-embeddings", tmp_path / "factors"),
    )
    folder = tmp_path / "factors" / "wals"
    assert not (tmp_path / "factors" / "ease").exists()
    ids = json.loads((folder / "ids.json").read_text())
    items = np.load(folder / "item_factors.npy", allow_pickle=False)
    users = np.load(folder / "user_factors.npy", allow_pickle=False)
    assert items.shape[0] == len(ids["techniques"])
    assert users.shape == (len(ids["rows"]), items.shape[1])
    both = load_file(folder / "embeddings.safetensors")
    assert np.array_equal(both["item_factors"], items)
    assert np.array_equal(both["user_factors"], users)


def test_embeddings_of_models_without_factors_are_refused(data, tmp_path) -> None:
    with pytest.raises(TrainingDataError, match="No factors"):
        run(
            *("--data", data, "--model", "ease", "--folds", 3, "--output", tmp_path / "o"),
            *("--export-embeddings", tmp_path / "f"),
        )


def test_unknown_models_are_refused(data, tmp_path) -> None:
    with pytest.raises(UsageError, match="no recommender 'magic'"):
        run("--data", data, "--model", "magic", "--output", tmp_path)


def test_data_without_known_techniques_is_refused(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "techniques": ["T9999"]}\n')
    with pytest.raises(TrainingDataError):
        run("--data", path, "--output", tmp_path / "out")


def test_a_sweep_goes_on_where_it_was_broken_off(folds, tmp_path) -> None:
    first = sweep("ease", folds, tmp_path, trials=2)
    seen: list[int] = []
    second = sweep("ease", folds, tmp_path, trials=4, on_trial=seen.append)
    assert len(first) == 2
    assert len(second) == 4
    kept = {trial.number: trial.settings for trial in second}
    assert all(kept[trial.number] == trial.settings for trial in first)
    assert seen == [2, 3, 4]
    assert [t.value for t in second] == sorted((t.value for t in second), reverse=True)


def test_a_sweep_begins_with_the_defaults(folds, tmp_path) -> None:
    from engine.recommenders import registry

    for name in ("hybrid", "item_knn"):
        (trial,) = sweep(name, folds, tmp_path, trials=1)
        assert registry.create(name, trial.settings).settings == registry.create(name).settings


def test_every_space_holds_settings_of_its_model() -> None:
    from optuna.trial import FixedTrial

    from engine.recommenders import registry
    from training.recommenders.spaces import SPACES
    from training.recommenders.sweep import default_settings

    assert set(SPACES) == set(registry.names())
    for name, space in SPACES.items():
        defaults = default_settings(name)
        assert registry.create(name, space(FixedTrial(defaults))).settings == (
            registry.create(name).settings
        )


def test_a_sweep_tries_the_same_with_any_number_of_processes(folds, tmp_path) -> None:
    two = partial(LocalWorkers, 2)
    there = sweep("item_knn", folds, tmp_path / "there", trials=10, workers=two, seed=3)
    here = sweep("item_knn", folds, tmp_path / "here", trials=10, seed=3)
    assert [untimed(trial) for trial in there] == [untimed(trial) for trial in here]
    assert len({json.dumps(trial.settings) for trial in here}) == 10
    other = sweep("item_knn", folds, tmp_path / "other", trials=2, seed=4)
    assert {t.number: t.settings for t in other}[1] != {t.number: t.settings for t in here}[1]


def test_a_sweep_that_is_killed_proposes_what_it_would_have(folds, tmp_path) -> None:
    whole = sweep("ease", folds, tmp_path / "whole", trials=11)

    for last in (3, 9):  # within a batch, and within the next

        def stop(done: int, last: int = last) -> None:
            if done == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sweep("ease", folds, tmp_path / "parts", trials=11, on_trial=stop)
    parts = sweep("ease", folds, tmp_path / "parts", trials=11)
    assert [untimed(trial) for trial in parts] == [untimed(trial) for trial in whole]


def test_figures_do_not_depend_on_the_order_of_evaluation(folds) -> None:
    once, again = evaluate("ease", folds), evaluate("ease", folds)
    assert np.array_equal(once.ndcg[20], again.ndcg[20])
    assert once.summary()["reports"] == sum(len(fold.cases) for fold in folds)


def test_tie_split_measures_are_those_of_the_right_cells(data) -> None:
    matrix = build_matrix([data], Knowledge.load()).matrix
    right = evaluate_interactions("ease", matrix)
    popular = evaluate_interactions("top_items", matrix)
    assert right["recall@20"] > popular["recall@20"]
    # Training techniques take the first places in TIE's ranking.
    assert right["tie_ndcg"] < right["ndcg@20"]
