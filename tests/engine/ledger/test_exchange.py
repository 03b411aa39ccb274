from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from engine.ledger import (
    Curation,
    Enrichment,
    Ledger,
    LedgerError,
    Observation,
    OwnFile,
    Verdict,
    Withdrawal,
    Written,
)

NOON = datetime(2026, 5, 4, 12, 0, 0, 987654, tzinfo=UTC)


def fill(ledger: Ledger) -> None:
    for number in range(3):
        at = NOON + timedelta(hours=number)
        report = {"platform": "opencti", "report": f"r{number}", "at": at}
        one = Enrichment(
            digest="d" * 64,
            digests={"Bericht ä.pdf": "e" * 64},
            release="one",
            attack_version="18.1",
            operating_point="balanced",
            **report,
        )
        ledger.begin_enrichment(one, {"d" * 64: 'A text,\nwith "lines" \u2028 漢'})
        ledger.record_written(
            Written(
                enrichment=one.id,
                kind="ref",
                technique="T1059",
                probability=0.1 + 0.2,
                page=3,
                evidence="Ein Satz \U0001f600",
            )
        )
        ledger.record_files(OwnFile(enrichment=one.id, name="a.html", digest="f" * 64))
        ledger.finish_enrichment(one.id, "failed", "No.")
        ledger.finish_enrichment(one.id, "done")
        ledger.observe(Observation(technique="T1059", present=False, who="ana", **report))
        ledger.record_verdicts(
            Verdict(technique="T1059", verdict="rejected", known_by="stream", **report),
            Verdict(technique="T1059", verdict="added", known_by="stream", **report),
        )
        said = Verdict(technique="T1047", verdict="rejected", known_by="opinion", **report)
        ledger.record_verdicts(said)
        ledger.withdraw(Withdrawal(technique="T1047", verdict=said.id, who="ana", **report))
        ledger.record_curations(Curation(known_by="status", digest="d" * 64, **report))
    ledger.set_cursor("opencti", "harvest", "2026-05-04T12:00:00Z")
    ledger.journal("opencti", "q").put("m1", "body")


def exported(ledger: Ledger) -> str:
    stream = io.StringIO()
    ledger.export(stream)
    return stream.getvalue()


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_an_export_imported_elsewhere_is_exported_the_same(url, new_url, target):
    with Ledger.open(url, keep_text=True) as one, Ledger.open(new_url(target)) as other:
        fill(one)
        lines = exported(one)
        counts = other.import_(io.StringIO(lines))

        assert exported(other) == lines
        assert other.current_verdicts("opencti", "r0").keys() == {"T1059"}
        assert counts == {
            "enrichments": 3,
            "outcomes": 6,
            "written": 3,
            "files": 3,
            "observations": 3,
            "verdicts": 9,
            "withdrawals": 3,
            "curations": 3,
            "texts": 3,
            "cursors": 1,
        }
        # Of two verdicts of one moment the later one still holds.
        assert other.added("opencti", "r0") == {"T1059"}
        assert other.last_enrichment("opencti", "r2") == one.last_enrichment("opencti", "r2")
        assert other.written("opencti", "r1") == one.written("opencti", "r1")


def test_importing_again_adds_nothing_and_a_cursor_never_goes_back(ledger, new_url):
    fill(ledger)
    lines = exported(ledger)
    ledger.set_cursor("opencti", "harvest", "later")

    assert set(ledger.import_(io.StringIO(lines)).values()) == {0}
    assert ledger.cursor("opencti", "harvest") == "later"


@pytest.mark.parametrize("number", [1, 2])
def test_an_export_of_before_there_were_curations_or_withdrawals_is_read(ledger, number):
    line = {"table": "cursors", "platform": "p", "name": "n", "value": "v"}
    line["at"] = "2026-05-04T12:00:00+00:00"
    counts = ledger.import_(io.StringIO(f'{{"ledger": {number}}}\n' + json.dumps(line)))
    assert (counts["cursors"], counts["curations"]) == (1, 0)


def test_the_journal_stays_with_its_processes(ledger):
    fill(ledger)
    tables = {json.loads(line).get("table") for line in exported(ledger).splitlines()}
    assert not tables & {"journal", "steps"}


def broken() -> dict[str, tuple[object, str]]:
    row = {"table": "cursors", "platform": "p", "name": "n", "value": "v"}
    at = {"at": "2026-05-04T12:00:00+00:00"}
    return {
        "not JSON": ("{", "Line 2"),
        "a list": ([], "no JSON object"),
        "unknown table": ({"table": "users"}, "no table 'users'"),
        "missing column": (row, "at missing or unknown"),
        "unknown column": ({**row, **at, "x": 1}, "x missing or unknown"),
        "wrong type": ({**row, **at, "value": 3}, "value is 3"),
        "no zone": ({**row, "at": "2026-05-04T12:00:00"}, "no time zone"),
        "null": ({**row, **at, "value": None}, "value is None"),
    }


@pytest.mark.parametrize("what", broken())
def test_a_damaged_export_is_refused_with_its_line_and_nothing_is_kept(tmp_path, what):
    bad, said = broken()[what]
    good = {"table": "cursors", "platform": "p", "name": "g", "value": "v"}
    good["at"] = "2026-05-04T12:00:00+00:00"
    line = bad if isinstance(bad, str) else json.dumps(bad)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        for content, where in (
            (['{"ledger": 1}', line], "Line 2"),
            (['{"ledger": 1}', *[json.dumps(good)] * 501, line], "Line 503"),
        ):
            with pytest.raises(LedgerError, match=where) as caught:
                ledger.import_(io.StringIO("\n".join(content)))
            assert said.replace("Line 2", where) in str(caught.value)
            assert ledger.counts()["cursors"] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "empty"), ('{"table": "cursors"}', "does not name"), ('{"ledger": 4}', "format 4")],
)
def test_what_is_no_export_of_ours_is_refused(tmp_path, content, said):
    with (
        Ledger.open(tmp_path / "ledger.sqlite") as ledger,
        pytest.raises(LedgerError, match=said),
    ):
        ledger.import_(io.StringIO(content))
