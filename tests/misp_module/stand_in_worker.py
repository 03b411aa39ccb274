"""The real worker with an engine that does what the text says: SLEEP 2, CRASH, HANG."""

from __future__ import annotations

import os
import re
import signal
import time

from engine.types import Analysis, Document, Evidence, Finding
from misp_module import worker


class StandIn:
    def release(self) -> str:
        return "stand-in"

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        if found := re.search(r"SLEEP ([\d.]+)", document.text):
            time.sleep(float(found[1]))
        if "CRASH" in document.text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "STOP" in document.text:
            os.kill(os.getpid(), signal.SIGSTOP)
        evidence = Evidence(0, 0, len(document.text), document.text, "stand-in", 0.9)
        finding = Finding("T1059.001", "PowerShell", 0.9, False, (evidence,))
        return Analysis(document, (finding,), (), (), (), "stand-in", operating_point, "18.1")


if __name__ == "__main__":
    worker.main(StandIn())
