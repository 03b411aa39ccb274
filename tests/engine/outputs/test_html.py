"""The annotated page: what it holds, what it must never let through, what it looks like."""

import re
import time
from dataclasses import replace

import pytest
import samples
from lxml import html as lxml_html

from engine.outputs import OUTPUTS
from engine.types import Finding

write = OUTPUTS["html"].write


def page(analysis, context):
    return lxml_html.document_fromstring(write(analysis, context))


def text_of(node):
    return node.text_content()


def test_evidence_is_marked_where_it_stands(context):
    tree = page(samples.analysis(), context)
    marked = {m.get("data-f"): text_of(m) for m in tree.cssselect("mark")}
    assert marked["1"] == "The macro ran powershell.exe -enc to fetch the loader."
    # The explicit id lies within a sentence that speaks for the same finding.
    sentence = tree.get_element_by_id("s3")
    assert text_of(sentence) == "Run keys kept it alive (T1547.001)."
    pieces = [(text_of(m), "named" in m.get("class")) for m in sentence.cssselect("mark")]
    assert pieces == [("Run keys kept it alive (", False), ("T1547.001", True), (").", False)]


def test_the_technique_stands_beside_the_text_and_leads_to_the_list(context):
    tree = page(samples.analysis(), context)
    block = tree.get_element_by_id("s2").xpath("ancestor::*[contains(@class, 'block')]")[0]
    chips = block.cssselect("a.chip")
    assert [text_of(chip).split()[0] for chip in chips] == ["T1566.001", "T1059.001"]
    for link in tree.cssselect("a.chip, a.jump"):
        assert tree.get_element_by_id(link.get("href")[1:]) is not None


def test_the_structure_of_the_document_is_kept(context):
    tree = page(samples.analysis(), context)
    main = tree.get_element_by_id("document")
    assert [text_of(h) for h in main.cssselect("h2")] == ["Initial access"]
    assert len(main.cssselect("ul.list > li")) == 2
    rows = [[text_of(c) for c in r.cssselect("td:not(.side)")] for r in main.cssselect("tr")]
    assert rows[0] == ["C2", "HTTPS over port 443", "beacon every 60 s"]
    assert rows[1] == ["Exfiltration", "same channel"]
    assert text_of(main.cssselect("p.text")[0]) == (
        "The actor sent a lure with a macro. The macro ran powershell.exe -enc to fetch the loader."
    )
    assert [text_of(c) for c in main.cssselect("code")] == ["cmd.exe /c whoami"]
    assert [text_of(mark) for mark in main.cssselect(".page")] == ["Page 1", "Page 2", "Page 3"]


def test_lists_tactics_inferences_warnings(context):
    tree = page(samples.analysis(), context)
    assert len(tree.cssselect(".entry.finding")) == 3
    assert len(tree.cssselect(".entry.suggestion")) == 3
    assert [text_of(i) for i in tree.cssselect(".inference .id")] == ["T1105", "T1027"]
    assert [text_of(a) for a in tree.cssselect(".inference a[href^='#']")] == [
        "T1059.001",
        "T1547.001",
    ]
    assert "run OCR first" in text_of(tree.cssselect(".warning")[0])
    # A tactic that nothing listed falls under would filter everything away.
    assert [o.get("value") for o in tree.cssselect("#tactic option")] == [
        "",
        "TA0003",
        "TA0002",
        "TA0011",
    ]


def test_every_sentence_is_there_once_and_in_order(context):
    analysis = samples.analysis()
    tree = page(analysis, context)
    ids = [node.get("id") for node in tree.cssselect("main .s[id]")]
    assert ids == [f"s{s.index}" for s in analysis.document.sentences]


def test_overlapping_evidence_of_two_findings(context):
    doc = samples.document([("prose", 1, "alpha beta gamma")])
    one = Finding("T1071", "A", 0.9, False, (samples.evidence(doc, 0, 0.9, part="alpha beta"),))
    two = Finding("T1105", "B", 0.3, False, (samples.evidence(doc, 0, 0.3, part="beta gamma"),))
    tree = page(samples.analysis(document=doc, findings=(one,), suggestions=(two,)), context)
    marks = [(text_of(m), m.get("data-f")) for m in tree.cssselect("mark")]
    assert marks == [("alpha ", "0"), ("beta", "0 1"), (" gamma", "1")]


ATTACKS = [
    "<script>alert(1)</script>",
    "</mark></p></main><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "{{ 7 * 7 }}{% raw %}",
    "a\u2028b\u2029c",
    "<!-- --><svg/onload=alert(1)>",
    "\ud800\x00\x1b",
    "&lt;script&gt;",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_text_stays_text_everywhere(context, attack):
    doc = samples.document(
        [(kind, 1, attack) for kind in ("prose", "heading", "list_item", "table_row", "code")],
        name=attack,
    )
    finding = Finding("T1071", attack, 0.9, True, (samples.evidence(doc, 0, 0.9, note=attack),))
    odd = replace(finding, technique=attack)
    analysis = samples.analysis(
        document=doc,
        findings=(finding, odd),
        suggestions=(),
        release=attack,
        warnings=(attack,),
        operating_point=attack,
        inferences=tuple(
            replace(i, technique=attack, name=attack) for i in samples.analysis().inferences
        ),
    )
    text = write(analysis, context)
    text.encode("utf-8")
    tree = lxml_html.document_fromstring(text)
    assert len(tree.cssselect("script")) == len(tree.cssselect("style")) == 1
    assert not tree.cssselect("img, iframe, object, embed, link, base, svg[onload]")
    assert not tree.xpath("//@*[starts-with(name(), 'on')]")
    assert not tree.xpath("//@style")
    for link in tree.cssselect("a"):
        assert re.match(r"#|https://attack\.mitre\.org/techniques/T", link.get("href"))
    shown = attack.translate({0xD800: 0xFFFD, 0x00: 0xFFFD, 0x1B: 0xFFFD})
    assert text_of(tree.get_element_by_id("s0")) == shown


def test_the_page_forbids_itself_the_network(context):
    text = write(samples.analysis(), context)
    tree = lxml_html.document_fromstring(text)
    policy = tree.cssselect("meta[http-equiv='Content-Security-Policy']")[0].get("content")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not tree.xpath("//@src")
    assert "url(" not in text
    assert "@import" not in text


def test_the_same_analysis_gives_the_same_page(context):
    assert write(samples.analysis(), context) == write(samples.analysis(), context)


def test_nothing_found(context):
    tree = page(samples.bare(), context)
    assert "No technique reaches this operating point." in text_of(tree)
    assert not tree.cssselect("mark")


def test_evidence_outside_the_document_does_no_harm(context):
    lost = replace(samples.analysis().findings[0].evidence[0], sentence=999)
    finding = replace(samples.analysis().findings[0], evidence=(lost,))
    assert page(samples.analysis(findings=(finding,)), context) is not None


def large(sentences):
    lines = [
        ("prose" if n % 7 else "heading", n // 40 + 1, f"Sentence {n} ran a tool.")
        for n in range(sentences)
    ]
    doc = samples.document(lines)
    findings = tuple(
        Finding(
            f"T{1000 + n}",
            f"Name {n}",
            1 - n / 100,
            False,
            tuple(samples.evidence(doc, i, 0.8) for i in range(n, sentences, 60)),
        )
        for n in range(60)
    )
    return samples.analysis(document=doc, findings=findings, suggestions=())


def test_a_long_report_stays_small_and_is_written_at_once(context):
    analysis = large(2000)
    started = time.process_time()
    text = write(analysis, context)
    # Ten times what it takes; quadratic work would take far more.
    assert time.process_time() - started < 10
    assert len(text) < 2_000_000


def luminance(colour):
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def over(colour, share, paper):
    """``colour`` ("245 158 11") at ``share`` opacity on ``paper`` ("#fcfbf8")."""
    below = [int(paper[n : n + 2], 16) for n in (1, 3, 5)]
    mixed = [share * int(c) + (1 - share) * b for c, b in zip(colour.split(), below, strict=True)]
    return "#" + "".join(f"{round(c):02x}" for c in mixed)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_is_legible(context, scheme):
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    style = page(samples.bare(), context).cssselect("style")[0].text
    colours = dict(
        re.findall(r"--([\w-]+): ([^;]+);", style.split(":root {")[1 + scheme].split("}")[0])
    )
    paper, panel = colours["paper"], colours["panel"]
    pairs = [
        (ink, ground)
        for ink in ("ink", "soft", "accent", "link", "inf")
        for ground in (paper, panel)
    ]
    pairs += [("mark-ink", over(colours["mark"], share, paper)) for share in (0.16, 0.46)]
    pairs += [("mark-ink", over(colours["sug"], 0.1, paper)), ("ink", colours["warn"])]
    for ink, ground in pairs:
        lighter, darker = sorted((luminance(colours[ink]), luminance(ground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, ground)
