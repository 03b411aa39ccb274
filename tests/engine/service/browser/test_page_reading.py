"""The page in a real browser, by click and by key: what a reader sees and does."""

from __future__ import annotations

import io
import json

import pytest
from browser_page import REPORT
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from engine.releases import ReleaseStore


def share(percents: list[str]) -> list[int]:
    return [int(percent.rstrip("%")) for percent in percents]


# --- reading -----------------------------------------------------------------------------------


def test_release_and_health_are_shown_at_a_glance(page, shipped_name):
    page.open()

    assert page["service"].text.split("\n") == ["Ready", f"release {shipped_name} · ATT&CK 18.1"]
    page.wait(lambda: page.all("[data-point=balanced]")[0].text)
    point = ReleaseStore().open(shipped_name).manifest.operating_point("balanced")
    precision, recall = point.expected_precision, point.expected_recall
    shown = page.all("[data-point=balanced]")[0].text
    assert shown == f"precision {precision:.0%}, recall {recall:.0%}"


def test_a_file_is_shown_annotated(annotated):
    page = annotated

    assert page["title"].text == "copper-lantern.pdf"
    assert page.focus == "title"
    counts = page["facts"].text
    assert counts.startswith(f"{len(page.seen('#findings .entry'))} findings")
    assert "on 6 pages" in counts
    assert page.seen("#document .page") == [f"Page {number}" for number in range(1, 7)]
    marks = page.seen("#document mark")
    assert "C:\\ProgramData\\Intel\\GfxCplBatch.dll" in " ".join(marks)
    lsass = [text for text in marks if "memory of the LSASS process" in text]
    assert lsass, "evidence is marked where it stands"
    chips = page.driver.execute_script(
        "return [...document.querySelectorAll('mark')].find((m) => m.textContent.includes("
        "'memory of the LSASS process')).closest('.block').querySelector('.chips').textContent"
    )
    assert "T1003.001 OS Credential Dumping: LSASS Memory 99%" in chips


def test_suggestions_and_inferences_stand_apart(fresh):
    findings, suggested = fresh.seen("#findings .id"), fresh.seen("#suggested .id")
    inferred = fresh.seen("#inferences .id")

    assert findings
    assert suggested
    assert len(inferred) == 10
    assert not set(findings) & set(suggested)
    assert not set(inferred) & {*findings, *suggested}
    assert min(share(fresh.seen("#findings .prob"))) > 0
    assert "because of" in fresh.seen("#inferences .under")[0]
    assert "Never cite them as reported." in fresh["inferences-section"].text


def test_the_slider_hides_what_is_less_likely_in_list_and_text(fresh):
    before = len(fresh.seen("mark:not(.dim)"))
    fresh.slide(90)

    shown = share(fresh.seen(".entry .prob"))
    assert shown
    assert min(shown) >= 90
    assert 0 < len(fresh.seen("mark:not(.dim)")) < before
    assert set(fresh.seen(".chip b")) <= set(fresh.seen(".entry .id"))
    assert fresh["status"].text.startswith(f"{len(shown)} of ")
    fresh["reset"].click()
    assert len(fresh.seen("mark:not(.dim)")) == before


def test_tactic_and_name_and_switches_filter(fresh):
    Select(fresh["tactic"]).select_by_value("TA0006")
    assert "T1003.001" in fresh.seen("#findings .id")
    assert "T1486" not in fresh.seen("#findings .id")
    fresh["reset"].click()

    fresh["words"].send_keys("powershell")
    assert set(fresh.seen(".entry .id")) == {"T1059.001"}
    fresh["reset"].click()

    fresh["explicit"].click()
    tags = fresh.seen(".entry .tag")
    assert len(fresh.seen(".entry .id")) == tags.count("named in the text") > 0
    fresh["reset"].click()

    fresh["suggestions"].click()
    assert fresh.seen("#suggested .id") == []
    assert fresh.seen("mark.sug:not(.dim)") == []


def test_picking_a_technique_shows_its_evidence_alone(fresh):
    fresh.all("#findings .pick")[1].click()

    assert len(fresh.all("mark:not(.dim)")) >= 1
    assert set(fresh.seen(".chip b")) == {fresh.seen("#findings .id")[1]}
    assert fresh.all(".s.here")[0].is_displayed()
    assert fresh.all("#findings .pick")[1].get_attribute("aria-pressed") == "true"


def test_exports_are_files_that_hold_everything(fresh):
    fresh.slide(99)
    for name in ("navigator", "stix", "csv", "html"):
        fresh.all(f"[data-export={name}]")[0].click()

    def file(suffix: str) -> str:
        path = fresh.downloads / f"copper-lantern.pdf{suffix}"
        fresh.wait(lambda: path.exists() and path.stat().st_size > 0, 20)
        return path.read_text(encoding="utf-8")

    layer = json.loads(file(".navigator.json"))
    assert layer["domain"] == "enterprise-attack"
    bundle = json.loads(file(".stix.json"))
    assert bundle["type"] == "bundle"
    header, *rows = file(".csv").splitlines()
    assert header.startswith("document,kind,technique")
    listed = len(fresh.all(".entry"))
    assert len(rows) == listed, "whatever the filter shows"
    assert sum(one["type"] == "attack-pattern" for one in bundle["objects"]) >= 40
    assert "copper-lantern.pdf" in file(".html")
    assert "whatever the filter shows" in fresh["exported"].text


# --- how it looks ------------------------------------------------------------------------------

# Contrast by WCAG 2.1 of each text against all backgrounds under it.
CONTRAST = """
  const channel = (c) => (c / 255 <= .03928 ? c / 3294.6 : ((c / 255 + .055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const read = (text) => {
    const n = text.match(/[\\d.]+/g).map(Number);
    return [n.slice(0, 3), n[3] ?? 1];
  };
  const under = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      layers.push(read(getComputedStyle(at).backgroundColor));
    }
    const over = (low, [top, a]) => low.map((c, i) => c * (1 - a) + top[i] * a);
    return layers.reverse().reduce(over, [255, 255, 255]);
  };
  return arguments[0].map((selector) => {
    const node = document.querySelector(selector);
    if (!node) return [selector, 0];
    const [a, b] = [light(read(getComputedStyle(node).color)[0]), light(under(node))];
    return [selector, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)];
  });"""
TEXTS = (
    ".brand", "#running", "#facts span:last-child", "#title", "#exports-title", "#anew", ".slider",
    "#status", "#findings .id", "#findings .name", "#suggested .id", "#inferences .id", "summary",
    ".tag", ".out", "mark.p9", "mark.sug", ".chip b", ".chip i", ".page", "#here", ".text",
)  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1400, 1000), (390, 844)], ids=["desk", "phone"])
def test_it_is_legible_on_a_desk_and_a_phone_in_light_and_dark(fresh, width, height, dark):
    fresh.device(width, height, dark=dark)
    try:
        if width < 600:
            fresh["show-lists"].click()
            assert not fresh["document"].is_displayed(), "one column: the lists, or the text"
            fresh["show-text"].click()
            assert not fresh["lists"].is_displayed()
        fresh["next"].click()
        script = "return [document.documentElement.scrollWidth, innerWidth]"
        wide, window = fresh.driver.execute_script(script)
        assert wide <= window, "nothing makes the page scroll sideways"
        for selector, contrast in fresh.driver.execute_script(CONTRAST, TEXTS):
            assert contrast >= 4.5, selector
        shot = Image.open(io.BytesIO(fresh.driver.get_screenshot_as_png())).convert("RGB")
        box = fresh.driver.execute_script(
            "const b = document.querySelector('.s.here').getClientRects()[0];"
            "return [b.left, b.top, b.right, b.bottom].map(Math.round)"
        )
        held = shot.crop(tuple(box)).getcolors(1 << 24)
        red, _, blue = max(held)[1]
        assert red > blue + 15, "the evidence is on a mark in the colour of the highlighter"
        paper = max(shot.getcolors(1 << 24))[1]
        assert (sum(paper) < 150) is dark
        assert len(shot.getcolors(1 << 24)) > 50, "there is more than paper"
    finally:
        if width < 600:
            fresh["show-lists"].click()
        fresh.device(1400, 1000, dark=False)


# --- keyboard ----------------------------------------------------------------------------------


def test_the_keyboard_is_enough(page):
    page.open()
    page.press(Keys.TAB)
    assert page.focus == "skip"
    page.press(Keys.ENTER)
    page.tab_to("text")
    page.press(REPORT)
    page.press(Keys.TAB)
    assert page.focus == "file"
    page.press(Keys.TAB)
    page.press(Keys.ARROW_RIGHT)
    assert page.driver.execute_script("return document.activeElement.value") == "sensitive"
    page.press(Keys.TAB)
    assert page.focus == "analyse"
    page.press(Keys.ENTER)
    page.wait(lambda: page["result"].is_displayed())

    assert page["title"].text == "Pasted text"
    assert page.focus == "title"
    assert (
        page["spoken"]
        .get_attribute("textContent")
        .startswith(f"{len(page.seen('#findings .entry'))} f")
    )
    page.tab_to("least")
    page.press(Keys.END)
    assert page.seen(".entry .id") == []
    page.press(Keys.ESCAPE)
    assert "T1566.001" in page.seen("#findings .id")

    page.tab_to("pick")
    page.press(Keys.ENTER)
    assert page.driver.execute_script("return document.activeElement.ariaPressed") == "true"
    page.press(Keys.ESCAPE)
    page.press("n")
    assert page.focus == "s0", "the evidence itself has the focus"
    assert "Evidence 1 of" in page["spoken"].get_attribute("textContent")
    page.press(Keys.TAB)
    assert page.focus.startswith("chip"), "and leads to the technique beside it"
    page.press(Keys.ENTER)
    assert page.focus == "pick"
    page.press("/")
    assert page.focus == "words"
    page.press("lsass")
    assert set(page.seen(".entry .id")) == {"T1003.001"}
    while page.focus != "anew":
        page.press(Keys.SHIFT + Keys.TAB)
    page.press(Keys.ENTER)
    assert page.focus == "text"
    assert page["text"].get_attribute("value") == ""


def test_every_control_has_a_name(page):
    script = """
      return [...document.querySelectorAll("button, input, select, textarea, a[href]")]
        .filter((n) => !(n.labels?.length || n.ariaLabel || n.textContent.trim()))
        .map((n) => n.outerHTML)"""

    assert page.driver.execute_script(script) == []
