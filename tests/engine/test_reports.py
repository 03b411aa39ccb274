"""Real report files of every format: each id printed in them is found, and none invented."""

from __future__ import annotations

import json

import pytest

from engine.documents import read_path
from engine.knowledge import Knowledge

FILES = (
    "AA20-302A.pdf",
    "AA20-302A.docx",
    "AA20-302A.html",
    "AEL_OceanLotus_Intelligence_Summary.md",
    "AEL_Sandworm_Intelligence_Summary.md",
    "AEL_fin7_Intelligence_Summary.md",
    "AEL_menuPass_Intelligence_Summary.md",
    "CTID_Campaign_Sample_Report.pdf",
    "CTID_Threat_Actor_Sample_Report.pdf",
    "simple-test.docx",
)


@pytest.fixture(scope="module")
def folder(project):
    path = project.parent / "shared" / "data" / "reports"
    if not path.is_dir():
        pytest.skip("the real reports are not there (../shared/data/reports)")
    return path


@pytest.fixture(scope="module")
def labels(folder):
    rows = map(json.loads, (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["file"]: frozenset(row["labels"]) for row in rows}


@pytest.fixture(scope="module")
def analyses(folder, engine):
    return {name: engine.analyse(read_path(folder / name)) for name in FILES}


def printed(analysis):
    """Explicit findings that rest on an id, with the text that it was read from."""
    text = analysis.document.text
    found = {}
    for finding in analysis.findings:
        for evidence in finding.evidence:
            span = text[evidence.start : evidence.end]
            if evidence.recognizer == "explicit" and span[:2].upper() in {"T0", "T1"}:
                found.setdefault(finding.technique, span)
    return found


def test_the_list_is_complete(labels):
    assert set(labels) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_printed_id_is_an_explicit_finding(analyses, labels, name):
    explicit = {f.technique for f in analyses[name].findings if f.explicit}
    assert labels[name] - explicit == set()


@pytest.mark.parametrize("name", FILES)
def test_no_printed_id_is_invented(analyses, labels, name):
    knowledge = Knowledge.load()
    found = printed(analyses[name])
    allowed = knowledge.with_parents(labels[name])  # evidence of a parent may be its child's
    assert {t: span for t, span in found.items() if t not in allowed} == {}


@pytest.mark.parametrize("point", ["precise", "sensitive"])
def test_at_every_operating_point(engine, folder, labels, point):
    name = "AEL_menuPass_Intelligence_Summary.md"
    findings = engine.analyse(read_path(folder / name), point).findings
    assert labels[name] <= {f.technique for f in findings if f.explicit}


def test_one_advisory_in_three_formats(analyses):
    """The page on the web has a misprint, T1047.001, where the others have T1547.001.

    No such technique exists, so the id stands for nothing; the full name beside it does.
    """
    pdf, docx, html = (
        {f.technique for f in analyses[f"AA20-302A.{suffix}"].findings if f.explicit}
        for suffix in ("pdf", "docx", "html")
    )
    assert pdf == docx == html
    assert "T1547.001" in html
    assert not {"T1047.001", "T1047"} & html
    assert "T1547.001" not in printed(analyses["AA20-302A.html"])


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".pdf")])
def test_evidence_names_its_page(analyses, name):
    pages = analyses[name].document.pages
    for finding in analyses[name].findings:
        assert all(1 <= evidence.page <= pages for evidence in finding.evidence)
