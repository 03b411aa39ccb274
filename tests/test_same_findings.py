"""The same report, by way of OpenCTI and by way of MISP: the same findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harvest_scene import queueless_platform, scene_on

from connector.analyser import LocalAnalyser as ForOpenCTI
from engine import Engine
from engine.types import Analysis, Document
from misp_module.analyser import LocalAnalyser as ForMisp
from misp_module.reader import Reader
from misp_module.settings import Options, Settings

MARKDOWN = """# Example Spider

The group sent **spearphishing attachments** to banks, ran encoded PowerShell commands, and
dumped the memory of LSASS (T1003.001) to steal credentials.

- It moved on over SMB with stolen administrator accounts.
- It deleted the volume shadow copies before it encrypted the files.
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open()


def findings(analysis: Analysis) -> list[Any]:
    """Return what both must agree in: techniques, probabilities, evidence with its place."""
    return [
        (
            each.technique,
            each.probability,
            [(one.text, one.page, one.recognizer, one.probability) for one in each.evidence],
        )
        for each in (*analysis.findings, *analysis.suggestions)
    ]


@pytest.mark.parametrize("kind", ["pdf", "markdown"])
def test_opencti_and_misp_find_the_same(
    engine: Engine, kind: str, project: Path, tmp_path: Path
) -> None:
    data = (project / "examples" / "copper-lantern.pdf").read_bytes()
    with queueless_platform() as platform, scene_on(platform, tmp_path / "ledger") as scene:
        given: dict[str, Any] = (
            {"files": [("report.pdf", data, "application/pdf")]}
            if kind == "pdf"
            else {"description": MARKDOWN}
        )
        report = platform.create_report("The report", **given)
        text = scene.harvester().read(report.id)  # as an enrichment reads it
        assert text is not None
        in_opencti = ForOpenCTI(engine).analyse(text.document, "balanced", None, 0, {}, frozenset())
    reader = Reader(Options(), Settings())
    document: Document
    if kind == "pdf":
        document = reader.imported(data, "report.pdf", "1").document
    else:
        written = {"EventReport": [{"name": "The report", "uuid": "u", "content": MARKDOWN}]}
        (source,), problems = reader.event(written)
        assert problems == []
        document = source.document
    in_misp = ForMisp().analyse(document, "balanced", 0)
    assert len(in_opencti.findings) >= 3
    assert findings(in_opencti) == findings(in_misp)
