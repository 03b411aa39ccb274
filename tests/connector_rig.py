"""A connector for tests, against the double: in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opencti_double import Element, OpenCTIDouble, Work

from connector import enrichment
from connector.connector import Connector
from connector.settings import ConnectorSettings, OpenCTISettings, Settings, TtpscribeSettings
from engine.errors import LedgerError

CONNECTOR_ID = "22222222-bbbb-4bbb-8bbb-222222222222"
LSASS = "Example Spider dumped LSASS memory with Mimikatz to steal credentials (T1003.001)."
STORY = (
    "Example Spider sent spearphishing attachments (T1566.001) to banks. The group then ran "
    "encoded PowerShell commands (T1059.001) on the first machines."
)
PDF_SENTENCE = "Example Spider used WMI (T1047) to run commands remotely."
DOCX_SENTENCE = "Example Spider deleted the volume shadow copies (T1490) before it left."
CONTENT = (
    "<h1>Full story</h1><p>EXAMPLE SPIDER dumped LSASS memory (T1003.001) and moved laterally "
    "over SMB (T1021.002).</p>"
)


class Rig:
    """Settings and the connectors made of them."""

    def __init__(self, platform: OpenCTIDouble, ledger: str, **ttpscribe: Any) -> None:
        self.platform = platform
        self.ledger = ledger
        self.ttpscribe: dict[str, Any] = {
            "retries": 1, "read_back_timeout": 20, "lease": 2, "ledger_url": ledger,
            # Only what the texts name: the tests hold with any release.
            "threshold": 0.9, **ttpscribe,
        }  # fmt: skip
        self.connector_settings: dict[str, Any] = {
            "id": CONNECTOR_ID, "name": "ttpscribe", "log_level": "error",
        }  # fmt: skip
        self.analyser: Any = None
        self.opened: list[Connector] = []
        self._stops: list[Callable[[], None]] = []

    def settings(self) -> Settings:
        return Settings(
            OpenCTISettings(url=self.platform.url, token=self.platform.token, json_logging=False),
            ConnectorSettings(**self.connector_settings),
            TtpscribeSettings(**self.ttpscribe),
        )

    def open(self, at: Callable[[str], None] = lambda step: None) -> Connector:
        """Register a connector in this process."""
        connector = Connector.open(self.settings(), analyser=self.analyser, at=at)
        self.opened.append(connector)
        return connector

    def serve(self, connector: Connector | None = None) -> Connector:
        """Let a connector consume the queue, in threads of this process."""
        connector = connector or self.open()
        thread = threading.Thread(target=connector.run, daemon=True)
        thread.start()
        self._stops.append(lambda: connector.stop(10))
        return connector

    def enrich(self, report: Element, timeout: float = 60) -> Work:
        """Ask as the analyst does, and wait for the end of the work."""
        return self.wait(self.platform.ask_enrichment(report, CONNECTOR_ID), timeout)

    def wait(self, work_id: str, timeout: float = 60) -> Work:
        """Wait until a work is imported, and the connector has said how it ended."""
        end = time.monotonic() + timeout
        work = self.platform.work(work_id)
        while work.processed_time is None or work.status != "complete":
            if time.monotonic() > end:
                raise TimeoutError(f"work not done after {timeout:.0f} s: {work}")
            time.sleep(0.02)
        return work

    def environment(self) -> dict[str, str]:
        """Return the settings as environment variables."""
        named = {f"TTPSCRIBE_{key.upper()}": str(value) for key, value in self.ttpscribe.items()}
        named |= {f"CONNECTOR_{k.upper()}": str(v) for k, v in self.connector_settings.items()}
        return {
            **os.environ,
            **named,
            "OPENCTI_URL": self.platform.url,
            "OPENCTI_TOKEN": self.platform.token,
            "OPENCTI_JSON_LOGGING": "false",
        }

    def close(self) -> None:
        for stop in self._stops:
            stop()
        for connector in self.opened:
            connector.close()


class Processes:
    """Connectors in processes of their own; see `connector_process`."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("connector_process.py")
        self._parent = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._running: set[int] = set()
        assert self._answer() == "ready"

    def start(self, rig: Rig, kill_at: str | None = None) -> int:
        """Start a connector; return its process id."""
        order = {"environment": rig.environment(), "kill_at": kill_at}
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        process = int(self._answer())
        self._running.add(process)
        return process

    def kill(self, process: int) -> None:
        """End a connector as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        self._running.discard(process)

    def wait_for_death(self, process: int, timeout: float = 60) -> None:
        """Wait until a connector has killed itself."""
        end = time.monotonic() + timeout
        while Path(f"/proc/{process}").exists():
            if time.monotonic() > end:
                raise TimeoutError(f"connector {process} is still alive")
            time.sleep(0.02)
        self._running.discard(process)

    def kill_all(self) -> None:
        for process in list(self._running):
            self.kill(process)

    def close(self) -> None:
        self.kill_all()
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait(30)

    def _answer(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()


def once_away(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Let the ledger fail once, when an analysis is to be recorded; empty when it did."""
    left: list[Exception] = [LedgerError("The ledger cannot be used: the server is shutting down.")]
    record = enrichment.record

    def away(*given: Any) -> None:
        if left:
            raise left.pop()
        record(*given)

    monkeypatch.setattr(enrichment, "record", away)
    return left


def example(
    platform: OpenCTIDouble, name: str = "Example Spider targets banks", **more: Any
) -> Element:
    """Create a report as the issue's analyst has it: a threat, texts."""
    spider = platform.create("Intrusion-Set", name="Example Spider", aliases=["ES Group"])
    given: dict[str, Any] = {"description": STORY, "content": CONTENT, "objects": [spider]}
    return platform.create_report(name, **{**given, **more})


def pdf(*lines: str) -> bytes:
    """Return a one-page PDF."""
    shown = "".join(f"({line.replace('(', chr(92) + '(').replace(')', chr(92) + ')')}) Tj 0 -16 Td "
                    for line in lines)  # fmt: skip
    stream = f"BT /F1 11 Tf 40 760 Td {shown}ET"
    return (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        "/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
        f"4 0 obj<</Length {len(stream)}>>stream\n{stream}\nendstream endobj\n"
        "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
        "trailer<</Root 1 0 R>>\n%%EOF\n"
    ).encode("latin-1")


def docx(*paragraphs: str) -> bytes:
    """Return a Word document."""
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{each}</w:t></w:r></w:p>" for each in paragraphs)
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
            'officedocument.wordprocessingml.document.main+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{relations}/officeDocument" '
            'Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{space}"><w:body>{body}</w:body></w:document>',
        )
    return packed.getvalue()
