# ruff: noqa: E501 - texts stay on one line, as documents hold them
from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.documents import split_sentences
from engine.documents.sentences import MAX_SENTENCE_CHARS

TEXTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "text"


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        "It beacons to 1.2.3[.]4 and example[.]com over hxxps://evil[.]com/a.php?x=1 daily.",
        r"It drops C:\Windows\Temp\a.exe and C:\Program Files\B.dll into the folder.",
        r"It sets HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon. to start.",
        "It runs cmd.exe /c ping -n 3 127.0.0.1 > nul & del C:\\Users\\Public\\A.exe at the end.",
        "Version 4.1.3 and 5.0.1 differ (see Fig. 3, e.g. Table 2).",
        "Tools, e.g. Mimikatz, i.e. Windows ones, vs. Linux ones, were used.",
        "The U.S. Department of Justice and Acme Inc. Holdings were hit on Jan. 5.",
        "J. Smith of Dr. Jones's team found it.",
        'The note said "pay now. or else" and no more.',
        "They waited ... and then left.",
    ],
)
def test_stays_one_sentence(sentence: str) -> None:
    assert texts(sentence) == [sentence]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It ran. Then it slept.", ["It ran.", "Then it slept."]),
        ("Why? Because! So.", ["Why?", "Because!", "So."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("He waited... Then he left.", ["He waited...", "Then he left."]),
        ("They hit the U.S. The actor left.", ["They hit the U.S.", "The actor left."]),
        ("It is by Acme Inc. The tool is old.", ["It is by Acme Inc.", "The tool is old."]),
        ("Known since 2015.[25] [26] The group is big.", ["Known since 2015.[25] [26]", "The group is big."]),
        ("It beacons to evil[.]com. 3 hosts fell.", ["It beacons to evil[.]com.", "3 hosts fell."]),
        ("one line\nanother line", ["one line", "another line"]),
        ("a\r\nb\rc\u2028d", ["a", "b", "c", "d"]),
    ],
)  # fmt: skip
def test_splits(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_bullets_are_left_out_of_their_sentences_and_kinds_are_told() -> None:
    text = "Key Findings\nThe actor used two tools in this campaign.\n\n• Mimikatz\n- nmap\n1. PsExec\n\nName\tHash\nrule a {"
    found = [(s.kind, s.text, s.heading) for s in split_sentences(text)]
    assert found == [
        ("heading", "Key Findings", None),
        ("prose", "The actor used two tools in this campaign.", "Key Findings"),
        ("list_item", "Mimikatz", "Key Findings"),
        ("list_item", "nmap", "Key Findings"),
        ("list_item", "1. PsExec", "Key Findings"),
        ("table_row", "Name\tHash", "Key Findings"),
        ("code", "rule a {", "Key Findings"),
    ]


def test_a_table_row_is_one_sentence() -> None:
    assert texts("T1059 | It ran. Then it slept. | yes") == ["T1059 | It ran. Then it slept. | yes"]


def test_a_sentence_without_end_is_cut_in_linear_time() -> None:
    text = "word " * 20_000
    started = time.process_time()
    found = split_sentences(text)
    assert time.process_time() - started < 2
    assert max(len(s.text) for s in found) <= MAX_SENTENCE_CHARS
    assert " ".join(s.text for s in found) == text.strip()
    assert all(not s.text.startswith("ord") for s in found)
    assert len(split_sentences("a" * 100_000)) == 50


def test_pathological_punctuation_takes_linear_time() -> None:
    started = time.process_time()
    for piece in (
        "." * 50_000,
        ". " * 50_000,
        '."' * 50_000,
        "[1] " * 30_000,
        "A. " * 30_000,
        "Ab cd. " * 200_000,
    ):
        split_sentences(piece)
    assert time.process_time() - started < 10


ALPHABET = st.sampled_from("aZ9.!?… \n\r\t\x00\u2028•-()[]\"'|{};:/\\éש\ud800")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet=ALPHABET, max_size=400)))
def test_offsets_are_exact_ordered_and_lose_nothing(text: str) -> None:
    end = 0
    covered = []
    for index, sentence in enumerate(split_sentences(text)):
        assert sentence.index == index
        assert end <= sentence.start < sentence.end <= len(text)
        assert text[sentence.start : sentence.end] == sentence.text == sentence.text.strip()
        covered.append(text[end : sentence.start])
        end = sentence.end
    covered.append(text[end:])
    left = "".join(covered)
    assert not any(char.isalnum() for char in left)


def test_agrees_with_the_training_data() -> None:
    if not TEXTS.exists():
        pytest.skip("needs ../shared/data/text")
    with gzip.open(TEXTS / "tram2_sentences.jsonl.gz", "rt", encoding="utf-8") as file:
        gold: dict[str, set[tuple[int, int]]] = {}
        for record in map(json.loads, file):
            gold.setdefault(record["doc_id"], set()).add((record["start"], record["end"]))
    both = ours = theirs = 0
    with gzip.open(TEXTS / "tram2_documents.jsonl.gz", "rt", encoding="utf-8") as file:
        for record in map(json.loads, file):
            expected = gold[record["doc_id"]]
            first = min(start for start, _ in expected)
            found = {(s.start, s.end) for s in split_sentences(record["text"]) if s.start >= first}
            both, ours, theirs = (
                both + len(found & expected),
                ours + len(found),
                theirs + len(expected),
            )
    assert 2 * both / (ours + theirs) > 0.97


def test_a_cut_leaves_no_white_space_at_the_ends() -> None:
    long = "word" + " \u00a0" * MAX_SENTENCE_CHARS + "end"
    for text in (long, "a" * (MAX_SENTENCE_CHARS - 3) + "    b c" * 400):
        for sentence in split_sentences(text):
            assert sentence.text == sentence.text.strip()
            assert sentence.text == text[sentence.start : sentence.end]
