"""The analyst of the loop at the doubles of both platforms: the harvesters hear what was said."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.analysis import Engine
from engine.knowledge import Knowledge
from engine.ledger import Ledger, text_digest
from training.labels import Example, LabelledDocument
from training.labels.verdicts import VerdictSettings, collect
from training.labels.verdicts.evidence import in_text

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
pytest.importorskip("connector.harvester")
pytest.importorskip("misp_module.harvester")
from loop_analyst import Analyst
from loop_platforms import MispPlace, OpenCTIPlace

TEXT = (
    "The group sent a spearphishing email with a malicious attachment to the staff. The macro "
    "started PowerShell to download the second stage. Later the actor dumped the memory of LSASS "
    "with Mimikatz. The files were encrypted and a ransom note was left in report number"
)
TRUE = frozenset({"T1566.001", "T1059.001", "T1486"})
MISSED = "T1497.003"
STALLED = "It waited for a quarter of an hour first."


def test_what_the_analyst_says_on_either_platform_is_what_is_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TTPSCRIBE_MISP_URL", "TTPSCRIBE_MISP_KEY", "TTPSCRIBE_LEDGER_URL"):
        monkeypatch.setenv(name, "")  # given back after the test, whatever the place sets
    knowledge, path = Knowledge.load(), tmp_path / "ledger.sqlite"
    stalled = Example(STALLED, frozenset({MISSED}), "s")
    documents = [
        LabelledDocument(
            f"d{number}", f"{TEXT} {number}. {STALLED}", TRUE | {MISSED}, (stalled,),
            title=f"Report {number}",
        )
        for number in range(4)
    ]  # fmt: skip
    with Ledger.open(path) as ledger:
        places = [OpenCTIPlace(ledger, path), MispPlace(ledger, path)]
        try:
            done = Analyst(ledger, knowledge, places, quoting="all").work(
                Engine.open(None), documents, datetime.now(UTC)
            )
            harvests = [place.harvester.harvest(ledger) for place in places]
            collected = collect(ledger, knowledge, VerdictSettings())
            texts = {(place.platform, report): place.harvester.read(report) for place in places
                     for _, report in ledger.reports(place.platform)}  # fmt: skip
        finally:
            for place in places:
                place.close()
    assert [(one.platform, one.curated) for one in harvests] == [("opencti", 2), ("misp", 2)]
    assert done["rejected"] >= 4
    assert sum(one.verdicts for one in harvests) >= sum(done.values())
    assert len(collected.reports) == 4
    for judged in collected.reports:
        assert judged.complete
        shown = {technique for technique, label in judged.labels.items() if label.shown}
        assert shown >= TRUE | {MISSED}
        assert shown <= knowledge.with_parents(TRUE | {MISSED})
        assert judged.labels["T1003.001"].why == "rejected"
        text = texts[judged.platform, judged.report]
        assert text is not None
        assert "Mimikatz" in text.document.text
        # What the analyst quoted for the technique that was missed is a sentence of the text.
        assert in_text(judged, text.document).pointed[MISSED] == {text_digest(STALLED)}
