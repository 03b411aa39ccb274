"""How ``ttpscribe infer`` writes its answer."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.recommenders.base import Row
from engine.types import Analysis, Evidence, Finding, Inference

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

NAME: Final = "Observed techniques"


@dataclass(frozen=True)
class Answer:
    """Everything that an answer may show.

    ``similar`` holds the most similar training rows: row, similarity, techniques in common.
    """

    observed: Mapping[str, float]
    inferences: tuple[Inference, ...]
    similar: Sequence[tuple[Row, float, tuple[str, ...]]]
    recommender: str
    release: str
    knowledge: Knowledge
    explain: bool

    def tactics(self, technique: str) -> list[str]:
        """Names of the technique's tactics."""
        ids = self.knowledge.technique(technique).tactics
        return [self.knowledge.tactic(id_).name for id_ in ids]


def print_table(answer: Answer, width: int) -> None:
    """Print the answer for people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=width, highlight=False)
    observed = ", ".join(answer.observed)
    console.print(f"Observed: {observed}", style="dim")
    if not answer.inferences:
        console.print("Nothing further to infer: all that is left was filtered out or observed.")
        return
    table = Table("", "Technique", "Name", "Tactics", "Score", box=None, pad_edge=False)
    table.columns[0].justify = table.columns[4].justify = "right"
    if answer.explain:
        table.add_column("Because of (share)")
    for place, inference in enumerate(answer.inferences, start=1):
        cells = [
            str(place),
            inference.technique,
            escape(inference.name),
            ", ".join(answer.tactics(inference.technique)),
            f"{inference.score:.2f}",
        ]
        if answer.explain:
            cells.append(_because(inference))
        table.add_row(*cells)
    console.print(table)
    if answer.similar:
        console.print("\n[bold]Most similar in the training data[/]")
        rows = Table("Like", "What", "Title", "In common", box=None, pad_edge=False)
        for row, similarity, common in answer.similar:
            rows.add_row(
                f"{similarity:.2f}", row.kind, escape(row.title or row.url), ", ".join(common)
            )
        console.print(rows)
    console.print(
        f"\nRanked by {answer.recommender} of release {answer.release}. An inference is not in "
        "any report: look for it.",
        style="dim",
    )


def _because(inference: Inference) -> str:
    total = sum(because.weight for because in inference.because)
    return ", ".join(f"{b.technique} {b.weight / total:.0%}" for b in inference.because[:3])


def to_json(answer: Answer) -> str:
    """Return the answer as one JSON object."""
    values = {
        "observed": dict(answer.observed),
        "inferences": [
            {
                "technique": inference.technique,
                "name": inference.name,
                "tactics": list(answer.knowledge.technique(inference.technique).tactics),
                "score": round(inference.score, 6),
                "because": [
                    {"technique": because.technique, "weight": round(because.weight, 6)}
                    for because in inference.because
                ],
            }
            for inference in answer.inferences
        ],
        "recommender": answer.recommender,
        "release": answer.release,
        "attack_version": answer.knowledge.version,
    }
    if answer.explain:
        values["similar"] = [
            {
                "id": row.id,
                "kind": row.kind,
                "title": row.title,
                "url": row.url,
                "similarity": round(similarity, 6),
                "techniques": list(common),
            }
            for row, similarity, common in answer.similar
        ]
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def to_csv(answer: Answer) -> str:
    """Return one row an inference (RFC 4180)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(["rank", "technique", "name", "tactics", "score", "because"])
    for place, inference in enumerate(answer.inferences, start=1):
        because = "; ".join(f"{b.technique} {b.weight:.4f}" for b in inference.because)
        tactics = "; ".join(answer.tactics(inference.technique))
        writer.writerow(
            [
                place,
                inference.technique,
                inference.name,
                tactics,
                f"{inference.score:.6f}",
                because,
            ]
        )
    return buffer.getvalue()


def _through_outputs(form: str) -> Callable[[Answer], str]:
    def write(answer: Answer) -> str:
        from engine.outputs import OUTPUTS, Context

        return OUTPUTS[form].write(as_analysis(answer), Context(answer.knowledge))

    return write


def as_analysis(answer: Answer) -> Analysis:
    """Return the answer as the analysis of a document that is the list of techniques.

    So the layer and the bundle are the same that ``ttpscribe analyse`` writes.
    """
    from engine.documents import from_sentences

    document = from_sentences(list(answer.observed), NAME)
    findings = tuple(
        Finding(
            technique=technique,
            name=answer.knowledge.technique(technique).full_name,
            probability=weight,
            explicit=True,
            evidence=(
                Evidence(
                    sentence=sentence.index,
                    start=sentence.start,
                    end=sentence.end,
                    text=sentence.text,
                    recognizer="given",
                    probability=weight,
                ),
            ),
        )
        for (technique, weight), sentence in zip(
            answer.observed.items(), document.sentences, strict=True
        )
    )
    return Analysis(
        document=document,
        findings=findings,
        suggestions=(),
        tactics=(),
        sentences=(),
        release=answer.release,
        operating_point="as given",
        attack_version=answer.knowledge.version,
        inferences=answer.inferences,
    )


WRITERS: Final[Mapping[str, Callable[[Answer], str]]] = {
    "json": to_json,
    "csv": to_csv,
    "navigator": _through_outputs("navigator"),
    "stix": _through_outputs("stix"),
}
