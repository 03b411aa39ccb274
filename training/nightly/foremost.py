"""Which of a night's challengers is put forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.releases import Release
from training.gate import Origin, Said, Trial

Decide = Callable[[Said, Said, Sequence[Origin]], Trial]


def foremost(trials: Sequence[tuple[Trial, Release]], decide: Decide) -> tuple[Trial, Release]:
    """Choose among challengers; those that passed the gate come first.

    What was trained anew knows all that what was adapted knows and more, and on ten reports the
    better of two is often the luckier: so adapting is put forward where it would pass the gate
    against the other.

    Parameters
    ----------
    trials : sequence of Trial and Release
        Each challenger against the champion; what was trained anew is the last.
    decide : callable
        The gate: takes what champion and challenger said, and where the documents come from.
    """
    passed = [pair for pair in trials if pair[0].decision.publish]
    best = passed[-1] if passed else trials[-1]
    for other in passed[:-1]:
        trial = decide(best[0].challenger, other[0].challenger, other[0].origins)
        if trial.decision.publish:
            best = other
    return best


def not_put_forward(other: Trial, chosen: Trial) -> str:
    """Say why a challenger is not put forward."""
    first, second = (
        next((m.challenger for m in trial.decision.measures if not m.protects), 0.0)
        for trial in (other, chosen)
    )
    why = f"F1 {first:.3f} on the reports that analysts judged, against {second:.3f} of the other"
    if first > second:
        alone = chosen.decision.publish and not other.decision.publish
        why += "; only the other passed" if alone else "; no better beyond doubt"
    return f"{other.decision.challenger} is not put forward: {why}."
