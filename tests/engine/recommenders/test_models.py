"""What is particular to single recommenders."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ReleaseError
from engine.recommenders import Matrix, Row, registry
from engine.recommenders.ease import Ease, EaseSettings
from engine.recommenders.hybrid import Hybrid
from engine.recommenders.user_knn import UserKnn
from engine.recommenders.wals import Wals, WalsSettings

from .planted import matrix_of, planted


def dense(matrix: Matrix) -> np.ndarray:
    return (matrix.weights.toarray() > 0).astype(float)


def vector(matrix: Matrix, observed: dict[str, float]) -> np.ndarray:
    x = np.zeros(matrix.shape[1])
    for technique, weight in observed.items():
        x[matrix.techniques.index(technique)] = weight
    return x


OBSERVED = {"T9003": 1.0, "T9004": 0.5, "T9030": 1.0}


def test_wals_solves_the_weighted_equations() -> None:
    """At the end of a fit each row's factors are the closed form of Hu et al., alpha and all."""
    matrix, _ = planted(rows=120)
    settings = WalsSettings(factors=5, alpha=7.0, l2=2.0, epochs=4)
    model = Wals(settings).fit(matrix)
    V, P = model.item_factors_.astype(float), dense(matrix)
    for row in (0, 17, 63):
        C = np.diag(1 + 7.0 * P[row])
        u = np.linalg.solve(V.T @ C @ V + 2.0 * np.eye(5), V.T @ C @ P[row])
        assert model.user_factors_[row] == pytest.approx(u, abs=1e-4)


def test_the_confidence_weight_of_wals_matters() -> None:
    matrix, _ = planted(rows=120)
    answers = [
        Wals(WalsSettings(factors=5, alpha=alpha)).fit(matrix).recommend(OBSERVED, 20)
        for alpha in (0.0, 5.0, 40.0)
    ]
    orders = [[answer.technique for answer in ranking] for ranking in answers]
    assert orders[0] != orders[1] != orders[2]


def test_wals_in_chunks_is_wals(monkeypatch) -> None:
    matrix, _ = planted(rows=120)
    whole = Wals().fit(matrix).item_factors_
    monkeypatch.setattr("engine.recommenders.wals.CHUNK", 16 * 16 * 7)
    assert Wals().fit(matrix).item_factors_ == pytest.approx(whole, abs=1e-3)


def test_ease_is_the_closed_form() -> None:
    matrix, _ = planted(rows=120)
    model = Ease(EaseSettings(l2=10.0, dropout=0.0, row_norm=0.0)).fit(matrix)
    X = dense(matrix)
    P = np.linalg.inv(X.T @ X + 10.0 * np.eye(X.shape[1]))
    expected = np.eye(len(P)) - P / np.diag(P)
    assert model.item_weights_ == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", ["ease", "item_knn", "rp3beta", "wals", "implicit_als",
                                  "factorization", "user_knn"])  # fmt: skip
def test_contributions_add_up_to_the_score(name: str) -> None:
    matrix, _ = planted()
    model = registry.create(name).fit(matrix)
    for technique, score, _because in model.recommend(OBSERVED, 5):
        parts = model.contributions(OBSERVED, technique)
        assert set(parts) == set(OBSERVED)
        assert sum(parts.values()) == pytest.approx(score, rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("name", ["bpr", "implicit_bpr"])
def test_contributions_and_bias_add_up_to_the_score(name: str) -> None:
    matrix, _ = planted()
    model = registry.create(name).fit(matrix)
    for technique, score, _because in model.recommend(OBSERVED, 5):
        bias = float(model.item_bias_[matrix.techniques.index(technique)])
        parts = model.contributions(OBSERVED, technique)
        assert sum(parts.values()) + bias == pytest.approx(score, rel=1e-2, abs=1e-3)


def test_pairwise_fold_in_is_at_the_minimum() -> None:
    matrix, _ = planted()
    model = registry.create("bpr").fit(matrix)
    x = vector(matrix, OBSERVED)
    V, c = model.item_factors_.astype(float), model.item_bias_.astype(float)
    seen, unseen = np.flatnonzero(x), np.flatnonzero(x == 0)
    share = x[seen] / x[seen].sum() / len(unseen)

    def loss(u: np.ndarray) -> float:
        margin = (V[seen] @ u + c[seen])[:, None] - (V[unseen] @ u + c[unseen])
        fit = (share[:, None] * np.logaddexp(0, -margin)).sum()
        return float(fit + 0.5 * model.settings.fold_in_l2 * u @ u)

    u = model._parts(x.astype(np.float32)).sum(axis=1).astype(float)
    generator = np.random.default_rng(0)
    for _ in range(20):
        assert loss(u) <= loss(u + 0.01 * generator.normal(size=len(u))) + 1e-9


@pytest.mark.parametrize("name", ["ease", "wals", "rp3beta", "item_knn", "top_items", "hybrid"])
def test_importance_of_rows_counts(name: str) -> None:
    counts = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]] * 5)
    plain = matrix_of(counts, ("T1001", "T1002", "T1003", "T1005"))
    heavy = Matrix(
        tuple(Row(r.id, importance=20.0 if i % 4 == 1 else 1.0) for i, r in enumerate(plain.rows)),
        plain.techniques,
        plain.weights,
    )
    model = registry.create(name)
    before = {r.technique: r.score for r in model.fit(plain).recommend({"T1001": 1.0}, 3)}
    after = {r.technique: r.score for r in model.fit(heavy).recommend({"T1001": 1.0}, 3)}
    gain = {t: after[t] - before[t] for t in before}
    assert max(gain, key=lambda technique: gain[technique]) == "T1003"


def test_frequencies_count_where_asked_for() -> None:
    counts = np.array([[1, 8, 1], [1, 8, 0], [1, 0, 1], [1, 0, 1]] * 3)
    matrix = matrix_of(counts, ("T1001", "T1002", "T1003"))
    ignored = Ease().fit(matrix).recommend({"T1001": 1.0}, 1)[0].technique
    counted = Ease(EaseSettings(frequencies="log")).fit(matrix).recommend({"T1001": 1.0}, 1)
    assert (ignored, counted[0].technique) == ("T1003", "T1002")


def test_similar_reports_share_what_they_say() -> None:
    matrix, group = planted()
    model = UserKnn().fit(matrix)
    similar = model.similar({"T9014": 1.0, "T9015": 1.0, "T9016": 1.0}, 5)
    assert len(similar) == 5
    for row, similarity, common in similar:
        index = next(i for i, known in enumerate(matrix.rows) if known.id == row.id)
        assert group[index] == 1
        assert set(common) <= {"T9014", "T9015", "T9016"}
        assert len(common) >= 2
        assert 0 < similarity <= 1.5
    assert [s for _, s, _ in similar] == sorted((s for _, s, _ in similar), reverse=True)
    assert model.similar({"T1234": 1.0}, 5) == []


def test_rows_survive_saving(tmp_path) -> None:
    matrix, _ = planted(rows=30)
    model = UserKnn().fit(matrix)
    model.save(tmp_path)
    assert UserKnn.load(tmp_path).rows_ == model.rows_
    (tmp_path / "rows.json").write_text('[["only", "two"]]')
    with pytest.raises(ReleaseError, match=r"rows\.json"):
        UserKnn.load(tmp_path)


def test_every_weight_of_the_hybrid_has_an_effect() -> None:
    # Real ids, so that the knowledge has tactics for them.
    techniques = ("T1003.001", "T1003.002", "T1021.001", "T1055", "T1059.001", "T1105", "T1566")
    counts = (np.random.default_rng(1).random((80, 7)) < 0.5).astype(int)
    matrix = matrix_of(counts, techniques)
    observed = {"T1003.001": 1.0, "T1059.001": 1.0}
    default = [r.score for r in Hybrid().fit(matrix).recommend(observed, 7)]
    for weight in ("ease", "user_knn", "popularity", "tactic"):
        changed = registry.create("hybrid", {f"{weight}_weight": 0.7}).fit(matrix)
        assert [r.score for r in changed.recommend(observed, 7)] != default, weight


def test_hybrid_knows_tactics() -> None:
    matrix = matrix_of(np.ones((4, 3)) - np.eye(4, 3), ("T1003.001", "T1105", "T1555"))
    model = Hybrid().fit(matrix)
    assert model.tactics_[0] == pytest.approx(model.tactics_[2])  # both credential access
    assert not np.array_equal(model.tactics_[0], model.tactics_[1])


def test_hybrid_refuses_parts_of_another_catalogue(tmp_path) -> None:
    matrix, _ = planted(rows=30)
    Hybrid().fit(matrix).save(tmp_path)
    other = matrix_of(np.ones((4, 3)), ("T1001", "T1002", "T1003"))
    Ease().fit(other).save(tmp_path / "ease")
    with pytest.raises(ReleaseError, match="other techniques"):
        Hybrid.load(tmp_path)
