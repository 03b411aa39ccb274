# ruff: noqa: E501, S106 - texts stay on one line, as documents hold them
from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.documents import Limits, read_bytes, read_path
from engine.errors import DocumentError


def read(data: bytes, **limits: float) -> SimpleNamespace:
    document = read_bytes(data, "report.pdf", limits=Limits(**limits))  # type: ignore[arg-type]
    for sentence in document.sentences:
        assert document.text[sentence.start : sentence.end] == sentence.text
    return SimpleNamespace(
        document=document,
        texts=[s.text for s in document.sentences],
        kinds=[(s.kind, s.text) for s in document.sentences],
    )


def test_joins_lines_to_sentences_and_knows_pages(files: SimpleNamespace) -> None:
    first = "The actor sent a phishing mail with an attached document to the finance\ndepartment of the victim. It then used PowerShell to download a second\nstage from the server and to run the downloaded file in memory without"
    second = "writing it to disk. Afterwards it slept for an hour."
    found = read(files.pdf([files.page(files.lines(first)), files.page(files.lines(second))]))
    assert found.texts == [
        "The actor sent a phishing mail with an attached document to the finance department of the victim.",
        "It then used PowerShell to download a second stage from the server and to run the downloaded file in memory without writing it to disk.",
        "Afterwards it slept for an hour.",
    ]
    assert [s.page for s in found.document.sentences] == [1, 1, 2]
    assert found.document.pages == 2
    assert found.document.media_type == "application/pdf"


def test_divided_words_are_joined_and_compounds_kept(files: SimpleNamespace) -> None:
    text = "The group used the zero-day in a zero-\nday attack to gain persis-\ntence on the machines of the victim, then it left."
    assert read(files.pdf([files.page(files.lines(text))])).texts == [
        "The group used the zero-day in a zero-day attack to gain persistence on the machines of the victim, then it left."
    ]


def test_two_columns_are_read_one_after_the_other(files: SimpleNamespace) -> None:
    def column(word: str) -> str:
        return (
            "\n".join(f"{word} line {n} of the story goes on and on" for n in range(12))
            + "\nends here."
        )

    page = files.page(files.lines(column("Left"), x=60) + files.lines(column("Right"), x=330))
    text = read(files.pdf([page])).document.text
    assert text.index("Left line 11") < text.index("Right line 0")
    assert "Left line 3 of the story goes on and on Left line 4" in text


def test_heads_and_feet_go(files: SimpleNamespace) -> None:
    def page(number: int, body: str) -> object:
        return files.page(
            [
                (72, 760, 9, "TLP CLEAR Advisory"),
                *files.lines(body),
                (280, 30, 9, f"Page {number} of 3"),
            ]
        )

    bodies = (
        "The actor stole the",
        "credentials of the administrator and then",
        "left. The end came soon.",
    )
    pages = [page(number, body) for number, body in enumerate(bodies, 1)]
    assert read(files.pdf(pages)).texts == [
        "The actor stole the credentials of the administrator and then left.",
        "The end came soon.",
    ]


@pytest.mark.parametrize("ruled", [True, False])
def test_a_table_row_is_one_sentence(files: SimpleNamespace, ruled: bool) -> None:
    texts = [
        (72, 700, 10, "Technique"), (220, 700, 10, "Use"),
        (72, 670, 10, "Process Injection"), (220, 670, 10, "It injected code into another"),
        (72, 658, 10, "[T1055]"), (220, 658, 10, "process. Then it ran."),
        (72, 628, 10, "Native API [T1106]"), (220, 628, 10, "It called CreateProcess."),
    ]  # fmt: skip
    rules = [(70, 500, y) for y in (715, 690, 645, 615)] if ruled else []
    assert read(files.pdf([files.page(texts, rules)])).kinds == [
        ("table_row", "Technique | Use"),
        (
            "table_row",
            "Process Injection [T1055] | It injected code into another process. Then it ran.",
        ),
        ("table_row", "Native API [T1106] | It called CreateProcess."),
    ]


def test_headings_and_bullets_stand_apart(files: SimpleNamespace) -> None:
    texts = [
        (72, 720, 16, "Summary"),
        *files.lines("The actor used several tools in the course of this long campaign,\nwhich are listed here:", y=690),
        (90, 650, 11, "\u2022"), (105, 650, 11, "Mimikatz to dump the credentials of all the users that were ever"),
        (105, 636, 11, "logged on"),
        (90, 622, 11, "\u2022"), (105, 622, 11, "nmap"),
    ]  # fmt: skip
    found = read(files.pdf([files.page(texts)]))
    assert found.kinds == [
        ("heading", "Summary"),
        (
            "prose",
            "The actor used several tools in the course of this long campaign, which are listed here:",
        ),
        ("list_item", "Mimikatz to dump the credentials of all the users that were ever logged on"),
        ("list_item", "nmap"),
    ]
    assert {s.heading for s in found.document.sentences[1:]} == {"Summary"}


def test_targets_of_attack_links_are_shown_only_where_the_id_is_not(files: SimpleNamespace) -> None:
    base = "https://attack.mitre.org/techniques/"
    texts = files.lines("It used PowerShell here.\nIt used Native API (T1106) there.")
    links = [((70, 698, 200, 712), base + "T1059/001/"), ((70, 684, 200, 698), base + "T1106")]
    text = read(files.pdf([files.page(texts, links=links)])).document.text
    assert "https://attack.mitre.org/techniques/T1059/001" in text
    assert "techniques/T1106" not in text


def test_superscripts_become_reference_marks(files: SimpleNamespace) -> None:
    texts = [
        (72, 700, 12, "It came in 2015."),
        (160, 705, 7, "12"),
        (172, 700, 12, "The group is large."),
    ]
    assert read(files.pdf([files.page(texts)])).texts == [
        "It came in 2015.[12]",
        "The group is large.",
    ]


def test_pages_without_text_are_named(files: SimpleNamespace) -> None:
    found = read(files.pdf([files.page(files.lines("Some text.")), files.page()]))
    assert found.document.warnings == ("Pages without text, perhaps images: 2.",)


def test_too_many_pages_are_left_out_with_a_warning(files: SimpleNamespace) -> None:
    pages = [files.page(files.lines(f"Text of sheet {word}.")) for word in ("one", "two", "three")]
    found = read(files.pdf(pages), max_pages=2)
    assert "three" not in found.document.text
    assert found.document.warnings == ("Only the first 2 of 3 pages were read.",)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: f.pdf([f.page(), f.page()]), "OCR"),
        (lambda f: f.pdf([f.page(f.lines("Secret text."))], password="secret"), "password"),
        (lambda f: f.pdf([f.page(f.lines("Some text."))])[:200], "damaged"),
        (lambda f: b"%PDF-1.7\nnothing more", "damaged"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_with_a_remedy(
    files: SimpleNamespace, make: object, said: str
) -> None:
    with pytest.raises(DocumentError, match=said):
        read(make(files))  # type: ignore[operator]


def test_an_empty_password_opens(files: SimpleNamespace) -> None:
    data = files.pdf([files.page(files.lines("The text is open."))], password="")
    assert b"The text is open" not in data
    assert read(data).texts == ["The text is open."]


def ids(path: Path) -> set[str]:
    return set(re.findall(r"\bT\d{4}(?:\.\d{3})?", read_path(path).text))


def test_one_advisory_in_three_formats(report: object) -> None:
    pdf, docx = ids(report("AA20-302A.pdf")), ids(report("AA20-302A.docx"))  # type: ignore[operator]
    assert pdf == docx
    assert len(pdf) == 13
    html = read_path(report("AA20-302A.html")).text  # type: ignore[operator]
    # The page misprints T1547.001 as T1047.001; its link's target is right and is shown.
    assert "T1047.001 (https://attack.mitre.org/techniques/T1547/001)" in html
    shown = set(re.findall(r"\bT\d{4}(?:\.\d{3})?", html.replace("T1547/001", "T1547.001")))
    assert shown - {"T1047.001"} == pdf
