"""Finds ATT&CK techniques in threat reports; usable alone as a library and as a command.

>>> from engine import Engine
>>> analysis = Engine.open().analyse_text("The actor ran powershell.exe -enc to load the tool.")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.knowledge import Knowledge

__all__ = ["Engine", "Knowledge", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import engine` itself stays far under its 0.3 s.
    if name == "Engine":
        from engine.analysis import Engine

        return Engine
    if name == "Knowledge":
        from engine.knowledge import Knowledge

        return Knowledge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
