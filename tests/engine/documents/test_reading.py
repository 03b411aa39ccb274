# ruff: noqa: E501, RUF043, S105 - texts stay on one line, as documents hold them
from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.documents import (
    Limits,
    from_sentences,
    from_text,
    media_type_of,
    read_bytes,
    read_path,
)
from engine.documents.limits import Limits as _Limits
from engine.documents.parse import parse
from engine.documents.pool import RECYCLE, Pool, shared_pool
from engine.documents.sniff import DOCX, HTML, MARKDOWN, PDF, TEXT
from engine.errors import DocumentError


def zipped(*names: str, content: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"%PDF-1.4", "x.txt", PDF),
        (b"junk\n%PDF-1.4", "x.pdf", PDF),
        (b"PK\x03\x04", "x.docx", DOCX),
        (b"\n<!DOCTYPE HTML><p>", "x.txt", HTML),
        (b"<p>fragment</p>", "x.html", HTML),
        (b"<p>a</p><p>b</p><br><p>c</p>", "description", HTML),
        (b"# Head", "x.md", MARKDOWN),
        (b"# Head", "x.txt", TEXT),
        ("<html>".encode("utf-16"), "x", HTML),
        ("text".encode("utf-16"), "x", TEXT),
        ("text here".encode("utf-16-le"), "x", TEXT),
        (b"a\0b " * 1, "x.txt", TEXT),
    ],
)
def test_formats_are_told_by_content(data: bytes, name: str, expected: str) -> None:
    assert media_type_of(data, name) == expected


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "x.pdf", "empty"),
        (b" \n\t\0", "x.txt", "empty"),
        (bytes(range(256)) * 20, "x.txt", "not text, though its name ends in .txt"),
        (b"\x7fELF" + bytes(100), "x.txt", "a program"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "x.doc", "save it as .docx"),
        (b"{\\rtf1 text}", "x.rtf", "RTF"),
        (b"\x89PNG\r\n", "x.png", "OCR"),
        (os.urandom(64) + bytes(64), "x.xyz", "format is not known"),
        (zipped("xl/workbook.xml"), "x.docx", "Excel"),
        (zipped("ppt/a.xml"), "x.docx", "PowerPoint"),
        (zipped("a.txt"), "x.docx", "zip archive"),
        (zipped("word/document.xml", content=b"<no"), "x.docx", "damaged"),
        (b"PK\x03\x04" + bytes(50), "x.docx", "damaged"),
        (zipped("word/document.xml", content=bytes(400_000_000)), "x.docx", "zip bomb"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_what_cannot_be_read_is_refused_with_a_reason(data: bytes, name: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read_bytes(data, name)


def test_a_container_that_lies_about_its_size_is_refused(files: SimpleNamespace) -> None:
    data = bytearray(files.docx(files.paragraph("word " * 100_000)))
    limits = Limits(max_unpacked_bytes=50_000)
    with pytest.raises(DocumentError, match="zip bomb"):
        read_bytes(bytes(data), "x.docx", limits=limits)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="does not exist"):
        read_path(tmp_path / "missing.pdf")
    with pytest.raises(DocumentError, match="is a folder"):
        read_path(tmp_path)
    with pytest.raises(DocumentError, match="not a regular file"):
        read_path("/dev/zero")
    with pytest.raises(DocumentError, match="cannot be read"):
        read_path("a" * 5_000)
    path = tmp_path / "locked.txt"
    path.write_text("Text.")
    path.chmod(0)
    if os.geteuid() == 0:
        pytest.skip("the administrator may read every file")
    with pytest.raises(DocumentError, match="right to read"):
        read_path(path)


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    started = time.perf_counter()
    with pytest.raises(DocumentError, match="300 MB, over the limit of 50 MB"):
        read_path(path)
    assert time.perf_counter() - started < 2


def test_text_over_the_limit_is_cut_with_a_warning() -> None:
    limits = Limits(max_text_chars=1_000)
    for document in (
        from_text("Some words. " * 500, limits=limits),
        read_bytes(b"Some words. " * 500, "x.txt", limits=limits),
        read_bytes(b"Some *words*. " * 500, "x.md", limits=limits),
    ):
        assert len(document.text) <= 1_000
        assert document.warnings == ("Only the first 1,000 characters were read.",)


def test_nul_bytes_become_spaces_one_for_one() -> None:
    document = from_text("It ran\0on. Next\0one.")
    assert document.text == "It ran on. Next one."
    assert [s.text for s in document.sentences] == ["It ran on.", "Next one."]


def test_a_sentence_of_100000_characters() -> None:
    document = read_bytes(b"word " * 20_000, "x.txt")
    assert max(len(s.text) for s in document.sentences) <= 2_000
    assert len(document.text) == 100_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Die Gruppe hat sich mit gestohlenen Zugangsdaten am Server angemeldet und dann Schadsoftware über das Netz verteilt. " * 6, "not look English"),
        ("El grupo utilizó credenciales robadas para acceder al servidor y después distribuyó el programa malicioso por la red. " * 6, "not look English"),
        ("Группа использовала украденные учетные данные для входа на сервер. " * 3, "not look English"),
        ("קבוצת התקיפה השתמשה בסיסמאות גנובות כדי להתחבר לשרת. " * 3, "right to left"),
        ("该组织使用被盗的凭据登录服务器并部署了恶意软件。" * 3, "not look English"),
    ],
)  # fmt: skip
def test_other_languages_bring_a_warning(text: str, said: str) -> None:
    assert any(said in warning for warning in from_text(text).warnings)


def test_english_and_lists_of_indicators_bring_none() -> None:
    english = (
        "The actor used stolen credentials to log on to the server and then it spread the malware. "
        * 5
    )
    hashes = "\n".join(f"{n:032x} evil{n}[.]com C:\\a{n}.exe" for n in range(200))
    assert from_text(english).warnings == ()
    assert from_text(hashes).warnings == ()


def test_digest_name_and_type() -> None:
    document = read_bytes(b"Some text.", "x.txt")
    assert document.digest == from_text("Some text.").digest
    assert len(document.digest) == 64
    assert (document.name, document.media_type, document.pages) == ("x.txt", TEXT, None)
    assert read_bytes(b"*a* b", "description", "text/markdown; charset=utf-8").text == "a b"
    assert read_bytes(b"*a* b", "description", "application/pdf").text == "*a* b"


def test_from_sentences_keeps_them_as_they_are() -> None:
    given_ = ["One. Two.", "", "three\ud800"]
    document = from_sentences(given_, "x")
    assert document.text == "One. Two.\n\nthree\ufffd"
    assert [document.text[s.start : s.end] for s in document.sentences] == [
        "One. Two.",
        "",
        "three\ufffd",
    ]
    with pytest.raises(DocumentError, match="no sentences"):
        from_sentences([])


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_the_child_reads_what_this_process_reads(text: str) -> None:
    data = text.encode("utf-8", "replace")
    try:
        expected = parse(data, media_type_of(data, "x.md"), Limits())
    except DocumentError:
        with pytest.raises(DocumentError):
            read_bytes(data, "x.md")
        return
    document = read_bytes(data, "x.md")
    assert document.text == expected.text
    assert [(s.start, s.end, s.kind, s.heading) for s in document.sentences] == [
        (s.start, s.end, s.kind, s.heading) for s in expected.spans
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.binary(min_size=1, max_size=2_000),
    st.sampled_from(["x.pdf", "x.docx", "x.html", "x.md", "x"]),
)
def test_arbitrary_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    start = {"x.pdf": b"%PDF-1.4\n", "x.docx": b"PK\x03\x04"}.get(name, b"")
    try:
        document = read_bytes(start + data, name)
    except DocumentError as error:
        assert str(error).endswith((".", ")"))  # noqa: PT017
    else:
        assert all(document.text[s.start : s.end] == s.text for s in document.sentences)


# --- the parser's process ---------------------------------------------------------------------

SLOW = b"<html><body>" + b"<div>a" * 200_000


def test_a_document_that_takes_too_long_is_left_out_and_the_next_is_read() -> None:
    with pytest.raises(DocumentError, match="longer than 0.01 s"):
        read_bytes(SLOW, "slow.html", limits=Limits(timeout_s=0.01))
    assert read_bytes(b"Fine.", "x.txt").text == "Fine."


def test_memory_is_limited() -> None:
    # The listing of a megabyte of markers needs far more than the text itself.
    data = b"<html><body>" + b"<p>a" * 1_500_000
    with pytest.raises(DocumentError, match="memory|break down"):
        read_bytes(data, "x.html", limits=Limits(memory_mb=350))
    assert read_bytes(b"Fine.", "x.txt").text == "Fine."


def script(code: str) -> Pool:
    return Pool(1, (sys.executable, "-c", code))


def test_a_crash_is_an_error_and_a_new_process_reads_the_next() -> None:
    # Dies as a native library does on its first document, and works ever after.
    pool = Pool(1)
    limits = Limits()
    assert pool.parse(b"One.", "x", TEXT, limits).text == "One."
    first = pool._idle[0]
    first.child.kill()
    first.child.wait()
    assert pool.parse(b"Two.", "x", TEXT, limits).text == "Two."
    pool.close()
    crash = script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(DocumentError, match="bad.pdf made its parser break down"):
        crash.parse(b"One.", "bad.pdf", TEXT, limits)
    assert not crash._idle
    crash.close()


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout.buffer.write(b'x' * 100)",
        "import sys; sys.stdout.buffer.write(b'\\xff' * 12); sys.stdout.flush(); import time; time.sleep(5)",
        "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\2' + b'\\0' * 8 + b'[]')",
    ],
)
def test_a_reply_that_is_no_frame_is_an_error(code: str) -> None:
    pool = script(code)
    with pytest.raises(DocumentError, match="break down"):
        pool.parse(b"One.", "x", TEXT, Limits(timeout_s=3))
    pool.close()


def test_a_process_that_does_not_start_is_not_blamed_on_the_document() -> None:
    pool = script("import a_module_that_is_not_there")
    with pytest.raises(DocumentError, match="does not start"):
        pool.parse(b"One.", "x", TEXT, Limits())
    pool.close()


def test_a_reply_that_makes_no_sense_is_an_error() -> None:
    body = (
        b'{"text":"ab","spans":[[0,9,null,"prose",0]],"headings":[null],"pages":null,"warnings":[]}'
    )
    pool = script(
        f"import sys, struct, time; b = {body!r}; "
        "sys.stdout.buffer.write(struct.pack('>IQ', len(b), 0) + b); sys.stdout.flush(); time.sleep(1)"
    )
    with pytest.raises(DocumentError, match="makes no sense"):
        pool.parse(b"One.", "x", TEXT, Limits())
    pool.close()


def test_one_process_reads_many_documents_and_is_replaced_in_time() -> None:
    pool = Pool(1)
    seen = set()
    for number in range(RECYCLE + 5):
        pool.parse(f"Text {number}.".encode(), "x", TEXT, Limits())
        seen |= {process.child.pid for process in pool._idle}
    assert len(seen) == 2
    pool.close()


def test_threads_share_the_pool() -> None:
    def read(number: int) -> bool:
        return (
            read_bytes(f"Text of thread {number}.".encode(), "x.txt").text
            == f"Text of thread {number}."
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(64)))
    assert len(shared_pool()._idle) <= 4
    assert threading.active_count() < 20


def test_the_child_has_no_environment_no_network_and_writes_no_file(tmp_path: Path) -> None:
    probe = (
        "import engine.documents.worker as w, os, socket, subprocess\n"
        "w._confine()\n"
        "print(sorted(k for k in os.environ if 'SECRET' in k))\n"
        "for act in (lambda: socket.create_connection(('127.0.0.1', 9)),"
        " lambda: subprocess.run(['true']), lambda: os.system('true')):\n"
        "    try: act(); print('allowed')\n"
        "    except PermissionError: print('refused')\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"try:\n    with open({str(tmp_path / 'f')!r}, 'w') as f: f.write('x')\n    print('allowed')\n"
        "except OSError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == ["[]", "refused", "refused", "refused", "refused"]
    os.environ["A_SECRET"] = "x"
    pool = script("import os, sys; sys.exit(3 if 'A_SECRET' in os.environ else 4)")
    with pytest.raises(DocumentError):
        pool.parse(b"x", "x", TEXT, Limits())
    process = pool._take()
    assert process.child.wait() == 4
    process.close()
    del os.environ["A_SECRET"]


def test_nothing_is_left_running_at_exit() -> None:
    code = (
        "from engine.documents import read_bytes; from engine.documents.pool import shared_pool\n"
        "read_bytes(b'Text.', 'x.txt'); print(shared_pool()._idle[0].child.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


def test_importing_is_light() -> None:
    code = "import sys, engine.documents; print([m for m in ('lxml', 'pypdfium2', 'numpy', 'markdown_it', 'charset_normalizer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_limits_must_be_positive() -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        _Limits(timeout_s=0)
