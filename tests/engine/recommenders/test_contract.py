"""What every recommender promises. A new one of this project is covered by its entry point."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest

from engine.errors import ReleaseError, TrainingDataError, UsageError
from engine.recommenders import Matrix, Recommender, registry

from .planted import GROUPS, SIZE, matrix_of, planted

NAMES = registry.names()
LEARNERS = [name for name in NAMES if name != "top_items"]
SEEDED = [name for name in NAMES if "seed" in registry.get(name).settings_type.model_fields]
FACTORS = ("bpr", "factorization", "implicit_als", "implicit_bpr", "wals")


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return planted()[0]


@pytest.fixture(scope="module")
def fitted(matrix: Matrix) -> dict[str, Recommender]:
    return {name: registry.create(name).fit(matrix) for name in NAMES}


def observed_of(group: int, count: int = 4) -> dict[str, float]:
    return {f"T{9000 + group * SIZE + 2 + number}": 1.0 for number in range(count)}


def test_every_recommender_of_the_project_is_installed() -> None:
    ours = {"wals", "bpr", "top_items", "factorization", "implicit_als", "implicit_bpr", "ease"}
    assert ours | {"item_knn", "user_knn", "rp3beta", "hybrid"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_recommender_under_its_own_name(name: str) -> None:
    model = registry.create(name)
    assert isinstance(model, Recommender)
    assert model.name == name
    assert [point.name for point in entry_points(group=registry.GROUP, name=name)] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_those_of_its_settings(name: str) -> None:
    kind = registry.get(name)
    assert kind().settings == kind.settings_type() == registry.create(name, {}).settings
    assert all(
        f.description or "." in str(f.annotation) or name == "hybrid"
        for f in kind.settings_type.model_fields.values()
    )


@pytest.mark.parametrize("name", NAMES)
def test_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="sharpnes"):
        registry.create(name, {"sharpnes": 1})


@pytest.mark.parametrize("name", NAMES)
def test_fitting_again_forgets_what_was_learned(name: str, matrix: Matrix) -> None:
    other = matrix_of(np.eye(6, 3) + 1, ("T1001", "T1002", "T1003"))
    model = registry.create(name).fit(other).fit(matrix)
    fresh = registry.create(name).fit(matrix)
    assert model.recommend(observed_of(3), 10) == fresh.recommend(observed_of(3), 10)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_gives_the_same_answers(name, fitted, tmp_path) -> None:
    model = fitted[name]
    model.save(tmp_path / name)
    loaded = registry.get(name).load(tmp_path / name)
    assert loaded.settings == model.settings
    assert loaded.techniques_ == model.techniques_
    for observed in (observed_of(1), {"T9030": 0.3, "T9031": 0.9}, {}):
        assert loaded.recommend(observed, 200) == model.recommend(observed, 200)


@pytest.mark.parametrize("name", NAMES)
def test_only_data_is_written(name, fitted, tmp_path) -> None:
    fitted[name].save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", SEEDED)
def test_the_same_seed_gives_the_same_model(name: str, matrix: Matrix) -> None:
    def answers(seed: int) -> list:
        return registry.create(name, {"seed": seed}).fit(matrix).recommend(observed_of(2), 30)

    assert answers(5) == answers(5)
    assert answers(5) != answers(6)


@pytest.mark.parametrize("name", LEARNERS)
def test_beats_popularity_on_new_reports(name: str, fitted: dict[str, Recommender]) -> None:
    unseen, group = planted(rows=80, seed=1)
    found = {name: [], "top_items": []}
    for row, number in enumerate(group):
        columns = unseen.weights[row].indices
        members = columns[columns // SIZE == number]
        observed = {unseen.techniques[column]: 1.0 for column in members[::2]}
        hidden = {unseen.techniques[column] for column in members[1::2]}
        for model, recalls in found.items():
            answers = {r.technique for r in fitted[model].recommend(observed, 8)}
            recalls.append(len(hidden & answers) / max(len(hidden), 1))
    assert np.mean(found[name]) > np.mean(found["top_items"]) + 0.3


@pytest.mark.parametrize("name", LEARNERS)
def test_finds_the_group_and_says_because_of_what(name, fitted) -> None:
    observed = observed_of(5)
    answers = fitted[name].recommend(observed, 6)
    group = {f"T{9000 + 5 * SIZE + number}" for number in range(SIZE)}
    assert len({answer.technique for answer in answers} & group) >= 5
    for answer in answers:
        if answer.technique in group:
            weights = [because.weight for because in answer.because]
            assert {because.technique for because in answer.because} <= set(observed)
            assert weights
            assert weights == sorted(weights, reverse=True)
            assert min(weights) > 0


@pytest.mark.parametrize("name", LEARNERS)
def test_less_certain_observations_speak_less(name, fitted) -> None:
    sure, unsure = observed_of(1, 3), observed_of(6, 3)
    mixed = {**sure, **dict.fromkeys(unsure, 0.05)}
    answers = [answer.technique for answer in fitted[name].recommend(mixed, 6)]
    assert sum((int(t[1:]) - 9000) // SIZE == 1 for t in answers) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_scores_fall_and_agree_with_score(name, fitted) -> None:
    model = fitted[name]
    observed = observed_of(4)
    answers = model.recommend(observed, 500)
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert len({answer.technique for answer in answers}) == len(answers)
    x = np.zeros((1, len(model.techniques_)), dtype=np.float32)
    x[0, [model.techniques_.index(technique) for technique in observed]] = 1.0
    column = model.techniques_.index(answers[0].technique)
    assert model.score(x)[0, column] == pytest.approx(answers[0].score, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_observed_gives_the_most_frequent(name, fitted, matrix) -> None:
    count = np.asarray((matrix.weights > 0).sum(axis=0)).ravel()
    answers = fitted[name].recommend({}, 3)
    assert answers[0].technique == matrix.techniques[int(count.argmax())]
    assert all(answer.because == () for answer in answers)


@pytest.mark.parametrize("name", NAMES)
def test_everything_observed_leaves_nothing(name, fitted, matrix) -> None:
    assert fitted[name].recommend(dict.fromkeys(matrix.techniques, 1.0), 5) == []


@pytest.mark.parametrize("name", NAMES)
def test_k_over_the_catalogue_gives_the_whole_rest(name, fitted, matrix) -> None:
    answers = fitted[name].recommend(observed_of(0), 10_000)
    assert len(answers) == GROUPS * SIZE - 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [0, -1])
def test_k_under_one_is_refused(name, k, fitted) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        fitted[name].recommend(observed_of(0), k)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(name, weight, fitted) -> None:
    with pytest.raises(UsageError, match="T9003"):
        fitted[name].recommend({"T9003": weight}, 5)


@pytest.mark.parametrize("name", NAMES)
def test_techniques_not_in_training_are_passed_over(name, fitted) -> None:
    model = fitted[name]
    with_stranger = model.recommend({**observed_of(2), "T1234": 1.0}, 10)
    assert with_stranger == model.recommend(observed_of(2), 10)
    strangers = model.recommend({"T1234": 1.0}, 3)
    assert strangers == model.recommend({}, 3)


@pytest.mark.parametrize("name", NAMES)
def test_parents_of_observed_techniques_are_not_recommended(name: str) -> None:
    counts = (np.random.default_rng(0).random((60, 6)) < 0.6).astype(int)
    techniques = ("T1003", "T1003.001", "T1055", "T1055.012", "T1105", "T1566")
    model = registry.create(name).fit(matrix_of(counts, techniques))
    answers = {answer.technique for answer in model.recommend({"T1055.012": 1.0}, 10)}
    assert answers == {"T1003", "T1003.001", "T1105", "T1566"}


@pytest.mark.parametrize("name", NAMES)
def test_one_column(name: str, tmp_path) -> None:
    model = registry.create(name).fit(matrix_of(np.ones((5, 1)), ("T1105",)))
    assert [answer.technique for answer in model.recommend({}, 3)] == ["T1105"]
    assert model.recommend({"T1105": 1.0}, 3) == []
    model.save(tmp_path)
    assert registry.get(name).load(tmp_path).recommend({"T1105": 1.0}, 3) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (3, 4)])
def test_an_empty_matrix_is_refused(name: str, shape: tuple[int, int]) -> None:
    techniques = tuple(f"T100{number}" for number in range(shape[1]))
    with pytest.raises(TrainingDataError, match="nothing to learn from"):
        registry.create(name).fit(matrix_of(np.zeros(shape), techniques))


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_refused(name, fitted, tmp_path) -> None:
    fitted[name].save(tmp_path)
    arrays = tmp_path / "model.safetensors"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReleaseError, match="damaged"):
        registry.get(name).load(tmp_path)
    arrays.unlink()
    with pytest.raises(ReleaseError, match="cannot be read"):
        registry.get(name).load(tmp_path)
    with pytest.raises(ReleaseError, match="cannot be read"):
        registry.get(name).load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_another_catalogue_are_refused(name, fitted, tmp_path) -> None:
    fitted[name].save(tmp_path / "right")
    small = registry.create(name).fit(matrix_of(np.eye(4, 3) + 1, ("T1001", "T1002", "T1003")))
    small.save(tmp_path / "small")
    (tmp_path / "small" / "model.safetensors").replace(tmp_path / "right" / "model.safetensors")
    with pytest.raises(ReleaseError, match="damaged"):
        registry.get(name).load(tmp_path / "right")


@pytest.mark.parametrize("name", FACTORS)
def test_factor_models_keep_factors_of_rows_and_techniques(name, fitted, matrix) -> None:
    model = fitted[name]
    assert model.item_factors_.shape[0] == matrix.shape[1]
    assert model.user_factors_.shape == (matrix.shape[0], model.item_factors_.shape[1])


def test_serving_needs_neither_torch_nor_scikit_learn_nor_implicit(fitted, tmp_path) -> None:
    for name, model in fitted.items():
        model.save(tmp_path / name)
    code = """
import sys
from pathlib import Path
from engine.recommenders import registry
for directory in Path(sys.argv[1]).iterdir():
    model = registry.get(directory.name).load(directory)
    assert model.recommend({"T9003": 1.0, "T9004": 1.0}, 5)
heavy = {"torch", "sklearn", "implicit", "scipy", "optuna", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
