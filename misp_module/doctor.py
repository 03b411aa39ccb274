"""MISP, for ``ttpscribe doctor``: what ``ttpscribe misp check`` looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.doctor import Line, State

ROOT = "TTPSCRIBE_MISP_ROOT"
# The doctor's own checks tell of these.
_ELSEWHERE = {"release", "ledger"}
_STATES: dict[str, State] = {"good": "ok", "wrong": "failed", "unknown": "warning"}


def misp() -> Iterator[Line]:
    """Look at the modules server, the instance, the key's rights, galaxies and taxonomies.

    ``TTPSCRIBE_MISP_ROOT`` names the root of the module files, where they should be looked at too.
    """
    from misp_module.check import check
    from misp_module.settings import PREFIX, load

    settled = (f"{PREFIX}URL", f"{PREFIX}MODULES_URL", ROOT)
    if not any(os.environ.get(name) for name in settled):
        yield Line("misp", "unused", f"no {PREFIX}URL, no {PREFIX}MODULES_URL")
        return
    root = os.environ.get(ROOT)
    for one in check(load(), Path(root) if root else None):
        if one.subject not in _ELSEWHERE:
            told = one.told if one.subject == "MISP" else f"{one.subject}: {one.told}"
            yield Line("misp", _STATES[one.state], told)
