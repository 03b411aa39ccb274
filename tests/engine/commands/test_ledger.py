from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from engine.commands.ledger import ledger as command
from engine.errors import LedgerError, UsageError
from engine.ledger import Enrichment, Ledger, Verdict, Withdrawal, Written
from engine.ledger.schema import HEAD


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        for platform in ("opencti", "misp"):
            ledger.record_verdicts(
                *(
                    Verdict(
                        platform=platform,
                        report="r1",
                        technique="T1059",
                        verdict=judged,
                        known_by="history",
                        who="ana [red]",
                        confidence=0.9,
                    )
                    for judged in ("confirmed", "rejected")
                )
            )
        one = Enrichment(
            platform="misp",
            report="r2",
            digest="d" * 64,
            release="one",
            attack_version="18.1",
            operating_point="balanced",
        )
        ledger.begin_enrichment(one)
        ledger.record_written(
            Written(enrichment=one.id, kind="tag", technique="T1", evidence="A sentence.")
        )
    return path


def run(path, *words: str, code: int = 0, given: str | None = None) -> str:
    done = CliRunner().invoke(
        command, ["--ledger", str(path), *words], input=given, catch_exceptions=False
    )
    assert done.exit_code == code, done.output
    return done.stdout


def test_info_says_where_it_is_and_how_much_is_in_it(path):
    shown = run(path, "info")
    assert str(path) in shown
    facts = json.loads(run(path, "info", "--json"))
    assert (facts["reports"], facts["rows"]["verdicts"], facts["schema"]) == (3, 4, HEAD)


def test_verdicts_shows_those_that_hold_or_all(path):
    current = [json.loads(line) for line in run(path, "verdicts", "r1", "--json").splitlines()]
    assert [(v["platform"], v["verdict"]) for v in current] == [
        ("misp", "rejected"),
        ("opencti", "rejected"),
    ]
    table = run(path, "verdicts", "r1", "--platform", "misp", "--all")
    assert "confirmed" in table
    assert "ana [red]" in table
    assert "90%" in table
    assert "No analyst" in run(path, "verdicts", "r2")
    with pytest.raises(UsageError, match="knows no report r9"):
        run(path, "verdicts", "r9")


def test_verdicts_that_were_taken_back_are_shown_with_all(path):
    with Ledger.open(path) as ledger:
        last = ledger.current_verdicts("misp", "r1")["T1059"]
        ledger.withdraw(
            Withdrawal(platform="misp", report="r1", technique="T1059", verdict=last.id)
        )
    one = run(path, "verdicts", "r1", "--platform", "misp", "--json")
    assert [json.loads(one)[key] for key in ("verdict", "withdrawn")] == ["confirmed", None]
    assert "rejected, withdrawn" in run(path, "verdicts", "r1", "--platform", "misp", "--all")
    lines = run(path, "verdicts", "r1", "--platform", "misp", "--all", "--json").splitlines()
    found = {line["verdict"]: line["withdrawn"] is not None for line in map(json.loads, lines)}
    assert found == {"confirmed": False, "rejected": True}


def test_export_and_import_move_a_ledger(path, tmp_path):
    run(path, "export", "--output", str(tmp_path / "out.jsonl"))
    assert "4 verdicts" in run(tmp_path / "new.sqlite", "import", str(tmp_path / "out.jsonl"))
    again = run(tmp_path / "new.sqlite", "export")
    assert again == (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert run(tmp_path / "third.sqlite", "import", "-", given=again).startswith("New: 1 enrich")
    assert run(path, "import", str(tmp_path / "out.jsonl")) == "New: nothing\n"


def test_files_that_cannot_be_used_are_named(path, tmp_path):
    with pytest.raises(UsageError, match=r"missing\.jsonl"):
        run(path, "import", str(tmp_path / "missing.jsonl"))
    with pytest.raises(LedgerError, match="cannot be written"):
        run(path, "export", "--output", str(tmp_path / "none" / "out.jsonl"))


def test_erase_asks_first(path):
    assert (
        "Aborted"
        in CliRunner().invoke(command, ["--ledger", str(path), "erase", "r2"], input="n\n").output
    )
    assert run(path, "erase", "r2", "--yes") == "misp: erased 1 written\n"
    with Ledger.open(path) as ledger:
        assert ledger.written("misp", "r2")[0].evidence is None


def test_prune_takes_an_age(path):
    assert run(path, "prune", "--older-than", "1d", "--yes") == "Gone: nothing\n"
    assert "2 verdicts" in run(path, "prune", "--older-than", "0h", "--yes")
    for age in ("soon", "-1d", "3", "9999999999d"):
        with pytest.raises(UsageError, match="is no age"):
            run(path, "prune", f"--older-than={age}", "--yes")


def test_the_ledger_can_be_named_in_the_environment(path):
    shown = CliRunner().invoke(command, ["info"], env={"TTPSCRIBE_LEDGER_URL": str(path)})
    assert str(path) in shown.output
