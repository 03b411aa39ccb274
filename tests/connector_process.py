"""Connectors in processes of their own, to be killed.

This process imports everything and opens the release once; for every line of JSON on its
standard input it forks a connector with that environment, and answers with its process id.
A connector with ``kill_at`` kills itself with SIGKILL when it comes to that point.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from pycti.connector import opencti_connector_helper as pycti
from pycti.connector.opencti_connector_helper import ListenQueue

from connector.analyser import LocalAnalyser
from connector.connector import Connector
from connector.settings import Settings
from engine import Engine


class Impatient:
    """The clock, for pycti: it waits ten seconds before it connects to the queue again."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, 0.5))


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def serve(order: dict[str, Any], analyser: LocalAnalyser) -> None:
    os.environ.update(order["environment"])
    kill_at = order.get("kill_at")
    pycti.time = Impatient()
    connector = Connector.open(
        Settings.load(), analyser=analyser, at=lambda step: die() if step == kill_at else None
    )
    if kill_at == "before the acknowledgement":
        ListenQueue._process_message = lambda *_: die()
    if kill_at == "announced":
        connector.helper._send_bundle = lambda *_, **__: die()
    if kill_at == "half sent":
        send, counted = connector.helper._send_bundle, iter(range(1000))
        connector.helper._send_bundle = lambda *given, **named: (
            die() if next(counted) == 4 else send(*given, **named)
        )
    connector.run()
    connector.close()


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
    analyser = LocalAnalyser(Engine.open())
    tell("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sys.stdin.close()
            try:
                serve(json.loads(line), analyser)
            except BaseException as error:
                sys.stderr.write(f"connector ended: {error!r}\n")
                os._exit(1)
            os._exit(0)
        tell(str(child))


if __name__ == "__main__":
    main()
