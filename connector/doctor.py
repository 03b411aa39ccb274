"""OpenCTI, for ``ttpscribe doctor``: what ``ttpscribe connector check`` looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.doctor import Line

# The doctor's own checks tell of these.
_ELSEWHERE = {"engine", "ledger"}


def opencti() -> Iterator[Line]:
    """Look at the settings, the platform, its version, and the rights of the connector's user."""
    from connector.check import check
    from connector.settings import CONFIG, Settings

    settled = ("OPENCTI_URL", "OPENCTI_TOKEN", CONFIG)
    if not any(os.environ.get(name) for name in settled) and not Path("config.yml").exists():
        yield Line("opencti", "unused", "no OPENCTI_URL, no config.yml")
        return
    settings = Settings.load()
    remote = getattr(settings.ttpscribe, "engine_url", None) is not None
    for line in check(settings):
        if line.part not in _ELSEWHERE or (remote and line.part == "engine"):
            told = line.says if line.part == "OpenCTI" else f"{line.part}: {line.says}"
            yield Line("opencti", line.state, told)
