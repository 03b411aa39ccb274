"""Show cross-validated figures to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = {
    "document_f1": "F1 by document",
    "document_micro_f1": "F1 of pairs",
    "described_precision": "precision",
    "described_recall": "recall",
    "sentence_micro_f1": "sentence micro F1",
    "sentence_macro_f1": "sentence macro F1",
}


def print_figures(figures: Mapping[str, Any]) -> None:
    """Print the figures of `training.fusion.operating_points.figures` as a table."""
    console = Console()
    table = Table(title=f"Cross-validated on {figures['documents']} documents")
    table.add_column("operating point")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for name in ("precise", "balanced", "sensitive"):
        table.add_row(name, *(_shown(figures[name][column]) for column in COLUMNS))
    console.print(table)
    console.print(
        f"calibration error {figures['calibration_error']:.3f}, "
        f"tactics micro F1 {figures['tactic_micro_f1']:.3f}"
    )


def _shown(value: float | list[float]) -> str:
    if isinstance(value, list):
        return f"{value[0]:.3f} ({value[1]:.3f}-{value[2]:.3f})"
    return f"{value:.3f}"
