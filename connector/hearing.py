"""Verdicts from what an analyst said in an opinion or a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from connector.changes import Look
from connector.judging import Judged, verdict_on
from connector.known import Known
from connector.opinions import Statement
from engine.remarks import Stance

if TYPE_CHECKING:
    from connector.harvesting import Run

Judgement = Literal["confirmed", "rejected", "added"]


def hear(run: Run, statement: Statement, judged: Judged) -> None:
    """Make verdicts of a statement, for each report that it is about.

    Parameters
    ----------
    run : Run
    statement : Statement
    judged : Judged
        Where they go.
    """
    whose = {run.people.whose(each) for each in statement.writers}
    if whose != {"person"}:
        judged.skipped["own write" if whose == {"own"} else "bot"] += 1
        return
    for look in _meant(run, statement):
        if not run.may_read(look):
            judged.skipped["over TLP"] += 1
            continue
        known = run.recall(look)
        for technique, (stance, confidence) in statement.said.items():
            verdict = _verdict(technique, stance, known)
            if _is_news(technique, verdict, confidence, statement, known):
                judged.verdicts.append(
                    verdict_on(
                        look, known, technique, verdict, "opinion", confidence,
                        statement.who.id, statement.at, statement.origin,
                        quoted=statement.quoted.get(technique),
                    )
                )  # fmt: skip


def _meant(run: Run, statement: Statement) -> list[Look]:
    """Return the reports that it names, or else those that hold the relationship it is about."""
    if statement.reports:
        named = [run.changes.look(kind, each) for kind, each in statement.reports
                 if kind in run.kinds]  # fmt: skip
        return [look for look in named if look is not None]
    held = [
        look
        for each in statement.relationships
        for kind in run.kinds
        for look in run.changes.holding(kind, each)
    ]
    return list({look.id: look for look in held}.values())


def _verdict(technique: str, stance: Stance, known: Known) -> Judgement:
    if stance == "wrong":
        return "rejected"
    return "confirmed" if stance == "right" and technique in known.ours else "added"


def _is_news(
    technique: str, verdict: Judgement, confidence: float, statement: Statement, known: Known
) -> bool:
    """Say whether it changes a mind, is surer than what was known, or says where it shows.

    What came later stands.
    """
    current = known.verdicts.get(technique)
    if current is None:
        return True
    same = (current.verdict == "rejected") == (verdict == "rejected")
    if same and technique in statement.quoted:
        return current.origin != statement.origin
    return statement.at > current.at and not (same and current.confidence >= confidence)
