"""The page as it is served: its own files, a strict policy, nothing that a report could use."""

from __future__ import annotations

import http.client
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from service_rig import InThread

import engine.service.page

ASSETS = Path(engine.service.page.__file__).parent / "assets"
NAMES = sorted(path.name for path in ASSETS.iterdir())


def get(running: InThread, path: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    body = answer.read().decode("utf-8")
    connection.close()
    return answer.status, headers, body


class Tags(HTMLParser):
    """Collects every tag with its attributes, and the text in scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._in = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in in ("script", "style"):
            self.inline += data.strip()


@pytest.fixture(scope="module")
def page(running):
    status, headers, body = get(running, "/")
    assert status == 200
    tags = Tags()
    tags.feed(body)
    return headers, body, tags


def test_the_policy_lets_in_the_pages_own_files_and_nothing_else(page):
    headers, _, _ = page
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {
        "'self'"
    }
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-type"] == "text/html; charset=utf-8"


def test_the_page_holds_no_script_style_or_handler_inline(page):
    _, _, tags = page

    assert tags.inline == ""
    for tag, attributes in tags.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    assert [attributes["src"] for tag, attributes in tags.tags if tag == "script"] == [
        "/page/main.js"
    ]


def test_the_page_and_its_files_name_no_other_host(page, running):
    """But ATT&CK's, in links that a reader may click, and a namespace, which nobody fetches."""
    named = set()
    for name in NAMES:
        text = (ASSETS / name).read_text(encoding="utf-8")
        named |= set(re.findall(r"(?:https?:)?//([a-z0-9-]+(?:\.[a-z0-9-]+)+)", text))
    assert named == {"attack.mitre.org", "www.w3.org"}


def test_every_file_that_the_page_needs_is_served(page, running):
    _, body, _ = page
    needed = set(re.findall(r'"/page/([^"]+)"', body))
    for name in [name for name in NAMES if name.endswith(".js")]:
        needed |= set(re.findall(r'from "\./([^"]+)"', (ASSETS / name).read_text("utf-8")))

    assert needed == set(NAMES) - {"index.html"}, "no file is missing, and none is left over"
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for name in needed:
        status, headers, text = get(running, f"/page/{name}")
        assert (status, text) == (200, (ASSETS / name).read_text("utf-8"))
        assert headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
        assert "content-security-policy" in headers


@pytest.mark.parametrize(
    "path",
    [
        "/page/index.html", "/page/none.js", "/page/..%2frouter.py", "/page/../router.py",
        "/page/%2e%2e/%2e%2e/settings.py", "/page/main.js%00.css", "/page/", "/page//etc/passwd",
    ],
)  # fmt: skip
def test_nothing_else_is_served(running, path):
    status, _, body = get(running, path)

    assert status == 404
    assert "There is no such path" in body


def test_the_scripts_turn_no_string_into_markup_or_code():
    sinks = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
        r"|setHTML|\beval\b|new Function|srcdoc|localStorage|sessionStorage|indexedDB|cookie"
    )
    for name in NAMES:
        assert not sinks.findall((ASSETS / name).read_text(encoding="utf-8")), name


def test_the_page_knows_the_services_limit(page, running):
    _, body, _ = page

    assert f'content="{running.settings.max_request_mb:g}"' in body
    assert "{most_megabytes}" not in body
