"""On real reports: every learner beats popularity, the default beats its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.knowledge import Knowledge
from engine.recommenders import registry
from training.recommenders import build_matrix, evaluate, new_report_folds

FILES = ("tie_reports.jsonl.gz", "attack_cited_reports.jsonl.gz", "attack_entities.jsonl.gz")
LEARNERS = [name for name in registry.names() if name not in ("top_items", "bpr")]


@pytest.fixture(scope="module")
def folds(project: Path):
    data = project.parent / "shared" / "data" / "matrix"
    if not data.is_dir():
        pytest.skip("needs the matrices in ../shared/data/matrix, which are not here")
    built = build_matrix([data / name for name in FILES], Knowledge.load())
    assert built.matrix.shape[0] > 4000
    return tuple(new_report_folds(built))[:1]


@pytest.fixture(scope="module")
def reached(folds) -> dict[str, tuple[float, float]]:
    # bpr takes half a minute to fit; the contract test holds it to the same rule.
    results = {name: evaluate(name, folds) for name in [*LEARNERS, "top_items"]}
    return {
        name: (float(result.recall[20].mean()), float(result.ndcg[20].mean()))
        for name, result in results.items()
    }


@pytest.mark.parametrize("name", LEARNERS)
def test_beats_popularity(name: str, reached) -> None:
    assert reached[name][0] > reached["top_items"][0]
    assert reached[name][1] > reached["top_items"][1]


def test_the_default_beats_its_parts(reached) -> None:
    for part in ("ease", "user_knn"):
        assert reached["hybrid"][1] > reached[part][1]


def test_the_default_is_far_over_popularity(reached) -> None:
    assert reached["hybrid"][0] > 1.4 * reached["top_items"][0]
    assert reached["hybrid"][1] > 1.5 * reached["top_items"][1]
