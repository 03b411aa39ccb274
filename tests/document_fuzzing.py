"""Hostile files: valid ones damaged as files get damaged and worse, and what must hold of them.

Two ways to make one. *Damaged* files are valid ones in which bytes were changed, moved, cut or
taken from another file; a Word document is damaged inside its container too. *Grown* files are put
together from the parts of their format, in every wrong order. The tests run a fixed few hundred;
`bench/fuzz.py` goes on for as long as it is asked to.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from encodings.aliases import aliases
from functools import cache
from pathlib import Path

from document_builders import PdfPage, lines, make_docx, make_pdf, paragraph
from hypothesis import strategies as st

from engine.documents import Limits, read_bytes
from engine.errors import DocumentError
from engine.types import Document

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# What a parser may need for files of some kilobytes is far below what it is allowed for real ones.
LIMITS = Limits(timeout_s=60, memory_mb=1_024, max_unpacked_bytes=5_000_000)
KINDS = frozenset(("prose", "heading", "list_item", "table_row", "code"))
# How the pool words what a parser did not foresee: every one of them is a fault of ours.
FAULTS = re.compile(
    r"cannot be read \(|break down|took longer|more than \d+ MB of mem|makes no sense"
)

File = tuple[bytes, str, Limits]


def check(data: bytes, name: str, limits: Limits = LIMITS) -> Document | None:
    """Read a file as a user would; fail on anything but a sound document or a plain refusal."""
    try:
        document = read_bytes(data, name, limits=limits)
    except DocumentError as error:
        if FAULTS.search(str(error)):
            trace = "\n".join(getattr(error, "__notes__", []))
            raise AssertionError(f"{error}\n{trace}") from error
        return None
    text = document.text
    end = 0
    for index, sentence in enumerate(document.sentences):
        assert sentence.index == index
        assert end <= sentence.start < sentence.end <= len(text)
        assert sentence.text == text[sentence.start : sentence.end]
        assert sentence.text == sentence.text.strip()
        assert sentence.kind in KINDS
        assert sentence.page is None or 1 <= sentence.page <= (document.pages or 0)
        assert sentence.heading is None or sentence.heading in text[: sentence.start]
        end = sentence.end
    assert len(text) <= limits.max_text_chars
    assert not re.search("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff]", text)
    assert document.digest == hashlib.sha256(text.encode("utf-8")).hexdigest()
    assert all(warning.endswith(".") for warning in document.warnings)
    return document


# --- valid files -------------------------------------------------------------------------------

WORDS = (
    "The actor ran PowerShell (T1059.001). It then dumped LSASS memory,\nsee "
    "https://attack.mitre.org/techniques/T1003/001/ for more. On 5 June the U.S. office fell."
)
HTML = f"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>A report</title>
<style>p {{ color: red }}</style></head><body><nav><a href="/">Home</a></nav><main><h1>Report</h1>
<p>{WORDS}</p><ul><li>one<li>two <b>bold</b></ul><ol start="3"><li>three</ol>
<table><tr><th>Tactic<th>Id</tr><tr><td>Execution<td>T1059</tr></table><pre>x = 1;\ny();</pre>
<p>Ran <a href="https://attack.mitre.org/techniques/T1047/">a tool</a><sup>1,2</sup>&nbsp;now</p>
</main><footer>end</footer></body></html>"""
MARKDOWN = f"""---
title: A report
date: 2026-11-26
---
# Report

{WORDS}

* one
* two **bold** `code`
    1. nested

| Tactic | Id |
|---|---|
| Execution | T1059 |

```sh
$ run --now
```

> quoted [link](https://attack.mitre.org/techniques/T1047/) ![image](x.png) <b>inline</b>
"""


@cache
def valid(suffix: str) -> tuple[bytes, ...]:
    """Return valid files of a format."""
    if suffix == "pdf":
        page = PdfPage(
            [*lines(WORDS), (72, 750, 18, "A heading"), (72, 600, 11, "\u2022 an item")],
            rules=[(72, 500, 640)],
            links=[((70, 690, 300, 712), "https://attack.mitre.org/techniques/T1047/")],
            bold=frozenset(["A heading"]),
        )
        two = PdfPage([*lines(WORDS, y=700), *lines(WORDS, x=330, y=700), (500, 30, 8, "2")])
        return make_pdf([page]), make_pdf([page, two]), make_pdf([two], password="")
    if suffix == "docx":
        cell = f"<w:tc>{paragraph('Execution')}</w:tc><w:tc>{paragraph('T1059')}</w:tc>"
        body = (
            f"{paragraph('Report', style='H1')}{paragraph(WORDS)}{paragraph('one', item=True)}"
            f"<w:tbl><w:tr>{cell}</w:tr><w:tr>{cell}</w:tr></w:tbl>"
            f'<w:p><w:hyperlink r:id="r1"><w:r><w:t>a tool</w:t></w:r></w:hyperlink>'
            '<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
        )
        notes = f'<w:root><w:footnote w:id="2">{paragraph("A note.")}</w:footnote></w:root>'
        target = "https://attack.mitre.org/techniques/T1047/"
        relations = f'<Relationships><Relationship Id="r1" Target="{target}"/></Relationships>'
        parts = {"word/footnotes.xml": notes, "word/_rels/document.xml.rels": relations}
        return make_docx(body, parts), make_docx(paragraph(WORDS) * 20)
    if suffix == "html":
        return HTML.encode(), HTML.encode("utf-16"), b"<p>a</p>" * 40
    if suffix == "md":
        return MARKDOWN.encode(), (EXAMPLES / "copper-lantern.md").read_bytes()[:6_000]
    return (
        WORDS.encode(),
        (WORDS * 9).encode("utf-16-le"),
        "K\u00e4se \u2013 \u0444".encode("cp1251", "replace"),
    )


# --- damaged files -----------------------------------------------------------------------------

Damage = Callable[[bytes], bytes]

_SPLINTERS = [
    b"", b"\0", b"\xff\xff\xff\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1a", b"\r", b"\n\n", b"-1",
    b"0", b"1e999", b"NaN", b"2147483648", b"18446744073709551616", b"9" * 400, b"<<", b">>",
    b"[", b"]", b"(", b")", b"R", b"obj", b"endobj", b"stream\n", b"endstream", b"trailer",
    b"/Kids [2 0 R]", b"/Length 0", b"/Filter /FlateDecode", b"/Parent 6 0 R", b"/Count -1",
    b"/MediaBox [0 0 0 0]", b"/Rotate 90", b"BT", b"ET", b"Tj", b"1e9 0 0 1e9 0 0 cm",
    b"0 0 0 0 0 0 Tm", b"<", b">", b"</", b"<!--", b"-->", b"<![CDATA[", b"]]>",
    b"<?xml version='1.0'?>", b"<!DOCTYPE x [", b"<!ENTITY x 'y'>", b"&x;", b"&#0;", b"&#xD800;",
    b"&#1114112;", b"<table>", b"<tr>", b"</tr>", b"<td>", b"<script>", b"<svg>", b"<template>",
    b"<a href='https://attack.mitre.org/techniques/T1059/'>", b"<w:p/>", b"<w:tbl>", b"</w:tbl>",
    b"<w:tr/>", b"<w:tc/>", b"<w:t/>", b"<w:gridSpan w:val='-9'/>", b"<w:sz w:val='x'/>",
    b"<w:vMerge/>", b"w:val='99999999999999999999'", b"<w:instrText>HYPERLINK", b"PK\x01\x02",
    b"PK\x03\x04", b"PK\x05\x06", b"```", b"|", b"|-|", b"---\n", b"> ", b"![", b"](", b"*_",
    "\u202e\ufdd0T1059\ufdd1\u200b".encode(), "\U0001f600\ud7ff".encode(), b"\xed\xa0\x80",
]  # fmt: skip


def _splinter() -> st.SearchStrategy[bytes]:
    return st.sampled_from(_SPLINTERS) | st.binary(max_size=6)


@st.composite
def damages(draw: st.DrawFn, others: tuple[bytes, ...]) -> Damage:
    """Draw one way to damage bytes; places are fractions, so that it applies to any length."""
    kind = draw(st.sampled_from(("write", "insert", "cut", "repeat", "end", "move", "splice")))
    at, to = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
    new = draw(_splinter())
    times = draw(st.sampled_from((1, 2, 30, 1_000)))
    other = draw(st.sampled_from(others))

    def apply(data: bytes) -> bytes:
        a, b = int(at * len(data)), int(to * len(data))
        some = data[a : min(b, a + 200)]
        return {
            "write": data[:a] + new + data[a + len(new) :],
            "insert": data[:a] + new * times + data[a:],
            "cut": data[:a] + data[a + len(some) :],
            "repeat": data[:a] + some * min(times, 30) + data[a:],
            "end": data[:a],
            "move": data[:a] + data[b:] + data[a:b],
            "splice": data[:a] + other[int(to * len(other)) :],
        }[kind][:400_000]

    return apply


@st.composite
def damaged(draw: st.DrawFn, suffix: str) -> bytes:
    """Draw a valid file and damage it; of a Word document perhaps only one of its parts."""
    files = valid(suffix)
    data = draw(st.sampled_from(files))
    ways = draw(st.lists(damages(files), min_size=1, max_size=4))
    if suffix == "docx" and draw(st.booleans()):
        return _inside(data, draw(st.integers(0, 9)), ways)
    for apply in ways:
        data = apply(data)
    return data


def _inside(data: bytes, which: int, ways: list[Damage]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(parts)[which % len(parts)]
    for apply in ways:
        parts[name] = apply(parts[name])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return out.getvalue()


# --- grown files -------------------------------------------------------------------------------

_NUMBERS = st.floats(-2_000, 2_000, width=32) | st.sampled_from([0.0, 1e-6, 1e9, -1e9, 1e38])
_CHUNKS = st.sampled_from(
    [
        "The actor ran it.",
        "T1059",
        "\u2022",
        "1.",
        "a-",
        "U.S. ",
        "=",
        "|",
        "()",
        " ",
        "Head",
        "x" * 300,
    ]
) | st.text(st.characters(codec="cp1252"), max_size=12)
_TAGS = [
    "p", "div", "main", "article", "nav", "table", "tbody", "tr", "td", "th", "ul", "ol", "li",
    "pre", "code", "a", "sup", "h1", "h2", "br", "b", "span", "details", "summary", "section",
    "title", "head", "body", "html", "script", "style", "template", "svg", "math", "select",
    "option", "textarea", "dl", "dt", "dd", "caption",
]  # fmt: skip
_ATTRIBUTES = [
    "", "", " hidden", " role=heading", " role=menu", " class='share menu'", " start=99999",
    " start=\u00b2", " style='display:none'",
    " href=https://attack.mitre.org/techniques/T1059/001/", " colspan=9999",
]  # fmt: skip
_CHARSETS = [
    *sorted(set(aliases.values())),
    "utf-7",
    "idna",
    "punycode",
    "undefined",
    "unicode_escape",
    "x",
]


@st.composite
def _grown_pdf(draw: st.DrawFn) -> bytes:
    text = st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _CHUNKS)
    box = st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS)
    target = st.just("https://attack.mitre.org/techniques/T1047/")
    page = st.builds(
        PdfPage,
        st.lists(text, max_size=12),
        st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), max_size=6),
        st.lists(st.tuples(box, target), max_size=3),
    )
    return make_pdf(draw(st.lists(page, max_size=4)))


@st.composite
def _grown_html(draw: st.DrawFn) -> bytes:
    tag = st.sampled_from(_TAGS)
    opening = st.builds("<{}{}>".format, tag, st.sampled_from(_ATTRIBUTES))
    part = opening | st.builds("</{}>".format, tag) | _CHUNKS
    body = "".join(draw(st.lists(part, max_size=60))) * draw(st.sampled_from((1, 1, 40)))
    charset = draw(st.sampled_from(_CHARSETS))
    return f"<html><meta charset={charset}>{body}".encode("utf-8", "replace")


_WORD_PARTS = [
    "p", "r", "t", "tbl", "tr", "tc", "tcPr", "sdt", "sdtContent", "ins", "pPr", "numPr",
    "hyperlink", "fldSimple", "instrText", "txbxContent", "pict", "tab", "br",
    "footnoteReference", "rPr", "vanish", "del",
]  # fmt: skip
_WORD_VALUES = ["", " w:val='x'", " w:id='2'", " w:val='-1'", " r:id='r1'", " w:type='page'"]


@st.composite
def _grown_docx(draw: st.DrawFn) -> bytes:
    number = st.sampled_from(["1", "24", "99", "-2", "x", "", "\u00b2", "9" * 30])
    words = _CHUNKS.map(lambda chunk: re.sub(r"[<>&\x00-\x1f]", "", chunk))
    sized = '<w:p><w:r><w:rPr><w:sz w:val="{}"/></w:rPr><w:t>{}</w:t></w:r></w:p>'.format
    cell = (
        '<w:tc><w:tcPr><w:gridSpan w:val="{}"/><w:tcBorders><w:bottom w:val="single"/>'
        "</w:tcBorders></w:tcPr>{}</w:tc>"
    ).format
    leaf = words | words.map(paragraph) | st.builds(sized, number, words)
    leaf |= st.builds(cell, number, words.map(paragraph))

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        held = st.lists(inner, max_size=4).map("".join)
        tag = st.sampled_from(_WORD_PARTS)
        return st.builds("<w:{0}{1}>{2}</w:{0}>".format, tag, st.sampled_from(_WORD_VALUES), held)

    body = "".join(draw(st.lists(st.recursive(leaf, grow, max_leaves=25), max_size=8)))
    for part in draw(st.lists(st.sampled_from(_WORD_PARTS), max_size=2)):
        depth = draw(st.sampled_from((1, 1, 200, 900)))
        body = f"<w:{part}>" * depth + body + f"</w:{part}>" * depth
    return make_docx(body)


@st.composite
def _grown_text(draw: st.DrawFn) -> bytes:
    text = draw(st.text(max_size=300) | st.lists(_CHUNKS, max_size=60).map("\n".join))
    encoding = draw(
        st.sampled_from(
            [
                "utf-8",
                "utf-16",
                "utf-16-le",
                "utf-16-be",
                "utf-32",
                "utf-8-sig",
                "cp1252",
                "shift_jis",
                "utf-7",
            ]
        )
    )
    return text.encode(encoding, "replace") + draw(
        st.sampled_from([b"", b"\0", b"\xe2\x82", b"\xff"])
    )


_MARKS = [
    "# ", "\n", "\n\n", "> ", "* ", "    ", "```", "|", "|-", "[", "](", "<b", "---\n", "~~",
    "1. ", "\\", "&amp;", "<!--",
]  # fmt: skip


def _grown_markdown() -> st.SearchStrategy[bytes]:
    marks = st.sampled_from(_MARKS)
    parts = st.lists(marks | _CHUNKS, max_size=60)
    return st.builds(
        lambda found, n: ("".join(found) * n).encode("utf-8", "replace"),
        parts,
        st.sampled_from((1, 30)),
    )


_GROWN = {
    "pdf": _grown_pdf(),
    "docx": _grown_docx(),
    "html": _grown_html(),
    "md": _grown_markdown(),
    "txt": _grown_text(),
}
SUFFIXES = tuple(_GROWN)


@st.composite
def files(draw: st.DrawFn, suffix: str) -> File:
    """Draw a hostile file of a format, what it is called, and how much of it may be read."""
    data = draw(damaged(suffix) | _GROWN[suffix])
    # The name lies now and then, and a limit may fall anywhere.
    name = draw(st.sampled_from([f"x.{suffix}"] * 8 + ["x", "x.txt", "x.html", "x.md"]))
    chars = draw(st.sampled_from([LIMITS.max_text_chars] * 4 + [1, 7, 60]))
    return data, name, replace(LIMITS, max_text_chars=chars, max_pages=3)
