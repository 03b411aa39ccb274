"""PDF -> blocks: glyphs from PDFium, layout from their places.

PDFium gives glyphs in the order in which the file draws them, which need not be reading order;
only their places are trusted.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from statistics import median
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from engine.documents.blocks import Parsed, assemble
from engine.documents.limits import Limits
from engine.documents.links import hidden_target
from engine.documents.pdf_layout import Page, Piece, drop_running_lines, page_lines
from engine.documents.pdf_paragraphs import build_blocks
from engine.errors import DocumentError

_RULE = 2.5  # points: what is thinner is a line, not a box


def parse(data: bytes, limits: Limits) -> Parsed:
    """Read a PDF; a password is not asked for, an empty one is tried."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            raise DocumentError(
                "The PDF is encrypted with a password; save a copy without one."
            ) from error
        raise DocumentError(
            "The PDF is damaged or cut off and cannot be opened; fetch it again, or print it to "
            "a new PDF."
        ) from error
    try:
        return _read(document, limits)
    finally:
        document.close()


def _read(document: Any, limits: Limits) -> Parsed:
    count = len(document)
    warnings = []
    if count == 0:
        raise DocumentError("The PDF has no pages; it is damaged: fetch it again.")
    if count > limits.max_pages:
        warnings.append(f"Only the first {limits.max_pages:,} of {count:,} pages were read.")
    pages: list[Page] = []
    missing: list[int] = []
    read = 0
    for index in range(min(count, limits.max_pages)):
        try:
            page = _page(document, index)
        except pdfium.PdfiumError:
            page = Page(index + 1, 0.0, 0.0, [], [])
            warnings.append(f"Page {index + 1} is damaged and was left out.")
        pages.append(page)
        read += sum(len(piece.text) for piece in page.pieces)
        if not page.pieces:
            missing.append(index + 1)
        if read > limits.max_text_chars:
            warnings.append(f"Only the first {limits.max_text_chars:,} characters were read.")
            break
    if len(missing) == len(pages):
        raise DocumentError(
            "The PDF holds no text, only images: run OCR over it first (for example with "
            "OCRmyPDF) and give the result."
        )
    if missing:
        listed = ", ".join(map(str, missing[:10])) + (" ..." if len(missing) > 10 else "")
        warnings.append(f"Pages without text, perhaps images: {listed}.")
    drop_running_lines(pages)
    blocks = build_blocks([page_lines(page) for page in pages])
    return assemble(blocks, max_chars=limits.max_text_chars, pages=count, warnings=warnings)


def _page(document: Any, index: int) -> Page:
    page = document[index]
    text = page.get_textpage()
    try:
        width, height = page.get_size()
        pieces = _pieces(text)
        _show_targets(page, pieces)
        return Page(index + 1, width, height, pieces, _rules(page))
    finally:
        text.close()
        page.close()


def _pieces(textpage: Any) -> list[Piece]:
    """Collect runs of glyphs on one baseline without a wide gap, in drawing order."""
    handle = textpage.raw
    pieces: list[Piece] = []
    chars: list[str] = []
    heights: list[float] = []
    box = [0.0, 0.0, 0.0, 0.0]
    base = size = 0.0
    fonts: Counter[tuple[bool, bool]] = Counter()
    styles: dict[bytes, tuple[bool, bool]] = {}
    x, y = ctypes.c_double(), ctypes.c_double()
    rect = raw.FS_RECTF()
    buffer = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()

    def finish() -> None:
        if "".join(chars).strip():
            bold, mono = fonts.most_common(1)[0][0] if fonts else (False, False)
            usual = median(heights)
            pieces.append(
                Piece(
                    "".join(chars),
                    box[0],
                    box[1],
                    box[2],
                    box[3],
                    base,
                    usual,
                    bold,
                    mono,
                    len(pieces),
                )
            )
        chars.clear()
        heights.clear()
        fonts.clear()

    for i in range(raw.FPDFText_CountChars(handle)):
        code = raw.FPDFText_GetUnicode(handle, i)
        if code in (0x0D, 0x0A):
            finish()
            continue
        if code == 0x02 or raw.FPDFText_IsHyphen(handle, i) == 1:
            code = 0xAD  # PDFium takes it for the end of a divided word
        char = chr(code) if code not in (0, 0xFFFE, 0xFFFF) else ""
        if raw.FPDFText_IsGenerated(handle, i) == 1 or char.isspace():
            if chars and not chars[-1].isspace():
                chars.append(" ")
            continue
        if not char or not raw.FPDFText_GetLooseCharBox(handle, i, rect):
            continue
        raw.FPDFText_GetCharOrigin(handle, i, x, y)
        now = abs(rect.top - rect.bottom) or raw.FPDFText_GetFontSize(handle, i) or 1.0
        gap = rect.left - box[2]
        if chars and (
            abs(y.value - base) > 0.25 * max(size, now)
            or gap > 0.8 * size
            or gap < -1.5 * size
            or not 0.72 < now / size < 1.4
        ):
            finish()
        if not chars:
            box[:] = rect.left, rect.bottom, rect.right, rect.top
            base, size = y.value, now
        elif gap > 0.25 * size and not chars[-1].isspace():
            chars.append(" ")
        chars.append(char)
        heights.append(now)
        box[2] = max(box[2], rect.right)
        box[1], box[3] = min(box[1], rect.bottom), max(box[3], rect.top)
        if len(chars) % 4 == 1:  # a sample of the piece's glyphs is enough
            raw.FPDFText_GetFontInfo(handle, i, buffer, 128, flags)
            name = buffer.value
            if name not in styles:
                lowered = name.lower()
                styles[name] = (
                    any(b in lowered for b in (b"bold", b"black", b"heavy", b"semibold")),
                    bool(flags.value & 1)
                    or any(m in lowered for m in (b"mono", b"cour", b"consol")),
                )
            fonts[styles[name]] += 1
    finish()
    return pieces


def _rules(page: Any) -> list[tuple[float, float, float]]:
    """Horizontal lines and edges of boxes: (y, left, right)."""
    found = []
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=3):
        try:
            left, bottom, right, top = item.get_bounds()
        except pdfium.PdfiumError:
            continue
        if right - left >= 15:
            found.append((top, left, right))
            if top - bottom > _RULE:
                found.append((bottom, left, right))
        if len(found) > 20_000:
            break
    return found


def _show_targets(page: Any, pieces: list[Piece]) -> None:
    """Print the ATT&CK address of a link after the words it lies on."""
    position, link = ctypes.c_int(0), raw.FPDF_LINK()
    rect = raw.FS_RECTF()
    buffer = ctypes.create_string_buffer(2048)
    while raw.FPDFLink_Enumerate(page.raw, position, link):
        action = raw.FPDFLink_GetAction(link)
        if not action or not raw.FPDFLink_GetAnnotRect(link, rect):
            continue
        size = raw.FPDFAction_GetURIPath(document := page.pdf.raw, action, None, 0)
        if not 0 < size <= 2048:
            continue
        raw.FPDFAction_GetURIPath(document, action, buffer, size)
        target = buffer.value.decode("ascii", "replace")
        mark = hidden_target(target)
        touched = [p for p in pieces if p.meets(rect.left, rect.bottom, rect.right, rect.top)]
        if mark and touched:
            touched[-1].text = touched[-1].text.rstrip() + mark + " "
