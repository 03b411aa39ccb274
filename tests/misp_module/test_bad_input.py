"""What users and hostile files do: an error that says what to do, and a server that lives."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import struct
import sys
import zipfile
import zlib

import pytest
from markdown_it import MarkdownIt

from misp_module.client.process import WorkerProcess

from .conftest import attribute, enrich, hover, importing, techniques


def attachment(data: bytes | str, name: str = "report.pdf"):
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return enrich(name, "attachment", data=text)


def encrypted_zip(password: bytes) -> bytes:
    """The traditional encryption of zip files, which Python reads but does not write."""
    keys = [0x12345678, 0x23456789, 0x34567890]
    table = [0] * 256
    for number in range(256):
        value = number
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table[number] = value

    def update(byte: int) -> None:
        keys[0] = (keys[0] >> 8) ^ table[(keys[0] ^ byte) & 0xFF]
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = (keys[2] >> 8) ^ table[(keys[2] ^ (keys[1] >> 24)) & 0xFF]

    def crypt(byte: int) -> int:
        mixed = keys[2] | 2
        result = byte ^ (((mixed * (mixed ^ 1)) >> 8) & 0xFF)
        update(byte)
        return result

    for byte in password:
        update(byte)
    content = b"It used phishing (T1566.001) and PowerShell (T1059.001)."
    check = zlib.crc32(content)
    plain = bytes(11) + bytes([check >> 24]) + content
    data = bytes(crypt(byte) for byte in plain)
    name = b"report.txt"
    sizes = struct.pack("<III", check, len(data), len(content))
    local = struct.pack("<IHHHHH", 0x04034B50, 20, 1, 0, 0, 0x21) + sizes
    local += struct.pack("<HH", len(name), 0) + name + data
    central = struct.pack("<IHHHHHH", 0x02014B50, 20, 20, 1, 0, 0, 0x21) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.txt", bytes(200_000_000))
    return buffer.getvalue()


CASES = {
    "nothing": ({"module": "ttpscribe_attack"}, "no attribute"),
    "empty attribute": ({"module": "ttpscribe_attack", "attribute": {}}, "empty"),
    "attribute of the wrong kind": ({"module": "ttpscribe_attack", "attribute": "x"}, "empty"),
    "unknown type": (enrich("198.51.100.7", "ip-dst"), "type 'ip-dst'"),
    "empty text": (enrich("   "), "empty"),
    "no base64": (attachment("this is no base64!"), "base64"),
    "no base64 to import": (
        {"module": "ttpscribe_import", "data": "!", "filename": "a.pdf"},
        "base64",
    ),
    "no content": (enrich("report.pdf", "attachment"), "did not send the content"),
    "encrypted": (attachment(encrypted_zip(b"secret"), "r.zip"), "password other than"),
    "damaged zip": (attachment(b"PK\x03\x04 and no more", "r.zip"), "cannot be unpacked"),
    "zip bomb": (attachment(bomb(), "r.zip"), "too much"),
    "damaged pdf": (attachment(b"%PDF-1.7 and no more"), "report.pdf"),
    "program": (attachment(b"\x7fELF" + bytes(100), "a.bin"), "not a report"),
    "empty import": (importing(b"", "empty.txt"), "empty"),
    "link without leave": (enrich("https://example.org/", "link"), "not fetched"),
    "wrong point": (enrich("x", config={"operating_point": "best"}), "operating_point"),
    "wrong switch": (enrich("x", config={"inferences": "perhaps"}), "inferences"),
    "wrong config": ({**enrich("x"), "config": "operating_point"}, "config"),
    "object without text": (
        {"module": "ttpscribe_attack", "object": {"name": "file", "Attribute": [
            attribute("a.exe", "filename")]}},
        "holds no text",
    ),
    "hook without event": (
        {"module": "ai_connector", "use_case": "tag_suggest", "data": None, "params": {}},
        "no event",
    ),
    "hook with a wrong limit": (
        {"module": "ai_connector", "use_case": "tag_suggest", "data": {"Event": {"id": "1"}},
         "params": {"suggest_limit": "many"}},
        "suggest_limit",
    ),
    "action without a key": (
        {"module": "ttpscribe_tag", "params": {}, "data": {"Event": {"id": "1", "uuid": "a"}}},
        "TTPSCRIBE_MISP_KEY",
    ),
    "action without an event": (
        {"module": "ttpscribe_tag", "params": {}, "data": {"Event": {}}},
        "no event",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_error_says_what_is_wrong(server, case):
    body, words = CASES[case]
    answer = server.ask(body)

    assert set(answer) == {"error"}
    assert words in answer["error"]
    assert "Traceback" not in answer["error"]
    assert "ttpscribe failed" not in answer["error"]


@pytest.mark.parametrize("case", ["empty text", "no base64", "unknown type", "wrong point"])
def test_no_error_aborts_an_enrich_event_job(server, case):
    body = {**CASES[case][0], "attribute_uuid": "5f0f"}

    assert server.ask(body) == {"results": {}}


def test_a_zip_with_the_usual_password_is_read(server):
    answer = server.ask(attachment(encrypted_zip(b"infected"), "sample.zip"))

    assert {"T1566.001", "T1059.001"} <= set(techniques(answer))


def test_hostile_text_stays_text(server):
    text = '<script>alert(1)</script> [x](javascript:alert(1)) | # T1566.001 phishing "e\u202email"'
    (report,) = server.ask(enrich(text))["results"]["EventReport"]
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(report["content"])

    assert "<script" not in page
    assert "alert(1)" in page
    assert 'href="javascript' not in page


def test_control_characters(server):
    assert "T1566.001" in techniques(server.ask(enrich("It used\x07 T1566.001 \x00 phishing.")))


def asked_of_a_worker(monkeypatch, variable, value):
    """The answer of a worker that is started in another environment."""
    monkeypatch.setenv(variable, value)
    worker = WorkerProcess([sys.executable, "-P", "-m", "misp_module.worker"])
    try:
        return json.loads(worker.submit(json.dumps(hover("T1566")).encode()).result(60))
    finally:
        os.kill(worker.pid, signal.SIGKILL)


def test_a_wrong_environment_is_an_answer(monkeypatch):
    answer = asked_of_a_worker(monkeypatch, "TTPSCRIBE_MISP_TAGS_HOURS", "soon")

    assert "TTPSCRIBE_MISP_TAGS_HOURS" in answer["error"]


def test_no_release_is_an_answer(monkeypatch):
    answer = asked_of_a_worker(monkeypatch, "TTPSCRIBE_RELEASE", "2019-01-none")

    assert "2019-01-none" in answer["error"]
    assert "ttpscribe" in answer["error"]
