"""Nothing of a report that is tried on stays in training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.errors import TrainingDataError
from engine.knowledge import Knowledge
from training.recommenders import build_matrix, interaction_split, new_report_folds


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """60 reports; every third is cited as well, for a group that rests on it alone."""
    generator = np.random.default_rng(0)
    ids = [t.id for t in Knowledge.load().techniques("enterprise") if "." not in t.id][:60]
    records = []
    for number in range(60):
        url = f"https://example.com/{number}"
        chosen = sorted(generator.choice(ids, 10, replace=False))
        records.append({"id": f"r{number}", "techniques": chosen, "url": url})
        if number % 3 == 0:
            group = f"G{number:04}"
            extra = [*chosen[:6], "T1205"]
            records.append(
                {"id": f"c{number}", "techniques": extra, "url": url, "entities": [group]}
            )
            used = [*chosen[:6], "T1205", "T1105", "T1566", "T1027", "T1059", "T1003"]
            record = {"id": group, "entity": group, "entity_type": "group", "techniques": used}
            records.append(record)
    path = tmp_path_factory.mktemp("splits") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return build_matrix([path], Knowledge.load())


def test_whole_reports_are_held_out_once(built) -> None:
    tried = [case.row for fold in new_report_folds(built) for case in fold.cases]
    assert len(tried) == len(set(tried)) == 60


def test_no_row_of_a_tried_report_is_in_training(built) -> None:
    group = {
        row.id: int(number) for row, number in zip(built.matrix.rows, built.groups, strict=True)
    }
    for fold in new_report_folds(built):
        held = {int(built.groups[case.row]) for case in fold.cases}
        assert not held & {group[row.id] for row in fold.train.rows}


def test_entities_lose_what_rests_on_reports_held_out(built) -> None:
    rows = {row.id: index for index, row in enumerate(built.matrix.rows)}
    column = built.matrix.techniques.index("T1205")
    checked = 0
    for fold in new_report_folds(built):
        held = {built.matrix.rows[case.row].id for case in fold.cases}
        for index, row in enumerate(fold.train.rows):
            if row.kind == "group":
                rests_on_held = f"r{int(row.id[1:])}" in held
                assert (fold.train.weights[index, column] == 0) == rests_on_held
                checked += rests_on_held
                assert fold.train.weights[index, built.matrix.techniques.index("T1105")] == 1
    assert checked > 5
    assert rows


def test_thirty_percent_are_hidden(built) -> None:
    for fold in new_report_folds(built, hidden=0.3):
        for case in fold.cases:
            assert (len(case.observed), len(case.hidden)) == (7, 3)
            assert not set(case.observed) & set(case.hidden)


def test_the_seed_decides(built) -> None:
    def hidden(seed: int) -> list:
        folds = new_report_folds(built, seed=seed)
        return [case.hidden.tolist() for fold in folds for case in fold.cases]

    assert hidden(1) == hidden(1)
    assert hidden(1) != hidden(2)


def test_too_few_reports_are_refused(built) -> None:
    with pytest.raises(TrainingDataError, match="too few"):
        list(new_report_folds(built, least=11))


def test_interactions_are_divided_and_every_row_keeps_one(built) -> None:
    split = interaction_split(built.matrix, test=0.2, validation=0.1, seed=3)
    parts = [split.train, split.validation, split.test]
    whole = sum((part.weights for part in parts[1:]), parts[0].weights)
    assert (whole != built.matrix.weights).nnz == 0
    assert sum(part.weights.nnz for part in parts) == built.matrix.weights.nnz
    assert split.test.weights.nnz == int(0.2 * built.matrix.weights.nnz)
    assert (np.diff(split.train.weights.tocsr().indptr) > 0).all()


def test_interactions_cannot_all_be_held_out(built) -> None:
    with pytest.raises(TrainingDataError, match="cannot be held out"):
        interaction_split(built.matrix, test=0.9, validation=0.1)
