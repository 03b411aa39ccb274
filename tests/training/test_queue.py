"""What to judge next."""

from __future__ import annotations

import csv
import io

from click.testing import CliRunner
from small_verdicts import NOON, enrich, judge, site_reports

from engine.errors import ReleaseError
from engine.ledger import Enrichment, Ledger
from training.labels.verdicts import VerdictSettings
from training.queue import queue

SETTINGS = VerdictSettings()


def test_open_reports_that_would_teach_most_come_first_and_differ(site, tmp_path):
    reports = site_reports(24, seed=41)
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        judge(ledger, site.engine, reports[:8])
        for report in reports[8:]:
            enrich(ledger, site.engine, report)
        entries = queue(ledger, site.engine, SETTINGS, 5)
        everything = queue(ledger, site.engine, SETTINGS, 100)
    names = [entry.report for entry in entries]
    assert len(set(names)) == 5
    assert not set(names) & {report.name for report in reports[:8]}
    priorities = [entry.priority for entry in everything]
    assert priorities == sorted(priorities, reverse=True)
    assert priorities[0] == 1.0
    asked = [set(entry.techniques[:1]) for entry in entries]
    assert len(frozenset().union(*asked)) > 1
    assert "%" in entries[0].why


def test_reports_over_the_marking_are_not_asked_for(site, tmp_path):
    report = site_reports(1, seed=43)[0]
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        enrich(ledger, site.engine, report)
        assert queue(ledger, site.engine, SETTINGS, 5)
        ledger.begin_enrichment(
            Enrichment(
                platform="opencti",
                report=report.name,
                digest="d" * 64,
                release="one",
                attack_version="18.1",
                operating_point="balanced",
                tlp="TLP:RED",
                id="secret",
            )
        )
        ledger.finish_enrichment("secret", "done")
        assert queue(ledger, site.engine, SETTINGS, 5) == ()


def test_the_queue_as_csv_marks_the_platforms(site, tmp_path, monkeypatch):
    from engine import harvest
    from training.commands.labels import labels

    marked = {}

    class Platform:
        platform = "opencti"
        down = False

        def read(self, report):
            return None

        def mark(self, entries):
            if self.down:
                raise ReleaseError("OpenCTI does not answer.")  # any error with advice
            marked.update({entry.report: "marked" for entry in entries})
            return marked

        def close(self):
            pass

    class Point:
        name = "opencti"

        def load(self):
            return Platform

    monkeypatch.setattr(harvest, "entry_points", lambda group: [Point()])
    monkeypatch.setattr("engine.analysis.Engine.open", lambda *_: site.engine)
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        for report in site_reports(4, seed=42):
            enrich(ledger, site.engine, report, NOON)
    call = ["--ledger", str(tmp_path / "l.sqlite"), "queue", "--csv", "--mark", "--number", "2"]
    result = CliRunner().invoke(labels, call)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert [row["report"] for row in rows] == list(marked)
    assert {row["mark"] for row in rows} == {"marked"}

    # The list is not lost where a platform is down.
    monkeypatch.setattr(Platform, "down", True)
    result = CliRunner().invoke(labels, call, standalone_mode=False)
    assert result.return_value == ReleaseError.exit_code
    assert "opencti: OpenCTI does not answer." in result.stderr
    assert result.stdout.count("not known") == 2
