"""The page: whole in itself, harmless, readable by people and screen readers, in a browser too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from lxml import html as lxml_html

from engine.knowledge import Knowledge
from training.card import CardInput, compose, page

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = """<!DOCTYPE html><iframe id="f" src="{page}" width="1200" height="900"></iframe>
<pre id="out">nothing</pre>
<script>
document.getElementById("f").addEventListener("load", (event) => {{
  const doc = event.target.contentDocument, win = event.target.contentWindow;
  const box = (node) => node.getBoundingClientRect();
  const out = {{ title: doc.title }};
  out.sticky = win.getComputedStyle(doc.querySelector("nav")).position;
  out.wider = doc.documentElement.scrollWidth > doc.documentElement.clientWidth;
  out.plots = [...doc.querySelectorAll("svg.plot")].map((plot) => {{
    const frame = box(plot);
    const cut = [...plot.querySelectorAll("text")].filter((text) => {{
      const at = box(text);
      return at.left < frame.left - 1 || at.right > frame.right + 1 || at.bottom > frame.bottom + 1
        || at.top < frame.top - 1;
    }}).map((text) => text.textContent);
    const line = plot.querySelector(".a-line, .a, .b");
    return {{ width: frame.width, height: frame.height, cut,
      coloured: line ? win.getComputedStyle(line).stroke + win.getComputedStyle(line).fill : "" }};
  }});
  document.getElementById("out").textContent = JSON.stringify(out);
}});
</script>"""


@pytest.fixture
def text(full: CardInput, knowledge: Knowledge) -> str:
    return page(compose(full, knowledge))


def test_the_page_needs_nothing_else_and_runs_nothing(text: str) -> None:
    tree = lxml_html.document_fromstring(text)
    assert tree.xpath("//script|//link|//img|//iframe|//object|//*[@style]|//@onerror") == []
    targets = tree.xpath("//@href|//@src")
    assert targets
    assert all(target.startswith("#") for target in targets)
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "hacked" in tree.text_content(), "what is hostile is shown as text"


def test_every_plot_is_described_and_explained(text: str) -> None:
    tree = lxml_html.document_fromstring(text)
    plots = tree.xpath("//*[local-name()='svg']")
    assert len(plots) == 8
    for plot in plots:
        named = plot.get("aria-labelledby").split()
        words = [plot.xpath(f".//*[@id='{name}']")[0].text_content() for name in named]
        assert plot.get("role") == "img"
        assert all(len(said) > 8 for said in words)
        caption = plot.getparent().xpath(".//figcaption")[0].text_content()
        assert caption.strip().startswith("How to read it.")
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tree.xpath("//nav//@href")} <= set(ids)


def test_the_page_says_what_was_decided_and_what_changed(text: str) -> None:
    words = " ".join(lxml_html.document_fromstring(text).text_content().split())
    assert "Not published" in words
    assert "Not better beyond doubt on the analysts' own labels." in words
    assert "better: not met" in words
    assert "T1003.001 LSASS Memory: F1 0.50 → 0.75, 4 documents" in words
    assert "It read lsass." in words
    assert "Disagreements between analysts (1)" in words
    assert re.search(r"Verdicts: confirmed, rejected, added\s?200, 70, 42", words)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: no plot is drawn")
def test_a_browser_draws_every_plot_in_the_pages_colours(text: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shown, driver = Path(folder, "card.html"), Path(folder, "driver.html")
        shown.write_text(text, encoding="utf-8")
        driver.write_text(DRIVER.format(page=shown.as_uri()), encoding="utf-8")
        flags = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--allow-file-access-from-files", "--virtual-time-budget=5000",
            "--window-size=1300,1000", f"--user-data-dir={folder}/profile",
        ]  # fmt: skip
        done = subprocess.run(
            [str(CHROMIUM), *flags, "--dump-dom", driver.as_uri()],
            capture_output=True,
            timeout=120,
            check=True,
        )
    tree = lxml_html.document_fromstring(done.stdout.decode())
    seen = json.loads(tree.get_element_by_id("out").text_content())
    assert seen["title"] == "Card of the release small", "nothing of a report ran"
    assert seen["sticky"] == "sticky", "the policy lets our own style in"
    assert not seen["wider"], "nothing makes the page scroll sideways"
    assert len(seen["plots"]) == 8
    for plot in seen["plots"]:
        assert plot["width"] > 500
        assert plot["height"] > 100
        assert plot["cut"] == [], "no label is cut off"
        assert "rgb(11, 98, 164)" in plot["coloured"] or "rgb(179, 71, 11)" in plot["coloured"]
