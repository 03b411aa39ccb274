"""The formats of other projects, in files of our own in their shape."""

import csv
import json

import pytest

from engine.errors import TrainingDataError
from training.labels import read

REPORT = (
    "title: A made-up report\nurl: https://example.org/r\n\n"
    "The actor sent a document by mail. The macro started cmd.exe to list processes. "
    "Nothing else happened that day."
)


def aset(name, *annots):
    comment = {"name": "comment", "type": "string", "aggregation": None}
    return {"type": name, "hasID": False, "hasSpan": True, "attrs": [comment], "annots": annots}


def place(text):
    start = REPORT.index(text)
    return [start, start + len(text)]


def test_tram_mjson(tmp_path, knowledge):
    asets = [
        aset("lex", [0, 6], [7, 8]),
        aset("Windows Command Shell (T1059.003)", place("started cmd.exe")),
        aset("DLL Side-Loading (T1574.002)", place("The macro")),
        aset("Other", [*place("sent a document by mail"), "T1566.001 attachment"]),
    ]
    path = tmp_path / "A made-up report.mjson"
    path.write_text(json.dumps({"signal": REPORT, "metadata": {}, "asets": asets, "version": 2}))
    labels = read([path], knowledge)
    (document,) = labels.documents
    assert document.techniques == {"T1059.003", "T1574.001", "T1566.001"}
    assert document.body.startswith("The actor")
    assert [sorted(part.techniques) for part in document.sentences] == [
        ["T1566.001"],
        ["T1059.003", "T1574.001"],
        [],
    ]
    spans = {e.text: e.techniques for e in labels.examples if e.kind == "span"}
    assert spans["started cmd.exe"] == {"T1059.003"}
    assert document.says("T1003.001") is False
    assert document.says("T1486") is None
    for part in document.sentences:
        assert document.text[part.start : part.end] == part.text


def test_tram_training_file(tmp_path, knowledge):
    rows = [
        {"text": "Uses a raw socket", "order": 0, "disposition": "accept",
         "mappings": [{"attack_id": "T1095", "confidence": "100.0"}]},
        {"text": "Only the model said so", "order": 1, "disposition": None,
         "mappings": [{"attack_id": "T1003", "confidence": "64.2"}]},
    ]  # fmt: skip
    path = tmp_path / "bootstrap.json"
    path.write_text(json.dumps({"name": "B", "text": "There is no text.", "sentences": rows}))
    labels = read([path], knowledge)
    assert [(e.text, e.techniques, e.kind) for e in labels.examples] == [
        ("Uses a raw socket", {"T1095"}, "text")
    ]
    assert labels.documents == ()
    assert labels.report.skipped == {("tram1", "not accepted by an analyst"): 1}


def test_tram_report_export(tmp_path, knowledge):
    rows = [
        {"text": "It ran a shell.", "disposition": "accept", "mappings": [{"attack_id": "T1059"}]},
        {"text": "Hello.", "disposition": "accept", "mappings": []},
    ]
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"name": "R", "text": "It ran a shell. Hello.", "sentences": rows}))
    (document,) = read([path], knowledge).documents
    assert [sorted(part.techniques) for part in document.sentences] == [["T1059"], []]
    assert document.says("T1486") is False
    rows[1]["disposition"] = None
    path.write_text(json.dumps({"name": "R", "text": "It ran a shell. Hello.", "sentences": rows}))
    labels = read([path], knowledge)
    assert labels.documents[0].says("T1486") is None
    assert labels.documents[0].sentences == ()
    assert len(labels.examples) == 1


def test_tram_tables(tmp_path, knowledge):
    (tmp_path / "single_label.json").write_text(
        json.dumps([{"text": "packed with UPX", "label": "T1027", "doc_title": "D"}])
    )
    (tmp_path / "multi_label.json").write_text(
        json.dumps([
            {"sentence": "It is packed with UPX.", "labels": ["T1027"], "doc_title": "D"},
            {"sentence": "Nothing.", "labels": [], "doc_title": "D"},
        ])
    )  # fmt: skip
    labels = read([tmp_path], knowledge)
    assert sorted((e.kind, e.document) for e in labels.examples) == [
        ("sentence", "D"), ("sentence", "D"), ("span", "D"),
    ]  # fmt: skip
    assert [part.text for part in labels.documents[0].sentences][1] == "Nothing."


def test_rcatt_csv(tmp_path, knowledge):
    path = tmp_path / "training_data_added.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(["Text", "TA0002", "TA0003", "T1086", "T1193", "T1043"])
        writer.writerow(["A report\nof two lines " + "x" * 200_000, "1", "0", "1", "0", "1"])
    labels = read([path], knowledge)
    (document,) = labels.documents
    assert document.text.startswith("A report\nof two")
    assert document.techniques == {"T1059.001"}
    assert document.tactics == {"TA0002"}
    assert document.says("T1566.001") is False
    assert document.says("T1003") is None
    assert labels.report.mapped == {("T1086", "T1059.001"): 1}
    assert labels.report.dropped == {("T1043", "deprecated"): 1}


def attack_pattern(number, technique, **more):
    return {
        "type": "attack-pattern", "id": f"attack-pattern--{number}", "name": "N",
        "external_references": [{"source_name": "mitre-attack", "external_id": technique}], **more,
    }  # fmt: skip


def test_stix_bundle(tmp_path, knowledge):
    objects = [
        attack_pattern(1, "T1086"),
        attack_pattern(2, "T1003.001", description="Adversaries may dump. (Citation: X 2020)"),
        {"type": "relationship", "id": "relationship--1", "relationship_type": "uses",
         "source_ref": "malware--1", "target_ref": "attack-pattern--2",
         "description": "[Mimi](https://attack.mitre.org/software/S0002) dumps it.(Citation: Y)"},
        {"type": "report", "id": "report--1", "name": "R", "description": "It used PowerShell.",
         "x_opencti_content": "<p>And it <b>dumped</b> credentials.</p>",
         "object_refs": ["attack-pattern--1", "relationship--1", "malware--1"]},
        {"type": "report", "id": "report--2", "name": "R", "description": "", "object_refs": []},
    ]  # fmt: skip
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}))
    labels = read([path], knowledge)
    (document,) = labels.documents
    assert document.techniques == {"T1059.001", "T1003.001"}
    assert document.text == "It used PowerShell.\n\nAnd it dumped credentials."
    texts = {example.source: example.text for example in labels.examples}
    assert texts == {
        "attack-procedures": "Mimi dumps it.",
        "attack-techniques": "N. Adversaries may dump.",
    }
    assert labels.report.skipped == {("stix", "no text"): 1}


def test_stix_report_that_names_attack_patterns_by_attack_s_own_ids(tmp_path, knowledge):
    technique = knowledge.technique("T1059.001")
    path = tmp_path / "report.json"
    path.write_text(
        json.dumps({"type": "report", "id": "report--1", "name": "R", "description": "Text.",
                    "object_refs": [technique.stix_id, "x-mitre-tactic--1"]})
    )  # fmt: skip
    assert read([path], knowledge).documents[0].techniques == {"T1059.001"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mjson", '{"signal": "x"}', "MITRE Annotation Toolkit"),
        ("a.json", '{"sentences": [{}]}', "TRAM export"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"something": 1}', "no known format"),
    ],
)
def test_damaged_files_are_named(tmp_path, knowledge, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(TrainingDataError, match=message):
        read([path], knowledge)
