"""Alert rules and dashboard: well-formed, and of metrics and labels that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import promql_parser
import pytest
import yaml
from compose import PROJECT
from prometheus_client.metrics_core import Metric

from connector.metrics import Metrics as ConnectorMetrics
from engine.ledger import Ledger
from engine.ledger.records import Enrichment, Verdict, now
from engine.service.deployment import Deployment
from engine.service.service import Service
from engine.service.settings import ServiceSettings
from training.nightly.journal import begin

ALERTS = PROJECT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = PROJECT / "deploy" / "grafana" / "ttpscribe.json"
# What Grafana puts in its place.
INTERVAL = {"$__rate_interval": "5m"}


def rules() -> list[dict[str, Any]]:
    table = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    return [rule for group in table["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text("utf-8"))["panels"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in panels():
        for target in panel.get("targets", ()):
            text = target["expr"]
            for variable, value in INTERVAL.items():
                text = text.replace(variable, value)
            yield text


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every sample that the code can give, with its labels."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("data")
        patch.setenv("TTPSCRIBE_DATA_DIR", str(folder))
        _fill()
        service = Service(ServiceSettings(cores=1, threads=1))
        connector = ConnectorMetrics()
        connector.failures.labels("Unavailable")
        connector.release.info({"release": "2026-11", "attack_version": "18.1"})
        service.metrics.release.info({"release": "2026-11", "attack_version": "18.1"})
        service.metrics.requests.labels("/v1/analyse", "200")
        service.metrics.seconds.labels("/v1/analyse")
        service.metrics.refused.labels("full")
        service.metrics.documents.labels("text/plain")
        families: list[Metric] = []
        for registry in (service.metrics.registry, connector.registry):
            families += registry.collect()
        service.close()
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _fill() -> None:
    begin("fingerprint", "x", timedelta(hours=1), dry_run=False).record("tell", None)
    with Ledger.open() as ledger:
        ledger.journal("opencti", "queue").put("message", "body")
        enrichment = Enrichment(
            platform="opencti", report="r", digest="d", digests={}, release="2026-11",
            attack_version="18.1", operating_point="balanced", at=now(),
        )  # fmt: skip
        name = ledger.begin_enrichment(enrichment)
        ledger.finish_enrichment(name, "done")
        ledger.record_verdicts(
            Verdict(platform="opencti", report="r", technique="T1059", verdict="rejected",
                    known_by="removal", confidence=1.0, at=now())
        )  # fmt: skip


def test_there_is_something_to_test():
    assert len(rules()) >= 15
    assert len(list(expressions())) >= 40


@pytest.mark.parametrize("expression", list(expressions()), ids=lambda text: text[:60])
def test_an_expression_asks_for_what_exists(expression, samples):
    chosen = selectors(expression)
    assert chosen
    for selector in chosen:
        assert selector.name in samples, selector.name
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= samples[selector.name], selector.name
    for aggregated in re.findall(r"by \(([\w, ]+)\)", expression):
        known = set().union(*(samples[selector.name] for selector in chosen))
        assert set(aggregated.split(", ")) <= known | {"instance"}


def test_a_wrong_expression_is_found():
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum(rate(ttpscribe_requests_total[5m])")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: prometheus")
@pytest.mark.parametrize(
    "call", [("check", ALERTS), ("test", PROJECT / "tests" / "deploy" / "alerts_test.yml")]
)
def test_prometheus_takes_the_rules_and_alerts_when_it_should(call):
    action, file = call
    done = subprocess.run(
        ["promtool", action, "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "do"} == set(rule["annotations"])
        assert rule["for"]


def test_commands_that_alerts_name_exist():
    from click.testing import CliRunner

    from engine.commands.main import build

    for call in set(re.findall(r"`ttpscribe ([^`]+)`", ALERTS.read_text(encoding="utf-8"))):
        words = [word for word in call.split() if not word.startswith("-")]
        command = words[:1] if words[0] == "doctor" else words[:2]
        done = CliRunner().invoke(build(), [*command, "--help"])
        assert done.exit_code == 0, call


def test_panels_neither_overlap_nor_leave_the_grid():
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_ledger_being_away_is_told_and_breaks_nothing(monkeypatch):
    monkeypatch.setenv("TTPSCRIBE_LEDGER_URL", "postgresql://nobody@127.0.0.1:1/none")
    told = {each.name: each.samples for each in Deployment().collect()}

    assert told["ttpscribe_ledger_up"][0].value == 0
    assert "ttpscribe_journal_messages" not in told


@cache
def _documented() -> str:
    return (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_metric_of_connector_and_deployment_is_documented():
    families = [*ConnectorMetrics().registry.collect(), *Deployment().collect()]
    missing = [family.name for family in families if f"`{family.name}" not in _documented()]

    assert missing == []
