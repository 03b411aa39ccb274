"""The engine service, for ``ttpscribe doctor``: whether it answers, and with which release."""

from __future__ import annotations

import os
from collections.abc import Iterator

from engine.doctor import Line

ADDRESS = "TTPSCRIBE_DOCTOR_ENGINE"
# In this order: what the doctor is told, what the connector asks, what MISP's modules ask.
ADDRESSES = (ADDRESS, "TTPSCRIBE_ENGINE_URL", "TTPSCRIBE_MISP_ENGINE_URL")


def engine() -> Iterator[Line]:
    """Look at each engine service that the environment names."""
    from engine.knowledge import Knowledge
    from engine.service.client import Client
    from engine.service.errors import ServiceError

    urls = list(dict.fromkeys(os.environ[name] for name in ADDRESSES if os.environ.get(name)))
    if not urls:
        yield Line("engine", "unused", "no engine service is named; the engine runs in process")
    for url in urls:
        client = Client(url, timeout=10, retries=0)
        try:
            serving = client.serving()
        except ServiceError as error:
            yield Line(
                "engine", "failed", str(error),
                "Start it (ttpscribe serve), or see its log. It refuses to start without API keys: "
                "ttpscribe serve keys add NAME",
            )  # fmt: skip
            continue
        yield Line(
            "engine", "ok",
            f"{url} serves release {serving.release}, ATT&CK {serving.attack_version}",
        )  # fmt: skip
        if (ours := Knowledge.load().version) != serving.attack_version:
            yield Line(
                "engine", "warning",
                f"ATT&CK is {ours} here and {serving.attack_version} at {url}",
                "Bring both to the same: ttpscribe knowledge update --stix FILE",
            )  # fmt: skip
