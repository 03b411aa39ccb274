"""From a report to one document with sources."""

from __future__ import annotations

from dataclasses import replace

import pytest
from connector_rig import CONTENT, DOCX_SENTENCE, PDF_SENTENCE, STORY, docx, pdf

from connector.files import name_of
from connector.kinds import KINDS
from connector.reader import combine, read
from connector.report import AttachedFile, Marking, Report
from connector.settings import TtpscribeSettings
from engine.documents import from_text

EMPTY = Report(KINDS["Report"], "i", "report--1", "A report", {}, "", 75, "", "")
STRICT = Marking("marking-definition--1", "TLP:RED")


class Files:
    """Files by name; what is not there cannot be fetched."""

    def __init__(self, **data: bytes) -> None:
        self.data = data
        self.fetched: list[str] = []

    def download(self, file: AttachedFile, max_bytes: int) -> bytes | None:
        self.fetched.append(file.name)
        return self.data.get(file.name.split(".")[0])


def attached(name: str, media_type: str | None = None, **more: object) -> AttachedFile:
    return AttachedFile(f"import/{name}", name, 100, media_type, None, **more)  # type: ignore[arg-type]


def test_all_parts_in_order() -> None:
    files = (attached("story.pdf"), attached("annex.docx"), attached("notes.md"))
    report = replace(EMPTY, description=STORY, content=CONTENT, files=files)
    data = Files(story=pdf(PDF_SENTENCE), annex=docx(DOCX_SENTENCE), notes=b"# Notes\n\nIt ran.")
    reading = read(report, TtpscribeSettings(), data)
    names = ["description", "content", "story.pdf", "annex.docx", "notes.md"]
    assert [source.name for source in reading.sources] == names
    assert reading.problems == ()
    document = reading.document
    assert document is not None
    for number, sentence in enumerate(document.sentences):
        assert sentence.index == number
        assert document.text[sentence.start : sentence.end] == sentence.text
    of_pdf = next(s for s in document.sentences if s.text == PDF_SENTENCE)
    assert of_pdf.page == 1
    assert reading.source_of(of_pdf.index).name == "story.pdf"


def test_what_two_parts_say_is_read_once() -> None:
    report = replace(EMPTY, description=STORY, content=f"<p>{STORY}</p>")
    assert [s.name for s in read(report, TtpscribeSettings(), Files()).sources] == ["description"]


def test_what_is_not_wanted_is_not_fetched() -> None:
    ours = name_of("other report", "html")
    names = [ours, "photo.png", "data.csv", "sample.exe"]
    report = replace(EMPTY, files=(*map(attached, names), attached("a.pdf"), attached("a.docx")))
    files = Files()
    settings = TtpscribeSettings(file_types="docx")  # type: ignore[arg-type]
    read(report, settings, files)
    assert files.fetched == ["a.docx"]


def test_marked_and_large_files_are_not_fetched_and_named() -> None:
    large = replace(attached("large.pdf"), size=200_000_000)
    report = replace(EMPTY, files=(attached("red.pdf", markings=(STRICT,)), large))
    files = Files()
    reading = read(report, TtpscribeSettings(), files)
    assert files.fetched == []
    assert reading.problems == (
        "red.pdf: not read, it is marked TLP:RED.",
        "large.pdf: not read, it has 200 MB, over the limit of 50 MB.",
    )


def test_a_bad_file_beside_a_good_one() -> None:
    files = (attached("bad.pdf"), attached("missing.pdf"), attached("good.docx"))
    reading = read(
        replace(EMPTY, files=files),
        TtpscribeSettings(),
        Files(bad=b"%PDF-1.4 nonsense", good=docx(DOCX_SENTENCE)),
    )
    assert [source.name for source in reading.sources] == ["good.docx"]
    assert [problem.split(":")[0] for problem in reading.problems] == ["bad.pdf", "missing.pdf"]
    assert "could not be fetched" in reading.problems[1]


def test_nothing_to_read() -> None:
    reading = read(replace(EMPTY, description="  \n"), TtpscribeSettings(), Files())
    assert reading.document is None
    assert reading.sources == ()


def test_the_digest_tells_texts_apart() -> None:
    one, two = from_text("It ran.", "a"), from_text("It slept.", "a")
    digests = {combine(d, "r").digest for d in ([one], [two], [one, two], [two, one], [])}
    assert len(digests) == 5
    assert combine([one], "another name").digest == combine([one], "r").digest


@pytest.mark.parametrize("part", ["description", "content"])
def test_parts_can_be_left_out(part: str) -> None:
    report = replace(EMPTY, description=STORY, content=CONTENT)
    settings = TtpscribeSettings(read=part)  # type: ignore[arg-type]
    assert [source.name for source in read(report, settings, Files()).sources] == [part]
