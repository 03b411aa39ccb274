# ruff: noqa: E501, RUF001 - texts stay on one line, as documents hold them
from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace

import pytest

from engine.documents import read_bytes, read_path
from engine.errors import DocumentError
from engine.types import Document


def read(data: bytes | str, name: str) -> list[tuple[str, str]]:
    document = read_bytes(data.encode() if isinstance(data, str) else data, name)
    assert_exact(document)
    return [(s.kind, s.text) for s in document.sentences]


def assert_exact(document: Document) -> None:
    end = 0
    for sentence in document.sentences:
        assert end <= sentence.start < sentence.end
        assert document.text[sentence.start : sentence.end] == sentence.text
        end = sentence.end


PAGE = """<!DOCTYPE html><html><head><title>Title</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a> <a href="/t">Techniques</a></nav>
<div class="cookie-banner">We use cookies. Accept all?</div>
<header class="site"><div>Site header</div></header>
<main><h1>A campaign</h1>
<p>The actor used <b>Power</b>Shell<br>and left.<sup>3 5</sup> It returned&nbsp;later.</p>
<script>var x = "not shown";</script>
<ul><li>First <p>with more</p></li><li>Second<ol><li>Inner</li></ol></li></ul>
<table><tr><th>Technique</th><th>Use</th></tr>
<tr><td><p>Process Injection</p><p>[T1055]</p></td><td>It ran. It slept.</td></tr></table>
<pre>rule a {
  meta:
}</pre>
<table><tr><td><p>Framed text. More of it.</p></td></tr></table>
<p>See <a href="https://attack.mitre.org/techniques/T1059/001/">the page</a>.</p>
<p style="display: none">hidden</p>
</main><footer>Imprint</footer></body></html>"""


def test_html_gives_the_main_text() -> None:
    assert read(PAGE, "page.html") == [
        ("heading", "A campaign"),
        ("prose", "The actor used PowerShell"),
        ("prose", "and left.[3, 5]"),
        ("prose", "It returned later."),
        ("list_item", "First"),
        ("prose", "with more"),
        ("list_item", "Second"),
        ("list_item", "Inner"),
        ("table_row", "Technique | Use"),
        ("table_row", "Process Injection [T1055] | It ran. It slept."),
        ("code", "rule a {"),
        ("code", "meta:"),
        ("code", "}"),
        ("prose", "Framed text."),
        ("prose", "More of it."),
        ("prose", "See the page (https://attack.mitre.org/techniques/T1059/001)."),
    ]


def test_html_without_main_keeps_text_and_drops_menus() -> None:
    html = "<html><body><div role=navigation>Menu</div><div class='sidebar'>More stories</div>" + (
        "<div><p>The actor left a long text that is the body of the page.</p></div></body></html>"
    )
    assert read(html, "x.html") == [
        ("prose", "The actor left a long text that is the body of the page.")
    ]


def test_html_with_megabytes_of_script_is_fast() -> None:
    script = "<script>" + "var a = '<p>no</p>';\n" * 400_000 + "</script>"
    started = time.perf_counter()
    assert read(f"<html><body>{script}<p>The text.</p></body></html>", "x.html") == [
        ("prose", "The text.")
    ]
    assert time.perf_counter() - started < 15


def test_html_that_nests_deeply_is_read() -> None:
    html = "<html><body>" + "<div>" * 1_000 + "Deep text." + "</div>" * 1_000 + "</body></html>"
    assert read(html, "x.html") == [("prose", "Deep text.")]


def test_html_that_nests_too_deeply_brings_a_warning() -> None:
    html = "<html><body><p>Read.</p>" + "<div>" * 5_000 + "Lost." + "</div>" * 5_000
    document = read_bytes(html.encode(), "x.html")
    assert document.text.startswith("Read.")
    assert any("nests too deeply" in warning for warning in document.warnings)


def test_html_names_its_encoding() -> None:
    html = "<html><head><meta charset='windows-1251'></head><body><p>Группа атаковала</p></body></html>"
    assert read(html.encode("cp1251"), "x.html") == [("prose", "Группа атаковала")]


def test_markdown() -> None:
    text = (
        "---\ntitle: A report\ntags: [T1055]\n---\n# Head *one*\n\nA sentence over\ntwo lines. See "
        "[PowerShell](https://attack.mitre.org/techniques/T1059/001) and hxxp://evil[.]com/a_b_c.\n\n"
        "* item `C:\\Windows\\a.exe`\n  1. inner\n\n| A | B |\n|---|---|\n| x | y. Z |\n\n```\ncode a\ncode b\n```\n"
    )
    assert read(text, "x.md") == [
        ("table_row", "title: A report"),
        ("table_row", "tags: [T1055]"),
        ("heading", "Head one"),
        ("prose", "A sentence over two lines."),
        (
            "prose",
            "See PowerShell (https://attack.mitre.org/techniques/T1059/001) and hxxp://evil[.]com/a_b_c.",
        ),
        ("list_item", "item C:\\Windows\\a.exe"),
        ("list_item", "inner"),
        ("table_row", "A | B"),
        ("table_row", "x | y. Z"),
        ("code", "code a"),
        ("code", "code b"),
    ]


def test_docx(files: SimpleNamespace) -> None:
    p = files.paragraph
    link = '<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r><w:hyperlink r:id="r1"><w:r><w:t>here</w:t></w:r></w:hyperlink><w:r><w:t>.</w:t></w:r></w:p>'
    note = '<w:p><w:r><w:t>Known since 2015.</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>'
    box = "<w:txbxContent>" + p("In a box.") + "</w:txbxContent>"
    boxed = f"<w:p><w:r><w:t>Above.</w:t></w:r><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    cell = "<w:tc>{}</w:tc>"
    table = f"<w:tbl><w:tr>{cell.format(p('T1055') + p('Injection'))}{cell.format(p('It ran. It slept.'))}</w:tr></w:tbl>"
    body = p("Head", "H1") + p("One. Two.") + p("item", item=True) + table + link + note + boxed
    parts = {
        "word/_rels/document.xml.rels": '<R><x Id="r1" Target="https://attack.mitre.org/techniques/T1059"/></R>',
        "word/footnotes.xml": f'<w:root><w:footnote w:id="0" w:type="separator">{p("no")}</w:footnote><w:footnote w:id="2">{p("The source.")}</w:footnote></w:root>',
    }
    assert read(files.docx(body, parts), "x.docx") == [
        ("heading", "Head"),
        ("prose", "One."),
        ("prose", "Two."),
        ("list_item", "item"),
        ("table_row", "T1055 Injection | It ran. It slept."),
        ("prose", "See here (https://attack.mitre.org/techniques/T1059)."),
        ("prose", "Known since 2015.[2]"),
        ("prose", "Above."),
        ("prose", "In a box."),
        ("prose", "[2] The source."),
    ]


def test_docx_resolves_no_entities(files: SimpleNamespace, tmp_path: object) -> None:
    data = files.docx("")
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "word/document.xml",
            '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><w:document xmlns:w='
            '"http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
            "<w:t>Text &e; here.</w:t></w:r></w:p></w:body></w:document>",
        )
    assert data
    assert "root" not in read_bytes(out.getvalue(), "x.docx").text


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"],
)
def test_text_in_common_encodings(encoding: str) -> None:
    text = "The group attacked the café of José in the spring of that year. It then left the victim’s network and was never seen there again.\n"
    if encoding == "latin-1":
        text = text.replace("’", "'")
    document = read_bytes((text * 3).encode(encoding), "x.txt")
    assert document.text == text * 3
    assert len(document.sentences) == 6


REPORTS = [
    "AA20-302A.pdf", "AA20-302A.docx", "CTID_Campaign_Sample_Report.pdf", "CTID_Threat_Actor_Sample_Report.pdf",
    "AEL_fin7_Intelligence_Summary.md", "AEL_menuPass_Intelligence_Summary.md",
    "AEL_OceanLotus_Intelligence_Summary.md", "AEL_Sandworm_Intelligence_Summary.md", "simple-test.docx",
]  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_every_printed_id_of_the_real_reports_is_in_the_text(report: object, name: str) -> None:
    document = read_path(report(name))  # type: ignore[operator]
    assert_exact(document)
    with report("labels.jsonl").open(encoding="utf-8") as file:  # type: ignore[operator]
        labels = {record["file"]: record for record in map(json.loads, file)}
    found = set(re.findall(r"\bT\d{4}(?:\.\d{3})?", document.text.replace("/00", ".00")))
    assert set(labels[name]["labels_original"]) <= found
    assert document.warnings == ()


def test_docx_rows_are_those_that_the_borders_draw(files: SimpleNamespace) -> None:
    def cell(text: str, sides: str = "", merge: str = "") -> str:
        borders = "".join(f'<w:{side} w:val="single"/>' for side in sides.split())
        vertical = f'<w:vMerge w:val="{merge}"/>' if merge else ""
        return f"<w:tc><w:tcPr>{vertical}<w:tcBorders>{borders}</w:tcBorders></w:tcPr>{files.paragraph(text)}</w:tc>"

    rows = [
        cell("Technique", "bottom right") + cell("Use", "bottom") + cell("", "bottom"),
        cell("Process", "right", "restart") + cell("It called ", "", "restart") + cell(""),
        cell("", "right", "continue") + cell("", "", "continue") + cell("OpenProcess"),
        cell("Injection", "right") + cell("and wrote to it.") + cell(""),
        cell("", "bottom right") + cell("", "bottom") + cell("", "bottom"),
    ]
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    assert read(files.docx(table), "x.docx") == [
        ("table_row", "Technique | Use"),
        ("table_row", "Process Injection | It called OpenProcess and wrote to it."),
    ]


def test_docx_headings_without_a_style_are_told_by_their_size(files: SimpleNamespace) -> None:
    def sized(text: str, size: int) -> str:
        return f'<w:p><w:r><w:rPr><w:sz w:val="{size}"/></w:rPr><w:t>{text}</w:t></w:r></w:p>'

    body = sized("Key Findings", 28) + sized("The actor left. It came back.", 20)
    assert read(files.docx(body), "x.docx")[0] == ("heading", "Key Findings")


def test_a_docx_damaged_anywhere_is_said_to_be_damaged(files: SimpleNamespace) -> None:
    whole = files.docx(files.paragraph("The actor ran PowerShell. ") * 40)
    said = set()
    for at in range(0, len(whole), 7):
        try:
            read_bytes(whole[:at] + b"\xff\xff" + whole[at + 2 :], "x.docx")
        except DocumentError as error:
            said.add(str(error))
    assert any("damaged" in each for each in said)
    assert [each for each in said if "cannot be read (" in each] == [], "what nobody foresaw"


def test_a_docx_that_nests_without_end_is_refused(files: SimpleNamespace) -> None:
    deep = "<w:ins>" * 1_200 + files.paragraph("text") + "</w:ins>" * 1_200
    with pytest.raises(DocumentError, match="nests"):
        read_bytes(files.docx(deep), "x.docx")


def test_numbers_that_are_none_are_passed_over(files: SimpleNamespace) -> None:
    run = '<w:p><w:r><w:rPr><w:sz w:val="\u00b2"/></w:rPr><w:t>It ran.</w:t></w:r></w:p>'

    assert read_bytes(files.docx(run), "x.docx").text == "It ran."
    assert "1. It ran." in read_bytes("<ol start=\u00b2><li>It ran.".encode(), "x.html").text


def test_a_page_that_names_a_codec_of_no_text_is_read() -> None:
    for charset in ("punycode", "idna", "undefined", "hex", "utf-16", "utf-32"):
        page = f"<html><meta charset={charset}><p>The actor's caf\u00e9 ran it.</p>".encode()
        for padded in (page, page + b" ", page + b"  ", page + b"   "):
            assert "caf\u00e9 ran it." in read_bytes(padded, "x.html").text, charset
