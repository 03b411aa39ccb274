"""The page in a real browser: the filter truly filters, and the policy blocks nothing of ours."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import samples
from lxml import html as lxml_html

from engine.outputs import OUTPUTS

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the page's script is not exercised"
)

# The frame shares the page's script by its own file URL; it acts on the page as a reader would.
DRIVER = """<!DOCTYPE html><iframe id="f" src="{page}" width="1200" height="900"></iframe>
<pre id="out">nothing</pre>
<script>
document.getElementById("f").addEventListener("load", (event) => {{
  const doc = event.target.contentDocument;
  const win = event.target.contentWindow;
  const $ = (id) => doc.getElementById(id);
  const seen = (node) => node.getClientRects().length > 0;
  const listed = () => [...doc.querySelectorAll(".entry")].filter(seen)
    .map((node) => node.querySelector(".id").textContent);
  const bright = () => [...doc.querySelectorAll("mark:not(.dim)")].map((node) => node.textContent);
  const chips = () => [...doc.querySelectorAll(".chip")].filter(seen).length;
  const inferred = () => [...doc.querySelectorAll(".inference")].filter(seen)
    .map((node) => node.querySelector(".id").textContent);
  const changed = (id) => $(id).dispatchEvent(new win.Event("input"));
  const set = (id, value) => {{ $(id).value = value; changed(id); }};
  const tick = (id) => {{ $(id).checked = !$(id).checked; changed(id); }};
  const key = (name) => doc.body.dispatchEvent(
    new win.KeyboardEvent("keydown", {{ key: name, bubbles: true }}));
  const state = () => ({{ listed: listed(), bright: bright(), chips: chips(), inferred: inferred(),
    status: $("status").textContent, here: (doc.querySelector(".here") || {{}}).id || null }});
  const out = {{}};
  out.styled = win.getComputedStyle(doc.querySelector("aside")).position;
  out.start = state();
  set("least", 60); out.slider = state();
  key("Escape"); out.reset = state();
  set("tactic", "TA0002"); out.tactic = state();
  key("Escape"); set("words", "POWER"); out.words = state();
  key("Escape"); tick("explicit"); out.explicit = state();
  key("Escape"); tick("suggestions"); out.findings = state();
  key("Escape"); doc.querySelector("#f1 .pick").click(); out.picked = state();
  out.pressed = doc.querySelector("#f1 .pick").getAttribute("aria-pressed");
  key("Escape"); key("n"); out.next = state(); key("n"); out.nextAgain = state();
  key("p"); out.before = state();
  out.executed = win.hacked === undefined;
  document.getElementById("out").textContent = JSON.stringify(out);
}});
</script>"""


def dump_dom(url: str, profile: Path) -> str:
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--allow-file-access-from-files", "--virtual-time-budget=5000", "--window-size=1300,1000",
        f"--user-data-dir={profile}", "--dump-dom", url,
    ]  # fmt: skip
    done = subprocess.run([CHROMIUM, *flags], capture_output=True, timeout=120, check=True)
    return done.stdout.decode()


@pytest.fixture(scope="module")
def states(request):
    from engine.knowledge import Knowledge
    from engine.outputs import Context

    lines = [
        *samples.LINES,
        ("prose", 3, "<script>window.hacked = 1</script><img src=x onerror='hacked=1'>"),
    ]
    analysis = samples.analysis(document=samples.document(lines))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder, "page.html")
        page.write_text(
            OUTPUTS["html"].write(analysis, Context(Knowledge.load())), encoding="utf-8"
        )
        driver = Path(folder, "driver.html")
        driver.write_text(DRIVER.format(page=page.as_uri()), encoding="utf-8")
        tree = lxml_html.document_fromstring(dump_dom(driver.as_uri(), Path(folder, "profile")))
    return json.loads(tree.get_element_by_id("out").text_content())


def test_all_is_shown_at_first(states):
    assert states["styled"] == "sticky", "the policy must let our own style in"
    assert states["start"]["listed"] == [
        "T1547.001",
        "T1059.001",
        "T1071",
        "T1566.001",
        "T1033",
        "T1041",
    ]
    assert states["start"]["status"] == "6 of 6 shown"
    assert states["reset"] == states["start"]


def test_the_slider_hides_what_is_less_likely_in_list_and_text(states):
    slid = states["slider"]
    assert slid["listed"] == ["T1547.001", "T1059.001", "T1071"]
    assert "The actor sent a lure with a macro." in states["start"]["bright"]
    assert "The actor sent a lure with a macro." not in slid["bright"]
    assert slid["chips"] < states["start"]["chips"]


def test_tactic_technique_explicit_and_suggestions_filter(states):
    assert states["tactic"]["listed"] == ["T1059.001"]
    assert states["tactic"]["inferred"] == []
    assert states["words"]["listed"] == ["T1059.001"]
    assert states["explicit"]["listed"] == ["T1547.001"]
    assert states["findings"]["listed"] == ["T1547.001", "T1059.001", "T1071"]


def test_picking_a_technique_shows_its_evidence_alone(states):
    assert states["picked"]["bright"] == ["The macro ran powershell.exe -enc to fetch the loader."]
    assert states["picked"]["here"] == "s2"
    assert states["picked"]["status"].endswith("only T1059.001")
    assert states["pressed"] == "true"


def test_keys_step_through_the_evidence(states):
    assert [states[name]["here"] for name in ("next", "nextAgain", "before")] == ["s1", "s2", "s1"]


def test_text_of_the_document_never_runs(states):
    assert states["executed"] is True
