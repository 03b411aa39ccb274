"""Links lead to the public internet only, whatever they look like."""

from __future__ import annotations

import ipaddress
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.errors import DocumentError
from misp_module import fetch as fetching
from misp_module.fetch import fetch, may_reach

from .conftest import STORY, enrich, techniques

HERE = "127.0.0.2"  # allowed by a test; 127.0.0.1 is not
ALLOWED = (ipaddress.ip_network(f"{HERE}/32"),)


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/report.html":
            body = f"<html><body><p>{STORY}</p></body></html>".encode()
            self.page(body)
        elif self.path == "/moved":
            self.moved("/report.html")
        elif self.path == "/inside":
            self.moved("http://169.254.169.254/latest/meta-data/")
        elif self.path == "/home":
            self.moved(f"http://localhost:{self.server.server_port}/report.html")
        elif self.path == "/round":
            self.moved("/round")
        elif self.path == "/file":
            self.moved("file:///etc/passwd")
        elif self.path == "/big":
            self.page(bytes(3_000_000))
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(200):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.05)
        else:
            self.send_error(404)

    def page(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def moved(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer((HERE, 0), Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://{HERE}:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.5/",
        "http://192.168.1.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "hxxp://127.0.0[.]1/",
    ],
)
def test_no_private_address_is_reached(link):
    with pytest.raises(DocumentError, match="no public address"):
        fetch(link)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("ftp://example.org/a", "only http"),
        ("file:///etc/passwd", "only http"),
        ("http:///nowhere", "only http"),
        ("http://user:secret@example.org/", "password"),
        ("http://example.org:port/", "no link"),
    ],
)
def test_what_is_no_link_of_the_web_is_refused(link, words):
    with pytest.raises(DocumentError, match=words) as error:
        fetch(link)
    assert "secret" not in str(error.value)


def test_a_name_that_resolves_to_a_private_address_is_refused(site, monkeypatch):
    """Also where only one of its addresses is private."""
    found = [(2, 1, 6, "", ("93.184.215.14", 80)), (2, 1, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(DocumentError, match=r"rebound\.example at 127\.0\.0\.1"):
        fetch("http://rebound.example/")


@pytest.mark.parametrize("path", ["/inside", "/home", "/file"])
def test_a_redirect_is_checked_like_any_link(site, path):
    with pytest.raises(DocumentError, match=r"no public address|only http"):
        fetch(site + path, ALLOWED)


def test_an_allowed_network_is_fetched_and_redirects_followed(site):
    data, media_type, url = fetch(f"{site}/moved", ALLOWED)

    assert b"spearphishing" in data
    assert media_type.startswith("text/html")
    assert url.endswith("/report.html")


def test_limits(site, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(fetching, "TOTAL_S", 1.0)
    with pytest.raises(DocumentError, match="more than 1 MB"):
        fetch(f"{site}/big", ALLOWED)
    with pytest.raises(DocumentError, match="redirected more"):
        fetch(f"{site}/round", ALLOWED)
    with pytest.raises(DocumentError, match="status 404"):
        fetch(f"{site}/missing", ALLOWED)


def test_a_server_that_drips_is_cut_off(site, monkeypatch):
    monkeypatch.setattr(fetching, "TOTAL_S", 0.6)
    start = time.monotonic()
    with suppress(DocumentError):
        fetch(f"{site}/drip", ALLOWED)
    assert time.monotonic() - start < 2


def test_public_addresses_are_public():
    assert may_reach(ipaddress.ip_address("93.184.215.14"))
    assert may_reach(ipaddress.ip_address("2606:2800:220:1:248:1893:25c8:1946"))
    assert not may_reach(ipaddress.ip_address("100.64.0.1"))
    assert not may_reach(ipaddress.ip_address("224.0.0.1"))


def test_a_link_through_the_modules_server(server, site):
    on = {"config": {"fetch_links": "1"}}
    found = server.ask(enrich(f"{site}/report.html", "link", **on))
    inside = server.ask(enrich(f"{site}/inside", "url", **on))
    off = server.ask(enrich(f"{site}/report.html", "link"))

    assert "T1566.001" in techniques(found)
    assert "no public address" in inside["error"]
    assert "fetch_links" in off["error"]
