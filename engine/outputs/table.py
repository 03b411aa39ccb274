"""The table for people: what was found, how sure it is, and the sentence that proves it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.outputs.base import Context
from engine.outputs.evidence import place, ranked, sentence_text, tactic_names
from engine.outputs.text import one_line, percent
from engine.types import Analysis, Document, Finding, Inference

EVIDENCE_LIMIT = 320
NARROW = 110  # below this many columns the tactics would squeeze the evidence out


def write(analysis: Analysis, context: Context) -> str:
    """Return the tables of one analysis as text of ``context.width`` columns."""
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=context.width,
        force_terminal=context.colour,
        color_system="standard" if context.colour else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
    )
    console.print(Group(*_parts(analysis, context)))
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "\n".join(lines) + "\n"


def _parts(analysis: Analysis, context: Context) -> Iterator[RenderableType]:
    yield _title(analysis)
    for warning in analysis.warnings:
        yield Text.assemble(("Warning: ", "bold yellow"), one_line(warning))
    if analysis.findings:
        yield _findings("Findings", analysis, analysis.findings, context)
    else:
        yield Text("\nNo technique reaches this operating point.")
    if analysis.suggestions:
        title = "Suggestions: less sure, for you to decide"
        yield _findings(title, analysis, analysis.suggestions, context)
    if analysis.tactics:
        yield _tactics(analysis)
    if analysis.inferences:
        yield _inferences(analysis.inferences)


def _title(analysis: Analysis) -> Text:
    count = len(analysis.findings)
    parts = [f"{count} finding{'' if count == 1 else 's'}"]
    if analysis.suggestions:
        more = len(analysis.suggestions)
        parts.append(f"{more} suggestion{'' if more == 1 else 's'}")
    parts += [
        f"operating point {analysis.operating_point}",
        f"ATT&CK {analysis.attack_version}",
        f"release {one_line(analysis.release)}",
    ]
    return Text.assemble(
        (one_line(analysis.document.name), "bold"), "\n", (" · ".join(parts), "dim")
    )


def _findings(
    title: str, analysis: Analysis, findings: Iterable[Finding], context: Context
) -> Table:
    wide = context.width >= NARROW
    table = _table(title)
    table.add_column("Technique", style="bold cyan", no_wrap=True)
    table.add_column("Name", max_width=30 if wide else 18, overflow="fold")
    if wide:
        table.add_column("Tactics", max_width=20, overflow="fold", style="dim")
    table.add_column("Prob.", justify="right", no_wrap=True)
    table.add_column("Evidence", ratio=1, overflow="fold")
    for finding in findings:
        cells: list[RenderableType] = [Text(finding.technique), Text(one_line(finding.name))]
        if wide:
            cells.append(Text(", ".join(tactic_names(context.knowledge, finding.technique))))
        cells += [Text(percent(finding.probability)), _proof(analysis.document, finding)]
        table.add_row(*cells)
    return table


def _proof(document: Document, finding: Finding) -> Text:
    text = Text("named  ", style="bold green") if finding.explicit else Text()
    evidence = ranked(finding)
    if not evidence:
        return text.append("the document as a whole", style="dim")
    text.append(one_line(sentence_text(document, evidence[0]), EVIDENCE_LIMIT), style="default")
    text.append("  " + place(evidence[0]).replace(" ", "\u00a0"), style="dim")
    if len(evidence) > 1:
        text.append(f", {len(evidence) - 1} more", style="dim")
    return text


def _tactics(analysis: Analysis) -> RenderableType:
    line = Text()
    for score in analysis.tactics:
        if line:
            line.append("  ·  ", style="dim")
        # No-break spaces keep a name and its probability on one line.
        line.append(one_line(score.name).replace(" ", "\u00a0"))
        line.append("\u00a0" + percent(score.probability), style="dim")
    return Group(Text("\nTactics", style="bold"), Padding(line, (0, 1)))


def _inferences(inferences: Iterable[Inference]) -> Table:
    table = _table("Inferences: not in the text, but likely given the findings")
    table.add_column("Technique", style="bold magenta", no_wrap=True)
    table.add_column("Name", ratio=2, overflow="fold")
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Because of", ratio=3, overflow="fold", style="dim")
    for inference in inferences:
        because = ", ".join(reason.technique for reason in inference.because)
        table.add_row(
            Text(inference.technique),
            Text(one_line(inference.name)),
            Text(f"{inference.score:.2f}"),
            Text(because),
        )
    return table


def _table(title: str) -> Table:
    return Table(
        title="\n" + title,
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        expand=True,
        pad_edge=False,
        padding=(0, 1),
        collapse_padding=True,
    )
