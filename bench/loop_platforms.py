"""The places of bench/loop.py that are platforms: the doubles of the tests, the real harvesters.

In OpenCTI the connector's user puts techniques on reports as the connector would; in MISP the
module's own code reads events and writes into them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loop_analyst import Seen, record

from engine.analysis import Engine
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.types import Analysis, Document
from training.labels import LabelledDocument

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def note_of(quoted: Mapping[str, Sequence[str]]) -> str:
    """Return a note as an analyst writes it: where techniques show."""
    lines = []
    for technique, sentences in quoted.items():
        lines.append(f"{technique}:")
        lines += [f"> {' '.join(sentence.split())}\n" for sentence in sentences]
    return "\n".join(lines)


class OpenCTIPlace:
    """The double of OpenCTI."""

    platform = "opencti"

    def __init__(self, ledger: Ledger, path: Path) -> None:
        from harvest_scene import queueless_platform

        from connector.harvester import OpenCTIHarvester
        from connector.settings import (
            ConnectorSettings,
            HarvestSettings,
            OpenCTISettings,
            Settings,
            TtpscribeSettings,
        )

        self._ledger = ledger
        self._stack = ExitStack()
        self._double = self._stack.enter_context(queueless_platform())
        self._bot = self._double.person("connector")
        self._knowledge = Knowledge.load()
        self._techniques: dict[str, object] = {}
        self.harvester = OpenCTIHarvester(
            Settings(
                OpenCTISettings(url=self._double.url, token=self._double.token),
                ConnectorSettings(),
                TtpscribeSettings(retries=0, ledger_url=f"sqlite:///{path}"),
                harvest=HarvestSettings(delay=0, quiet_days=0),
            )
        )
        self._stack.callback(self.harvester.close)

    def enrich(self, engine: Engine, document: LabelledDocument, at: datetime) -> Seen:
        """Make a report, read it as the platform gives it, and put on it what is found."""
        del at  # The platform has its own time.
        report = self._double.create_report(
            document.title or document.id, description=document.body
        )
        read = self.harvester.read(report.id)
        if read is None or read.digest is None:
            raise RuntimeError(f"the platform gives no text of {document.id}")
        seen = record(
            self._ledger, engine, self.platform, report.id, read.document, read.digest,
            datetime.now(UTC),
        )  # fmt: skip
        for technique in sorted(seen.techniques):
            self._bot.add_ref(report, self._technique(technique))
        return seen

    def correct(
        self, seen: Seen, said: Mapping[str, str], quoted: Mapping[str, Sequence[str]], at: datetime
    ) -> None:
        """Take off, put on, write a note that quotes, and move the report on in its workflow."""
        del at
        analyst = self._double.analyst
        for technique, verdict in said.items():
            if verdict == "rejected":
                analyst.remove_ref(seen.report, self._technique(technique))
            elif verdict == "added":
                analyst.add_ref(seen.report, self._technique(technique))
        if quoted:
            analyst.note(note_of(quoted), seen.report)
        analyst.set_status(seen.report, "ANALYZED")

    def close(self) -> None:
        """Stop the double."""
        self._stack.close()

    def _technique(self, technique: str) -> object:
        if technique not in self._techniques:
            name = self._knowledge.technique(technique).name
            self._techniques[technique] = self._double.create_attack_pattern(technique, name)
        return self._techniques[technique]


@dataclass
class Fixed:
    """An engine for the MISP module; remembers its last analysis."""

    engine: Engine
    last: Analysis | None = None

    def release(self) -> str:
        """Name of the release."""
        return self.engine.release.name

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        """Find the techniques of a document."""
        self.last = self.engine.analyse(document, operating_point, inferences=inferences)
        return self.last


class MispPlace:
    """The double of MISP."""

    platform = "misp"

    def __init__(self, ledger: Ledger, path: Path) -> None:
        from misp_double import MispDouble

        from misp_module import instance, settings
        from misp_module.harvester import from_settings

        del ledger  # The module opens it by its address.
        self._stack = ExitStack()
        self._double = self._stack.enter_context(MispDouble())
        os.environ |= {
            "TTPSCRIBE_MISP_URL": self._double.url,
            "TTPSCRIBE_MISP_KEY": self._double.bot.key,
            "TTPSCRIBE_LEDGER_URL": f"sqlite:///{path}",
        }
        settings.load.cache_clear()
        instance.connect.cache_clear()
        harvester = from_settings()
        if harvester is None:
            raise RuntimeError("the MISP of the environment was not seen")
        self.harvester = harvester
        self._stack.callback(harvester.close)
        self._instance, self._settings = instance.connect(settings.load()), settings
        self._tags = {cluster.external_id: cluster.tag for cluster in self._double.clusters}

    def enrich(self, engine: Engine, document: LabelledDocument, at: datetime) -> Seen:
        """Make an event with the report's text, and let the module write into it."""
        del at
        from misp_module.answer import Answerer
        from misp_module.settings import Options

        event = self._double.event_with(document.title or document.id)
        values = {"name": document.title or document.id, "content": document.body}
        self._double.add_report(event, values)
        analyser = Fixed(engine)
        answerer = Answerer(analyser, self._settings.load)
        answerer.enrich(self._instance, str(event["id"]), Options(event_report=False))
        found = analyser.last.findings if analyser.last is not None else ()
        evidence = {f.technique: f.evidence[0].text for f in found if f.evidence}
        return Seen("", str(event["id"]), "", frozenset(f.technique for f in found), evidence)

    def correct(
        self, seen: Seen, said: Mapping[str, str], quoted: Mapping[str, Sequence[str]], at: datetime
    ) -> None:
        """Delete objects, tag the event, write a note that quotes, and call it complete."""
        del at
        analyst, event = self._double.analyst, self._double.event(seen.report)
        self._double.pass_time(3600)
        for technique, verdict in said.items():
            if verdict == "rejected":
                for element in event["Object"]:
                    if element["Attribute"][0]["value"].split()[0] == technique:
                        analyst.delete(element)
            elif verdict == "added":
                analyst.tag(event, self._tags[technique])
        if quoted:
            analyst.note(event, note_of(quoted))
        analyst.edit(event, analysis="2")
        analyst.tag(event, 'workflow:state="complete"')
        analyst.publish(event)

    def close(self) -> None:
        """Stop the double."""
        self._stack.close()
