"""DOCX -> blocks: paragraphs, headings, lists, tables, text boxes, footnotes, links.

Read from the zip container directly, with a bound on what it may unpack to.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree

from engine.documents.blocks import Block, Parsed, assemble, clean, promote_headings, row_text
from engine.documents.docx_tables import drawn_rows
from engine.documents.limits import Limits
from engine.documents.links import hidden_target
from engine.errors import DocumentError

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_STRICT_R = b"http://purl.oclc.org/ooxml/officeDocument/relationships"
_MAX_ENTRIES = 10_000
_MAX_CELL_CHARS = 1_500
# All that zipfile and what unpacks for it raise over bytes that are no zip archive's.
_DAMAGE = (
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_FIELD_LINK = re.compile(r'HYPERLINK\s+"([^"]+)"')
_OTHERS = {
    "xl/": "an Excel workbook; save the sheet as text or PDF",
    "ppt/": "a PowerPoint presentation; save it as PDF",
    "content.xml": "an OpenDocument file; save it as .docx or PDF",
    "META-INF/container.xml": "an EPUB book; convert it to HTML or PDF",
}


def parse(data: bytes, limits: Limits) -> Parsed:
    """Read a Word document."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGE as error:
        raise _damaged(error) from error
    with archive:
        _check(archive, limits)
        try:
            blocks = list(_Reader(archive, limits).blocks())
        except RecursionError as error:
            raise DocumentError(
                "The DOCX file nests its parts deeper than any word processor does; copy its text "
                "to a new document."
            ) from error
    if not any(block.text for block in blocks):
        raise DocumentError(
            "The DOCX file holds no text; if it holds scanned pages, run OCR over them first."
        )
    promote_headings(blocks)
    return assemble(blocks, max_chars=limits.max_text_chars)


def _damaged(error: Exception) -> DocumentError:
    return DocumentError(
        f"The DOCX file is damaged ({error}); open it in a word processor and save it anew."
    )


def _check(archive: zipfile.ZipFile, limits: Limits) -> None:
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES or sum(e.file_size for e in entries) > limits.max_unpacked_bytes:
        raise DocumentError(
            "The DOCX file unpacks to more than the limit of "
            f"{limits.max_unpacked_bytes / 1e6:,.0f} MB and is taken for a zip bomb; if you trust "
            "it, raise max_unpacked_bytes."
        )
    names = [entry.filename for entry in entries]
    if "word/document.xml" in names:
        return
    for prefix, what in _OTHERS.items():
        if any(name.startswith(prefix) for name in names):
            raise DocumentError(f"The file is no Word document but {what}.")
    raise DocumentError(
        "The file is a zip archive, not a Word document: unpack it and give the files in it."
    )


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.archive = archive
        self.left = limits.max_unpacked_bytes
        self.headings = self._heading_styles()
        self.body = self._part("word/document.xml")
        self.targets = self._targets("word/_rels/document.xml.rels")
        self.boxes: list[Any] = []
        self.size = self._body_size()

    def blocks(self) -> Iterator[Block]:
        if self.body is None:
            raise DocumentError("The DOCX file has no body; save it anew in a word processor.")
        body = self.body.find(f"{_W}body")
        if body is not None:
            yield from self._children(body)
        for kind in ("footnote", "endnote"):
            notes = self._part(f"word/{kind}s.xml")
            self.targets = self._targets(f"word/_rels/{kind}s.xml.rels")
            for note in () if notes is None else notes.iterchildren(f"{_W}{kind}"):
                if note.get(f"{_W}type") in (None, "normal"):
                    shown = " ".join(block.text for block in self._children(note))
                    yield Block(f"[{note.get(f'{_W}id')}] {shown}")

    def _part(self, name: str) -> Any:
        """Parse one entry; what it really unpacks to counts, not what the container says."""
        try:
            with self.archive.open(name) as file:
                data = file.read(self.left + 1)
        except KeyError:
            return None
        except NotImplementedError as error:  # a RuntimeError too, but of another method
            raise _damaged(error) from error
        except RuntimeError as error:  # what zipfile raises for an encrypted entry
            raise DocumentError(
                "The DOCX file is encrypted; save a copy without a password."
            ) from error
        except _DAMAGE as error:
            raise _damaged(error) from error
        self.left -= len(data)
        if self.left < 0:
            raise DocumentError("The DOCX file unpacks to more than max_unpacked_bytes allows.")
        data = data.replace(_STRICT, _W[1:-1].encode()).replace(_STRICT_R, _R[1:-1].encode())
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
        )
        try:
            return etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            raise _damaged(error) from error

    def _targets(self, name: str) -> dict[str, str]:
        relations = self._part(name)
        if relations is None:
            return {}
        return {r.get("Id"): r.get("Target") or "" for r in relations if r.get("Id")}

    def _heading_styles(self) -> set[str]:
        styles = self._part("word/styles.xml")
        found: set[str] = set()
        for style in () if styles is None else styles.iterchildren(f"{_W}style"):
            name = style.find(f"{_W}name")
            named = (name.get(f"{_W}val") or "").lower() if name is not None else ""
            outlined = style.find(f"{_W}pPr/{_W}outlineLvl") is not None
            if outlined or named.startswith("heading") or named in ("title", "subtitle"):
                found.add(style.get(f"{_W}styleId") or "")
        return found

    def _children(self, parent: Any) -> Iterator[Block]:
        for child in parent:
            if child.tag == f"{_W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                yield from self._table(child)
            elif child.tag == f"{_W}sdt":
                content = child.find(f"{_W}sdtContent")
                if content is not None:
                    yield from self._children(content)
            elif child.tag in (f"{_W}ins", f"{_W}smartTag", f"{_W}customXml"):
                yield from self._children(child)

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        lines = [clean(line) for line in self._text(paragraph).split("\n")]
        lines = [line for line in lines if line]
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        named = style.get(f"{_W}val") if style is not None else None
        if lines and (named in self.headings or self._is_large(paragraph, lines)):
            yield Block(" ".join(lines), "heading")
        elif lines and (
            paragraph.find(f"{_W}pPr/{_W}numPr") is not None
            or named in ("ListBullet", "ListNumber")
        ):
            yield Block("• " + lines[0], "list_item")
            yield from map(Block, lines[1:])
        else:
            yield from map(Block, lines)
        boxes, self.boxes = self.boxes, []
        for box in boxes:
            yield from self._children(box)

    def _body_size(self) -> int:
        sizes: Counter[int] = Counter()
        for run in () if self.body is None else self.body.iter(f"{_W}r"):
            sizes[_size(run)] += sum(len(text.text or "") for text in run.iterchildren(f"{_W}t"))
        del sizes[0]
        return sizes.most_common(1)[0][0] if sizes else 0

    def _is_large(self, paragraph: Any, lines: list[str]) -> bool:
        """Whether a short paragraph is set in larger type, as headings without a style are."""
        text = " ".join(lines)
        if not self.size or len(text) > 100 or not text[0].isalnum() or text[-1] in ".;,:":
            return False
        sizes = [
            _size(run) for run in paragraph.iterchildren(f"{_W}r") if run.find(f"{_W}t") is not None
        ]
        return bool(sizes) and min(sizes) > 1.15 * self.size

    def _table(self, table: Any) -> Iterator[Block]:
        rows = [
            list(row.iter(f"{_W}tc"))
            for row in table.iter(f"{_W}tr")
            if next(row.iterancestors(f"{_W}tbl")) is table
        ]
        wide = max(map(len, rows), default=0) > 1
        nested = table.find(f".//{_W}tc//{_W}tbl") is not None
        if wide and not nested and (drawn := drawn_rows(rows)):
            for columns in drawn:
                yield Block(row_text(map(self._cells_text, columns)), "table_row")
            return
        for cells in rows:
            if nested:
                cells = [c for c in cells if next(c.iterancestors(f"{_W}tbl")) is table]
            contents = [list(self._children(cell)) for cell in cells]
            texts = [" ".join(block.text for block in blocks) for blocks in contents]
            if wide and not nested and max(map(len, texts), default=0) <= _MAX_CELL_CHARS:
                yield Block(row_text(texts), "table_row")
            else:
                for blocks in contents:
                    yield from blocks

    def _cells_text(self, cells: list[Any]) -> str:
        return " ".join(
            block.text for cell in cells for block in self._children(cell) if block.text
        )

    def _text(self, parent: Any) -> str:
        r"""Text of a paragraph; line breaks in it as ``\n``."""
        parts: list[str] = []
        field_target = ""
        for child in parent:
            tag = child.tag
            if tag == f"{_W}hyperlink":
                shown = self._text(child)
                target = self.targets.get(child.get(f"{_R}id") or "")
                parts += (shown, hidden_target(target))
            elif tag == f"{_W}r":
                code = "".join(i.text or "" for i in child.iterchildren(f"{_W}instrText"))
                if link := _FIELD_LINK.search(code):
                    field_target = link[1]
                ends = child.find(f"{_W}fldChar[@{_W}fldCharType='end']") is not None
                parts.append(self._run(child))
                if ends and field_target:
                    parts.append(hidden_target(field_target))
                    field_target = ""
            elif tag == f"{_W}sdt":
                content = child.find(f"{_W}sdtContent")
                parts.append("" if content is None else self._text(content))
            elif tag in (f"{_W}ins", f"{_W}smartTag", f"{_W}fldSimple", f"{_W}moveTo"):
                parts.append(self._text(child))
        return "".join(parts)

    def _run(self, run: Any) -> str:
        parts: list[str] = []
        if run.find(f"{_W}rPr/{_W}vanish") is not None:
            return ""
        for child in run:
            tag = child.tag
            if tag == f"{_W}t":
                parts.append(child.text or "")
            elif tag in (f"{_W}tab", f"{_W}ptab"):
                parts.append(" ")
            elif tag in (f"{_W}br", f"{_W}cr"):
                parts.append("\n" if child.get(f"{_W}type") in (None, "textWrapping") else " ")
            elif tag == f"{_W}noBreakHyphen":
                parts.append("-")
            elif tag in (f"{_W}footnoteReference", f"{_W}endnoteReference"):
                parts.append(f"[{child.get(f'{_W}id')}]")
            elif tag == f"{_MC}AlternateContent":
                # The same text box twice, for old and new readers: take the first.
                self.boxes += list(child.iter(f"{_W}txbxContent"))[:1]
            elif tag in (f"{_W}pict", f"{_W}drawing"):
                self.boxes += list(child.iter(f"{_W}txbxContent"))
        return "".join(parts)


def _size(run: Any) -> int:
    """Font size of a run in half points; 0 where only its style knows."""
    size = run.find(f"{_W}rPr/{_W}sz")
    value = size.get(f"{_W}val") if size is not None else None
    return int(value) if value and value.isdecimal() and len(value) < 5 else 0
