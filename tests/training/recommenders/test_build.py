"""Reading rows and building the matrix."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from engine.errors import TrainingDataError
from engine.knowledge import Knowledge
from training.recommenders import build_matrix
from training.recommenders.build import normalise_url


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


def lines(path: Path, *records: object) -> Path:
    text = "\n".join(json.dumps(record) for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def cells(built, row: int) -> dict[str, float]:
    X = built.matrix.weights
    part = slice(X.indptr[row], X.indptr[row + 1])
    names = [built.matrix.techniques[column] for column in X.indices[part]]
    return dict(zip(names, X.data[part].tolist(), strict=True))


def test_json_lines_keep_frequencies_and_map_ids(tmp_path, knowledge) -> None:
    path = lines(
        tmp_path / "rows.jsonl.gz",
        {"id": "a", "title": "A", "techniques": {"T1086": 2, "T1059.001": 3, "T1105": 1}},
        {"id": "b", "techniques": ["T1105", "T1105", "T9999"]},
        {"id": "c", "techniques": ["T9999"]},
    )
    built = build_matrix([path], knowledge)
    assert [row.id for row in built.matrix.rows] == ["a", "b"]
    # T1086 was revoked by T1059.001: both are the same cell.
    assert cells(built, 0) == {"T1059.001": 5.0, "T1105": 1.0}
    assert cells(built, 1) == {"T1105": 2.0}
    assert built.unknown == {"T9999": 2}
    assert built.matrix.rows[0].title == "A"


def test_tie_json(tmp_path, knowledge) -> None:
    path = tmp_path / "tie.json"
    reports = [
        {"id": 7, "mitre_techniques": {"T1105": 1, "T1566.001": 4}},
        {"id": 8, "mitre_techniques": {}},
    ]
    path.write_text(json.dumps({"name": "full", "reports": reports}))
    built = build_matrix([path], knowledge)
    assert [row.id for row in built.matrix.rows] == ["tie-7"]
    assert cells(built, 0) == {"T1105": 1.0, "T1566.001": 4.0}


def test_stix_bundle_with_a_report_and_a_group(tmp_path, knowledge) -> None:
    def pattern(number: int, technique: str) -> dict:
        reference = {"source_name": "mitre-attack", "external_id": technique}
        return {
            "type": "attack-pattern",
            "id": f"attack-pattern--{number}",
            "external_references": [reference],
        }

    group = {
        "type": "intrusion-set",
        "id": "intrusion-set--1",
        "name": "FIN7",
        "external_references": [{"source_name": "mitre-attack", "external_id": "G0046"}],
    }
    uses = {
        "type": "relationship",
        "id": "relationship--1",
        "relationship_type": "uses",
        "source_ref": group["id"],
        "target_ref": "attack-pattern--2",
    }
    report = {
        "type": "report",
        "id": "report--1",
        "name": "A report",
        "object_refs": ["attack-pattern--1", "attack-pattern--2", group["id"]],
    }
    opencti = {"type": "attack-pattern", "id": "attack-pattern--3", "x_mitre_id": "T1566"}
    revoked = {**report, "id": "report--2", "revoked": True}
    path = tmp_path / "bundle.json"
    objects = [pattern(1, "T1105"), pattern(2, "T1059.001"), opencti, group, uses, report, revoked]
    path.write_text(json.dumps({"type": "bundle", "objects": objects}))
    built = build_matrix([path], knowledge)
    kinds = {row.kind: cells(built, number) for number, row in enumerate(built.matrix.rows)}
    assert kinds == {"report": {"T1059.001": 1.0, "T1105": 1.0}, "group": {"T1059.001": 1.0}}
    assert {row.title for row in built.matrix.rows} == {"A report", "FIN7"}


MANY = ["T1003", "T1012", "T1016", "T1018", "T1021", "T1027", "T1033", "T1036", "T1047", "T1053"]


def test_near_duplicates_become_one_row(tmp_path, knowledge) -> None:
    path = lines(
        tmp_path / "rows.jsonl",
        {"id": "a", "techniques": dict.fromkeys(MANY, 1)},
        {"id": "b", "techniques": {**dict.fromkeys(MANY, 2), "T1105": 1}},
        {"id": "c", "techniques": MANY[:4]},
        {"id": "d", "techniques": MANY[:4]},
    )
    built = build_matrix([path], knowledge)
    assert [row.id for row in built.matrix.rows] == ["a", "c", "d"]
    assert built.merged == 1
    assert cells(built, 0)["T1105"] == 1.0
    assert cells(built, 0)["T1003"] == 2.0


def test_rows_of_one_url_or_alike_are_one_group(tmp_path, knowledge) -> None:
    archived = "https://web.archive.org/web/20200101/https://www.example.com/report/"
    path = lines(
        tmp_path / "rows.jsonl",
        {"id": "a", "techniques": MANY[:3], "url": "http://example.com/report"},
        {"id": "b", "techniques": MANY[5:], "references": [{"url": archived}]},
        {"id": "c", "techniques": MANY[:9]},
        {"id": "d", "techniques": [*MANY[:7], "T1105", *MANY[7:9]], "entities": ["G0001"]},
        {"id": "e", "techniques": MANY[:2]},
    )
    groups = build_matrix([path], knowledge).groups
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len({groups[0], groups[2], groups[4]}) == 3


def test_importance_depends_on_the_kind(tmp_path, knowledge) -> None:
    path = lines(
        tmp_path / "rows.jsonl",
        {"id": "a", "techniques": MANY},
        {"id": "b", "techniques": MANY[:5], "entities": ["G0001"], "url": "https://x.example/1"},
        {"id": "c", "techniques": MANY[2:6], "entity": "G0001", "entity_type": "group"},
    )
    rows = build_matrix([path], knowledge).matrix.rows
    assert [row.kind for row in rows] == ["report", "cited report", "group"]
    assert rows[0].importance > rows[1].importance > rows[2].importance > 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"id": "a", "techniques": ["T1105"]\n', "line 1: not JSON"),
        ("[1, 2]\n", "line 1: a list"),
        ('{"techniques": ["T1105"]}\n', "no 'id'"),
        ('{"id": "a"}\n', "no 'techniques'"),
        ('{"id": "a", "techniques": {"T1105": "often"}}\n', "'often' times"),
        ('{"id": "a", "techniques": {"T1105": -1}}\n', "-1 times"),
    ],
)
def test_bad_lines_are_named(content, says, tmp_path, knowledge) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(TrainingDataError, match=says):
        build_matrix([path], knowledge)


def test_bad_files_are_named(tmp_path, knowledge) -> None:
    with pytest.raises(TrainingDataError, match="cannot be read"):
        build_matrix([tmp_path / "missing.json"], knowledge)
    (tmp_path / "other.json").write_text('{"type": "other"}')
    with pytest.raises(TrainingDataError, match="neither a STIX bundle nor TIE"):
        build_matrix([tmp_path / "other.json"], knowledge)
    (tmp_path / "damaged.jsonl.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(TrainingDataError, match="cannot be read"):
        build_matrix([tmp_path / "damaged.jsonl.gz"], knowledge)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingDataError, match="holds no"):
        build_matrix([tmp_path / "empty"], knowledge)


def test_urls_are_compared_without_their_clothes() -> None:
    plain = "example.com/a/report"
    for url in (
        "https://www.example.com/a/report/",
        "HTTP://EXAMPLE.com/a/report#top",
        "https://example.com/a/report?utm_source=x",
        "https://web.archive.org/web/20200424075623/https:/www.example.com/a/report/",
    ):
        assert normalise_url(url) == plain
