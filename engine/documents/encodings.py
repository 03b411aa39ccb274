"""Bytes of text in any common encoding -> str."""

from __future__ import annotations

import codecs

from engine.documents.sniff import is_utf16

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The detector is slow on long texts and surer on none of them.
_SAMPLE = 200_000


def decode(data: bytes) -> tuple[str, str | None]:
    r"""Decode text.

    Returns
    -------
    str
        The text, line ends as ``\n``.
    str or None
        A warning where the encoding had to be guessed badly.
    """
    text, warning = _decode(data)
    return text.replace("\r\n", "\n").replace("\r", "\n"), warning


def _decode(data: bytes) -> tuple[str, str | None]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), None
    if encoding := is_utf16(data[:4096]) or "":
        return data.decode(encoding, "replace"), None
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        # One bad byte in a long UTF-8 text, or a cut at its end, is damage, not another encoding.
        good = data[: error.start]
        if any(byte > 127 for byte in good) and len(good) > 0.9 * len(data):
            return data.decode("utf-8", "replace"), "Some bytes of the text are damaged."
    text = data.decode(_guess(data[:_SAMPLE]), "replace")
    return text, "The text's encoding is not certain." if "\ufffd" in text else None


def _guess(sample: bytes) -> str:
    # What is nearly all ASCII is Western text with quotation marks and accents; too few bytes
    # tell its neighbours apart.
    if sum(byte > 127 for byte in sample) < 0.03 * len(sample):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return "cp1252" if best is None or best.encoding in ("ascii", "utf_8") else best.encoding
