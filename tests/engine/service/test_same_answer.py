"""Over HTTP the engine answers as it does in process, to the last digit."""

from __future__ import annotations

import threading

import pytest
import requests

from engine.documents import from_sentences, from_text, read_path
from engine.outputs import OUTPUTS, Context
from engine.outputs.record import record
from engine.service.wire import read_document, write_document

SHORT = "The macro ran PowerShell. It dumped the memory of LSASS and deleted shadow copies (T1490)."


@pytest.fixture(scope="module")
def report(project):
    return read_path(project / "examples" / "copper-lantern.pdf")


@pytest.fixture(scope="module")
def expected(engine, report):
    return engine.analyse(report)


def test_a_document_crosses_whole(report):
    assert read_document(write_document(report)) == report


def test_a_report_with_pages_headings_and_tables(client, report, expected):
    assert client.analyse(report) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"operating_point": "precise", "inferences": 3},
        {"threshold": 0.123456789, "inferences": 0},
        {"added": {"T1086": 1.0, "T1105": 0.5}, "removed": frozenset({"T1490", "T1047"})},
    ],
)
def test_options_mean_the_same(engine, client, options):
    document = from_text(SHORT, "a short one")
    assert client.analyse(document, **options) == engine.analyse(document, **options)


def test_what_analysts_changed_changes_the_inferences(engine):
    document = from_text(SHORT)
    plain, told = (
        {each.technique for each in engine.analyse(document, **options).inferences}
        for options in ({}, {"added": {"T1566.001": 1.0}, "removed": {"T1490"}})
    )
    assert plain
    assert told
    assert plain != told
    assert "T1566.001" not in told
    assert "T1490" not in told


def test_a_file_is_read_by_the_service(client, project, expected):
    data = (project / "examples" / "copper-lantern.pdf").read_bytes()
    assert client.analyse_file(data, "copper-lantern.pdf") == expected


def test_split_sentences_keep_their_numbers(engine, running):
    sentences = ["It ran PowerShell.", "", "It dumped LSASS memory with comsvcs.dll."]
    answer = requests.post(
        f"{running.url}/v1/analyse", json={"id": 7, "sentences": sentences}, timeout=60
    ).json()
    assert answer["id"] == 7
    analysis = engine.analyse(from_sentences(sentences))
    expected = record(analysis, Context(engine.knowledge, identifier=7))
    assert {key: answer[key] for key in expected if key != "tactics"} == {
        key: value for key, value in expected.items() if key != "tactics"
    }
    assert {e["sentence"] for f in answer["findings"] for e in f["evidence"]} <= {0, 2}


def test_the_outputs_of_the_command(engine, running):
    answer = requests.post(
        f"{running.url}/v1/analyse",
        json={"id": "mine", "text": SHORT, "outputs": ["csv", "stix", "navigator", "html"]},
        timeout=60,
    ).json()
    analysis = engine.analyse(from_text(SHORT, "mine"))
    for name, written in answer["outputs"].items():
        output = OUTPUTS[name]
        assert written == output.header + output.write(analysis, Context(engine.knowledge))


def test_inferences_alone(engine, client):
    observed = {"T1059.001": 1.0, "T1105": 0.5}
    assert client.infer(observed, 5) == engine.infer(observed, 5)
    assert client.infer({}, 5) == ()


def test_many_at_once_get_the_answers_of_one_alone(engine, client, report, expected):
    """What other clients send changes no digit: batches are never mixed."""
    documents = [from_text(f"Host {n}. {SHORT} It sent data to server {n}.") for n in range(6)]
    alone = [engine.analyse(document) for document in documents] + [expected, expected]
    documents += [report, report]
    found: dict[int, object] = {}

    def ask(number: int) -> None:
        found[number] = client.analyse(documents[number])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(documents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.get(n) for n in range(len(documents))] == alone
