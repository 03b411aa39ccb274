"""A platform with techniques, a ledger, and the harvester between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opencti_double import Element, OpenCTIDouble, RabbitMQ

from connector.harvest_settings import HarvestSettings
from connector.harvester import OpenCTIHarvester
from connector.memory import PLATFORM
from connector.settings import (
    ConnectorSettings,
    OpenCTISettings,
    Settings,
    TtpscribeSettings,
)
from engine.harvest import Harvest
from engine.ledger import Enrichment, Ledger, Verdict, Withdrawal, Written

NAMES = {
    "T1003.001": "LSASS Memory", "T1021.002": "SMB/Windows Admin Shares", "T1047": "WMI",
    "T1059": "Command and Scripting Interpreter", "T1059.001": "PowerShell",
    "T1566.001": "Spearphishing Attachment", "T1490": "Inhibit System Recovery",
}  # fmt: skip
TEXT = "Example Spider dumped the memory of LSASS."


class Scene:
    """A platform with techniques, a ledger, and the harvester between them."""

    def __init__(self, platform: OpenCTIDouble, path: Path) -> None:
        self.platform = platform
        self.ledger = Ledger.open(path)
        self.harvest_settings: dict[str, Any] = {"delay": 0, "quiet_days": 0}
        self.ttpscribe: dict[str, Any] = {"retries": 0, "ledger_url": f"sqlite:///{path}"}
        self.connector_settings: dict[str, Any] = {}
        self.techniques = {
            each: platform.create_attack_pattern(each, name) for each, name in NAMES.items()
        }
        self.bot = platform.person("connector")
        self.opened: list[OpenCTIHarvester] = []

    def harvester(self, **harvest: Any) -> OpenCTIHarvester:
        settings = Settings(
            OpenCTISettings(url=self.platform.url, token=self.platform.token),
            ConnectorSettings(**self.connector_settings),
            TtpscribeSettings(**self.ttpscribe),
            harvest=HarvestSettings(**{**self.harvest_settings, **harvest}),
        )
        self.opened.append(OpenCTIHarvester(settings))
        return self.opened[-1]

    def harvest(self, **harvest: Any) -> Harvest:
        return self.harvester(**harvest).harvest(self.ledger)

    def enriched(self, *techniques: str, name: str = "A report", **more: Any) -> Element:
        """Give a report on which ttpscribe has written techniques, as the ledger knows."""
        report = self.platform.create_report(name, **{"description": TEXT, **more})
        self.write(report, *techniques)
        return report

    def write(self, report: Element, *techniques: str, key: str = "") -> None:
        run = Enrichment(
            platform=PLATFORM, report=key or report.id, digest="d", release="2026-11",
            attack_version="18.1", operating_point="balanced",
        )  # fmt: skip
        self.ledger.begin_enrichment(run)
        self.ledger.record_written(
            *(
                Written(
                    enrichment=run.id, kind="ref", technique=each, probability=0.9,
                    recognizer="svc", evidence=TEXT,
                )
                for each in techniques
            )
        )  # fmt: skip
        self.ledger.finish_enrichment(run.id, "done")
        for each in techniques:
            self.bot.add_ref(report, self.techniques[each])

    def remove(self, report: Element, technique: str) -> None:
        self.platform.analyst.remove_ref(report, self.techniques[technique])

    def add(self, report: Element, technique: str) -> None:
        self.platform.analyst.add_ref(report, self.techniques[technique])

    def feed(self, name: str = "feed") -> Any:
        """Give a connector's user that is not ours."""
        feed = self.platform.person(name)
        given = {"id": f"{name}-connector", "name": name, "type": "EXTERNAL_IMPORT", "scope": []}
        self.platform.works.register(given, feed.user)
        return feed

    def verdicts(self, report: Element) -> dict[str, str]:
        held = self.ledger.current_verdicts(PLATFORM, report.id)
        return {technique: each.verdict for technique, each in held.items()}

    def verdict(self, report: Element, technique: str) -> Verdict:
        return self.ledger.current_verdicts(PLATFORM, report.id)[technique]

    def withdrawn(self, report: Element) -> tuple[tuple[Verdict, Withdrawal], ...]:
        return self.ledger.withdrawn(PLATFORM, report.id)

    def refuse_history(self) -> None:
        body = (
            '{"errors": [{"message": "You are not allowed to do this.", "name": "FORBIDDEN_ACCESS",'
            ' "extensions": {"code": "FORBIDDEN_ACCESS"}}], "data": null}'
        )
        self.platform.fail(operation="LogList", status=200, body=body)

    def rows(self) -> tuple[int, int, int]:
        counts = self.ledger.counts()
        return counts["verdicts"], counts["observations"], counts["curations"]

    def age(self, report: Element, **by: int) -> None:
        """Let the past of a report be longer ago."""
        step = timedelta(**by)
        element = self.platform.element(report)
        for name in ("created_at", "updated_at", "modified"):
            setattr(element, name, earlier(getattr(element, name), step))
        for each in self.platform.events.logs:
            if each["context_data"]["entity_id"] == report.id:
                each["timestamp"] = earlier(each["timestamp"], step)


def earlier(text: str, step: timedelta) -> str:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")) - step
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def queueless_platform() -> Iterator[OpenCTIDouble]:
    """Give an OpenCTI without queues: a harvester needs none."""
    broker = RabbitMQ()
    with OpenCTIDouble(broker) as double:
        yield double
    broker.stop()
    assert not double.crashes, double.crashes[0]
    assert not double.refusals, double.refusals


@contextmanager
def scene_on(platform: OpenCTIDouble, path: Path) -> Iterator[Scene]:
    made = Scene(platform, path)
    yield made
    for each in made.opened:
        each.close()
    made.ledger.close()
