# ruff: noqa: E501 - texts stay on one line, as documents hold them
"""Files of the formats that are read, built byte by byte: no generator hides what is in them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field

_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_P = -44


@dataclass
class PdfPage:
    """Text as (x, y, size, text), horizontal rules as (x0, x1, y), links as (box, target)."""

    texts: Sequence[tuple[float, float, float, str]] = ()
    rules: Sequence[tuple[float, float, float]] = ()
    links: Sequence[tuple[tuple[float, float, float, float], str]] = ()
    bold: frozenset[str] = field(default_factory=frozenset)


def rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def make_pdf(pages: Sequence[PdfPage], password: str | None = None) -> bytes:
    """Write a PDF; ``password`` encrypts it (RC4, 40 bits), an empty one opens for all."""
    objects: list[bytes] = []
    identity = hashlib.md5(b"test").digest()  # noqa: S324

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    key = owner = b""
    if password is not None:
        padded = (password.encode() + _PAD)[:32]
        owner = rc4(hashlib.md5((b"owner" + _PAD)[:32]).digest()[:5], padded)  # noqa: S324
        seed = padded + owner + (_P & 0xFFFFFFFF).to_bytes(4, "little") + identity
        key = hashlib.md5(seed).digest()[:5]  # noqa: S324

    def stream(content: bytes) -> int:
        number = len(objects) + 1
        if key:
            salt = number.to_bytes(3, "little") + b"\0\0"
            content = rc4(hashlib.md5(key + salt).digest()[:10], content)  # noqa: S324
        return add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))

    add(b"<< /Type /Catalog /Pages 2 0 R >>")
    add(b"")  # the page tree, once its kids are known
    plain = add(
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    )
    bold = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>")
    kids = []
    for page in pages:
        drawn = [
            b"BT /%s %g Tf %g %g Td (%s) Tj ET"
            % (
                b"F2" if text in page.bold else b"F1", size, x, y,
                text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)"),
            )
            for x, y, size, text in page.texts
        ]  # fmt: skip
        drawn += [b"%g %g m %g %g l S" % (a, y, b, y) for a, b, y in page.rules]
        content = stream(b"\n".join(drawn))
        annotations = [
            add(
                b"<< /Type /Annot /Subtype /Link /Rect [%g %g %g %g] /A << /S /URI /URI (%s) >> >>"
                % (*box, target.encode())
            )
            for box, target in page.links
        ]
        kids.append(
            add(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources"
                b" << /Font << /F1 %d 0 R /F2 %d 0 R >> >> /Annots [%s] >>"
                % (content, plain, bold, b" ".join(b"%d 0 R" % a for a in annotations))
            )
        )
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
        len(kids), b" ".join(b"%d 0 R" % kid for kid in kids),
    )  # fmt: skip
    trailer = b"/Root 1 0 R /ID [<%s><%s>]" % ((identity.hex().encode(),) * 2)
    if key:
        number = add(
            b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P %d >>"
            % (owner.hex().encode(), rc4(key, _PAD).hex().encode(), _P)
        )
        trailer += b" /Encrypt %d 0 R" % number
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    offsets = []
    for index, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (index, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(
        b"trailer << /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    )
    return out.getvalue()


def lines(
    text: str, x: float = 72, y: float = 700, size: float = 11
) -> list[tuple[float, float, float, str]]:
    """Place the lines of a text under each other."""
    return [(x, y - 14 * row, size, line) for row, line in enumerate(text.split("\n"))]


_NS = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
_STYLES = (
    f'<w:styles {_NS}><w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/>'
    "</w:style></w:styles>"
)


def paragraph(text: str, style: str = "", item: bool = False) -> str:
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    properties += '<w:numPr><w:numId w:val="1"/></w:numPr>' if item else ""
    run = f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>' if text else ""
    return f"<w:p><w:pPr>{properties}</w:pPr>{run}</w:p>"


def make_docx(body: str, parts: dict[str, str] | None = None) -> bytes:
    """Write a Word document around the XML of its body."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "word/document.xml", f"<w:document {_NS}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr("word/styles.xml", _STYLES)
        for name, content in (parts or {}).items():
            archive.writestr(name, content.replace("<w:root", f"<w:root {_NS}"))
    return out.getvalue()
