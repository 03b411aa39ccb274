"""The tables of ``docs/service.md``: run ``python -m engine.service.reference``.

A test fails where the page is not what this would write.
"""

from __future__ import annotations

from pathlib import Path

from engine.reference import between, table
from engine.service.service import Service
from engine.service.settings import SECTION, ServiceSettings

SETTINGS = (
    "<!-- settings: made by python -m engine.service.reference -->",
    "<!-- end of settings -->",
)
METRICS = (
    "<!-- metrics: made by python -m engine.service.reference -->",
    "<!-- end of metrics -->",
)


def metrics() -> str:
    """Return the table of metrics."""
    service = Service(ServiceSettings.model_validate({}))  # the defaults, whatever is set here
    try:
        lines = ["| Metric | Kind | Meaning |", "|---|---|---|"]
        for family in service.metrics.registry.collect():
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            lines.append(f"| `{family.name}{suffix}` | {family.type} | {family.documentation} |")
        return "\n".join(lines)
    finally:
        service.close()


def page(root: Path) -> tuple[Path, str]:
    """Return the page and what it must hold."""
    path = root / "docs" / "service.md"
    text = between(path.read_text(encoding="utf-8"), *SETTINGS, table({SECTION: ServiceSettings}))
    return path, between(text, *METRICS, metrics())


def main() -> None:
    """Write the page."""
    path, content = page(Path(__file__).resolve().parent.parent.parent)
    path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
