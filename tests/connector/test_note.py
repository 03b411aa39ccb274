"""The note: every technique with its sentence, source and release; nothing that could run."""

from __future__ import annotations

from connector.note import ABSTRACT, note_id, render
from connector.reader import combine
from engine.documents import from_sentences
from engine.types import Analysis, Because, Evidence, Finding, Inference

SENTENCES = ["It ran <b>cmd</b> | net user [x](javascript:alert(1)).", "Then it slept."]
READING = combine([from_sentences(SENTENCES, "a|b.pdf")], "report", ["bad.pdf: it is damaged."])


def finding(technique: str, probability: float, sentence: int = 0) -> Finding:
    assert READING.document is not None
    text = SENTENCES[sentence]
    evidence = Evidence(sentence, 0, len(text), text, "svc", probability, page=3)
    return Finding(technique, f"Name of {technique}", probability, False, (evidence,))


def analysis(**more: object) -> Analysis:
    assert READING.document is not None
    given = {
        "findings": (finding("T1059.003", 0.93), finding("T1497", 0.8, 1)),
        "suggestions": (finding("T1136", 0.4),),
        "inferences": (Inference("T1105", "Transfer", 0.41, (Because("T1059.003", 0.7),)),),
        **more,
    }
    return Analysis(
        document=READING.document, tactics=(), sentences=(), release="2026-11",
        operating_point="balanced", attack_version="18.1", **given,  # type: ignore[arg-type]
    )  # fmt: skip


def test_all_that_was_found() -> None:
    text = render(analysis(), READING)
    row = next(line for line in text.splitlines() if "T1059.003](" in line)
    assert "| 93% |" in row
    assert ", p. 3)*" in row
    assert "| svc |" in row
    assert "## Suggestions" in text
    assert "## Likely next" in text
    assert (
        "| [T1105](https://attack.mitre.org/techniques/T1105/) | Transfer | 0.41 | [T1059.003]"
        in text
    )
    assert "release 2026\\-11" in text or "release 2026-11" in text
    assert "Not read: bad.pdf: it is damaged." in text


def test_text_of_documents_cannot_break_out() -> None:
    text = render(analysis(), READING)
    row = next(line for line in text.splitlines() if "T1059.003](" in line)
    assert "<b>" not in row
    assert "](javascript:" not in row
    cells = row.replace("\\|", "").strip("|").split("|")
    assert len(cells) == 5


def test_what_analysts_did() -> None:
    text = render(analysis(), READING, removed=frozenset({"T1497"}), added=["T1490"])
    assert "Removed by an analyst, and not written again: [T1497]" in text
    assert sum("T1497" in line for line in text.splitlines() if line.startswith("| [T1497")) == 0
    assert "analysts added them: [T1490]" in text


def test_nothing_found() -> None:
    text = render(analysis(findings=(), suggestions=(), inferences=()), READING)
    assert "No technique is sure enough to be written." in text
    assert "##" in text
    assert "Suggestions" not in text


def test_one_id_for_a_report() -> None:
    assert note_id("a") == note_id("a") != note_id("b")
    assert ABSTRACT
