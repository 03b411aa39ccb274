"""Which format is it? Content decides; the name's extension only where content cannot."""

from __future__ import annotations

import re
from pathlib import PurePath

from engine.errors import DocumentError

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
MEDIA_TYPES = (PDF, DOCX, HTML, MARKDOWN, TEXT)

_READABLE = "ttpscribe reads PDF, DOCX, HTML, Markdown and plain text"
_SUFFIXES = {
    ".htm": HTML, ".html": HTML, ".xhtml": HTML,
    ".markdown": MARKDOWN, ".md": MARKDOWN, ".mdown": MARKDOWN, ".mkd": MARKDOWN,
}  # fmt: skip
# First bytes of formats that people do try, and what to do with them.
_REFUSED = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is in an old Office format; save it as .docx or PDF"),
    (b"{\\rtf", "is an RTF document; save it as .docx or PDF"),
    (b"\x89PNG", "is an image; run OCR over it and give the text"),
    (b"\xff\xd8\xff", "is an image; run OCR over it and give the text"),
    (b"GIF8", "is an image; run OCR over it and give the text"),
    (b"\x1f\x8b", "is a gzip archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (b"Rar!", "is a RAR archive; unpack it first"),
    (b"BZh", "is a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "is an xz archive; unpack it first"),
    (b"\x7fELF", "is a program, not a report"),
)
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_HTML_TAGS = re.compile(rb"<(?:p|div|table|h[1-6]|ul|ol|br|span|a)\b[^>]*>", re.I)
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b\b"))
_SAMPLE = 65_536


def media_type_of(data: bytes, name: str = "") -> str:
    """Tell the format of a file.

    Parameters
    ----------
    data : bytes
        The file, or at least its first 64 KiB.
    name : str
        Its name; the extension tells Markdown and fragments of HTML from plain text.

    Returns
    -------
    str
        One of ``MEDIA_TYPES``.

    Raises
    ------
    DocumentError
        If the file is empty or of a format that is not read.
    """
    label = name or "The file"
    head = data[:_SAMPLE]
    if not data.strip(b" \t\r\n\f\v\0"):
        raise DocumentError(f"{label} is empty: there is nothing to read.")
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return DOCX  # whether it is one, its parser says
    for magic, reason in _REFUSED:
        if head.startswith(magic):
            raise DocumentError(f"{label} {reason}. {_READABLE}.")
    suffix = PurePath(name).suffix.lower()
    probe = (
        head.replace(b"\0", b"") if head.startswith(_BOMS) else head.removeprefix(b"\xef\xbb\xbf")
    )
    probe = probe[2:] if head.startswith(_BOMS[:2]) else probe.removeprefix(b"\xef\xbb\xbf")
    if _HTML_START.match(probe):
        return HTML
    if _is_binary(head):
        said = f", though its name ends in {suffix}" if suffix else ""
        raise DocumentError(f"{label} is not text{said}: its format is not known. {_READABLE}.")
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix not in (".txt", ".text", ".log") and len(_HTML_TAGS.findall(probe)) >= 3:
        return HTML if probe.lstrip().startswith(b"<") else TEXT
    return TEXT


def _is_binary(head: bytes) -> bool:
    if head.startswith(_BOMS) or is_utf16(head):
        return False
    # A few stray NULs do not make a text a program.
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > max(2, len(head) // 200)


def is_utf16(head: bytes) -> str | None:
    """Name the byte order of UTF-16 without a mark: every other byte of Latin text is NUL."""
    sample = head[: 4096 - len(head) % 2]
    if len(sample) < 8:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None
