import gzip
import json

import pytest

from engine.errors import TrainingDataError
from training.labels import Source, Sources, read


def write(path, *records):
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_a_document_gets_its_sentences_in_reading_order(tmp_path, knowledge):
    sentence = {"source": "tram2", "doc_id": "d1", "cv_fold": 3}
    write(
        tmp_path / "a.jsonl.gz",
        {**sentence, "id": "d1-s2", "text": "It listed files.", "labels": ["T1083"], "start": 17,
         "end": 33},
        {**sentence, "id": "d1-s1", "text": "A first sentence", "labels": [], "start": 0,
         "end": 16},
    )  # fmt: skip
    write(
        tmp_path / "b.jsonl",
        {"source": "tram2", "doc_id": "d1", "title": "One", "text": "h\nA first sentence It",
         "body_start": 2,
         "labels": ["T1083"], "cv_fold": 3},
        {**sentence, "id": "d1-a1", "text": "listed files", "label": "T1083", "start": 20,
         "end": 32},
    )  # fmt: skip
    labels = read([tmp_path], knowledge)
    (document,) = labels.documents
    assert [part.id for part in document.sentences] == ["d1-s1", "d1-s2"]
    assert document.body == "A first sentence It"
    assert (document.fold, document.title) == (3, "One")
    kinds = {example.id: (example.kind, example.source) for example in labels.examples}
    assert kinds["d1-s2"] == ("sentence", "tram2")
    assert kinds["d1-a1"] == ("span", "tram2-spans")


def test_what_was_not_looked_for_is_unknown_not_absent(tmp_path, knowledge):
    path = write(
        tmp_path / "a.jsonl",
        {"id": "1", "doc_id": "d", "source": "tram2", "text": "Ran cmd.", "labels": ["T1059.003"]},
        {"id": "2", "source": "tram1-negatives", "text": "April 03, 2019", "labels": []},
        {"id": "3", "source": "SigmaHQ/sigma", "text": "Detects x", "labels": ["T1059.001"]},
        {"id": "4", "text": "Ours", "labels": ["T1059.001"], "known": ["T1059.001", "T1003"]},
    )  # fmt: skip
    tram2, negative, sigma, own = read([path], knowledge).examples
    assert [tram2.says(t) for t in ("T1059.003", "T1055.012", "T1486")] == [True, False, None]
    assert negative.says("T1486") is False
    assert [sigma.says(t) for t in ("T1059.001", "T1486")] == [True, None]
    assert [own.says(t) for t in ("T1059.001", "T1003", "T1486")] == [True, False, None]


def test_old_ids_are_mapped_and_unusable_ones_counted(tmp_path, knowledge):
    path = write(
        tmp_path / "a.jsonl",
        {"id": "1", "text": "PowerShell", "labels": ["T1086", "t1059/003", "T9999", "T1043"]},
        {"id": "2", "text": "only an unknown one", "labels": ["T9999"]},
    )
    labels = read([path], knowledge)
    (example,) = labels.examples
    assert example.techniques == {"T1059.001", "T1059.003"}
    report = labels.report
    assert report.mapped == {("T1086", "T1059.001"): 1}
    assert report.dropped == {("T9999", "unknown"): 2, ("T1043", "deprecated"): 1}
    assert report.dropped_by_reason() == {"unknown": 2, "deprecated": 1}
    # Without its label it would be taken for a negative.
    assert report.skipped == {("own", "no label of it is active"): 1}


def test_sentences_without_a_document_record_make_one(tmp_path, knowledge):
    path = write(
        tmp_path / "a.jsonl",
        {"id": "1", "doc_id": "r", "text": "First.", "labels": ["T1003"], "known": ["T1105"]},
        {"id": "2", "doc_id": "r", "text": "Second.", "labels": ["T1057"]},
    )
    (document,) = read([path], knowledge).documents
    assert [document.says(technique) for technique in ("T1105", "T1486")] == [False, None]
    assert document.text == "First.\nSecond."
    assert document.techniques == {"T1003", "T1057"}


def test_report_files_beside_the_labels(tmp_path, knowledge):
    (tmp_path / "report.txt").write_text("The actor used PowerShell to download a file.")
    path = write(tmp_path / "a.jsonl", {"file": "report.txt", "labels": ["T1059.001"]})
    (document,) = read([path], knowledge).documents
    assert "used PowerShell" in document.text
    assert document.id == "report.txt"
    outside = write(tmp_path / "b.jsonl", {"file": "../report.txt", "labels": ["T1059.001"]})
    with pytest.raises(TrainingDataError, match=r"line 1: 'file' leads out of the folder"):
        read([outside], knowledge)


def test_sources_are_settings(tmp_path, knowledge):
    path = write(
        tmp_path / "a.jsonl",
        {"id": "1", "source": "SigmaHQ/sigma", "text": "Detects x", "labels": ["T1003"]},
        {"id": "2", "source": "tram1-bootstrap", "text": "raw socket", "labels": ["T1095"],
         "also_tram2_span": True},
        {"id": "3", "source": "our wiki", "text": "Ours", "labels": ["T1003"]},
    )  # fmt: skip
    labels = read([path], knowledge, Sources().with_source("sigma", Source(weight=0.1)))
    assert {e.source: e.weight for e in labels.examples} == {"sigma": 0.1, "our wiki": 1.0}
    assert labels.report.skipped["tram1-repeats", "source switched off"] == 1


def test_techniques_by_description(tmp_path, knowledge):
    path = write(tmp_path / "a.jsonl", {"id": "T1001", "name": "Data Obfuscation",
                                        "description": "Adversaries may obfuscate."})  # fmt: skip
    (example,) = read([path], knowledge).examples
    assert example.source == "attack-techniques"
    assert example.text == "Data Obfuscation. Adversaries may obfuscate."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a"', "line 1: not JSON"),
        ("[1]", "line 1: a list, not a JSON object"),
        (
            '{"text": "a", "labels": "T1003"}\n{"text": "a", "labels": [7]}',
            "line 2: .*technique ids",
        ),
        ("", "No labelled text was found"),
    ],
)
def test_bad_files_are_named(tmp_path, knowledge, content, message):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(TrainingDataError, match=message):
        read([path], knowledge)


def test_bad_paths_are_named(tmp_path, knowledge):
    with pytest.raises(TrainingDataError, match="does not exist"):
        read([tmp_path / "none"], knowledge)
    (tmp_path / "x.bin").write_bytes(b"\xff")
    with pytest.raises(TrainingDataError, match="no known format"):
        read([tmp_path / "x.bin"], knowledge)
    (tmp_path / "y.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(TrainingDataError, match="cannot be read"):
        read([tmp_path / "y.jsonl.gz"], knowledge)
    (tmp_path / "z.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(TrainingDataError, match="not UTF-8"):
        read([tmp_path / "z.jsonl"], knowledge)
