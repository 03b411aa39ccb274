"""The decision of the gate as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.gate.types import Decision

if TYPE_CHECKING:
    from rich.console import Console


def print_decision(decision: Decision, console: Console) -> None:
    """Print what was compared and what follows."""
    from rich.table import Table

    if decision.measures:
        table = Table(
            title=f"{decision.challenger} against {decision.champion}, on {decision.documents} "
            f"documents held back ({decision.judged} judged by analysts)"
        )
        table.add_column("Measure")
        for title in ("Champion", "Challenger", "Difference", "Verdict"):
            table.add_column(title, justify="right")
        for one in decision.measures:
            between = f"{one.difference.value:+.3f} ({one.difference.low:+.3f} to "
            between += f"{one.difference.high:+.3f})"
            good = "not worse" if one.protects else "better"
            bad = "worse" if one.protects else "not better"
            table.add_row(
                one.title,
                f"{one.champion:.3f}",
                f"{one.challenger:.3f}",
                between,
                good if one.passed else bad,
            )
        console.print(table)
    console.print("Passed." if decision.publish else "Refused.")
    for reason in decision.reasons:
        console.print(f"  {reason}", highlight=False)
