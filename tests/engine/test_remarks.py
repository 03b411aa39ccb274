"""What a remark says of techniques, and which passages it quotes for them."""

from __future__ import annotations

import time

import pytest

from engine.remarks import read_remark, stance_on_loose

LSASS = "The actor dumped the memory of LSASS with a renamed tool."
TASK = "A scheduled task started the loader at every logon."


@pytest.mark.parametrize(
    "text",
    [
        f"T1003.001 is missing: “{LSASS}”",
        f'T1003.001 is missing: "{LSASS}"',
        f"T1003.001 is missing: «{LSASS}»",
        f"T1003.001 is missing:\n> {LSASS}",
        f"T1003.001 is missing:\n\n> The actor dumped the memory\n> {LSASS[28:]}\n",
        f"1. T1003.001 is missing\n  - > {LSASS}",
        f"T1003.001 is missing:\n```\n{LSASS}\n```",
        f"“{LSASS}”: T1003.001 is missing",
        f"> {LSASS}\n\nT1003.001 is missing.",
    ],
)
def test_ways_to_quote(text):
    remark = read_remark(text)
    assert remark.said == {"T1003.001": "missing"}
    assert remark.quoted == {"T1003.001": (LSASS,)}
    assert remark.loose == ()
    assert LSASS not in remark.words


def test_each_quotation_belongs_to_the_techniques_before_it():
    remark = read_remark(
        f"T1003.001 and T1003: “{LSASS}”; T1053.005: “{TASK}”\n> And once more, in a block.\n"
        f"T1490 is missing.\n`vssadmin delete shadows /all /quiet`"
    )
    assert remark.quoted == {
        "T1003": (LSASS,),
        "T1003.001": (LSASS,),
        "T1053.005": (TASK, "And once more, in a block."),
        "T1490": ("vssadmin delete shadows /all /quiet",),
    }
    assert remark.said == {
        "T1003": "right", "T1003.001": "right", "T1053.005": "right", "T1490": "missing",
    }  # fmt: skip


def test_what_stands_before_a_line_s_own_techniques_is_theirs():
    remark = read_remark(f"T1003.001: “{LSASS}”\n“{TASK}” shows T1053.005.")
    assert remark.quoted == {"T1003.001": (LSASS,), "T1053.005": (TASK,)}


def test_a_sentence_that_ends_takes_its_techniques_with_it():
    remark = read_remark(f"T1047 is a false positive. T1003.001: “{LSASS}”")
    assert remark.quoted == {"T1003.001": (LSASS,)}
    assert remark.said == {"T1047": "wrong", "T1003.001": "right"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"T1003.001: “{LSASS}”", {"T1003.001": "right"}),
        (f"T1003.001 is a false positive: “{LSASS}”", {"T1003.001": "wrong"}),
        (f"Is this T1003.001? “{LSASS}”", {}),
        (f"Perhaps T1003.001: “{LSASS}”", {}),
        (f"T1003.001 is wrong, or is it correct: “{LSASS}”", {}),
        # What is quoted is the report's: it says nothing for the analyst.
        ("T1003.001: “The vendor was wrong, it was not a false positive.”", {"T1003.001": "right"}),
        ("T1003.001:\n> The report names T1047, which is missing.", {"T1003.001": "right"}),
        # A word between quotation marks is the analyst's.
        ("T1003.001 is a “false positive”.", {"T1003.001": "wrong"}),
        ("T1003.001: “is not in the text”", {"T1003.001": "wrong"}),
        ("T1003.001 “as seen”", {}),
        (f"“{LSASS}”", {}),
        ("", {}),
    ],
)
def test_what_is_said_beside_a_quotation(text, said):
    assert read_remark(text).said == said


def test_passages_of_no_technique_are_loose():
    remark = read_remark(f"Seen here:\n> {LSASS}\n\n“{TASK}”")
    assert (remark.quoted, remark.loose) == ({}, (LSASS, TASK))


@pytest.mark.parametrize(
    "much",
    [
        "> " + LSASS * 30,
        "```\n" + "\n".join(f"{LSASS} {number}" for number in range(30)) + "\n```",
    ],
)
def test_who_quotes_a_whole_text_points_at_nothing(much):
    remark = read_remark(f"T1003.001 is missing:\n{much}")
    assert (remark.said, remark.quoted) == ({"T1003.001": "missing"}, {})
    assert read_remark(f"T1003.001\n{much}").said == {}
    assert read_remark(much).loose == ()


@pytest.mark.parametrize(
    ("words", "stance"),
    [
        ("Seen here:", "right"),
        ("This is a false positive.", "wrong"),
        ("Missing.", "missing"),
        ("Is it?", None),
        ("Wrong. Then again, confirmed.", None),
    ],
)
def test_what_is_said_of_loose_passages(words, stance):
    assert stance_on_loose(words) == stance


@pytest.mark.parametrize(
    "piece", ["“", "„", "«", '"', "`", "> ", "T1003.001 ", "T1003.001: “", " "]
)
def test_long_and_odd_remarks_are_read_at_once(piece):
    begun = time.monotonic()
    read_remark(piece * (200_000 // len(piece)))
    assert time.monotonic() - begun < 5
