"""The plot of bench/loop.py: F1 on untouched reports, night by night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.card.plots.svg import Plot, Scale

if TYPE_CHECKING:
    from loop_result import Result, Score


def plot(result: Result) -> str:
    """Return an SVG that stands alone."""
    seed, everything = result.seed.f1.value, result.everything.f1.value
    last = result.nights[-1]
    drawing = Plot(
        900,
        470,
        "F1 on untouched reports, night by night",
        f"Seed release {seed:.3f}; night {last.number} learned {last.challenger.f1.value:.3f}, "
        f"in use {last.champion.f1.value:.3f}; everything {everything:.3f}.",
        "loop",
    )
    lines = (
        ("learned that night", "a", "o", [n.challenger for n in result.nights]),
        ("in use, after the gate", "b", "d", [n.champion for n in result.nights]),
    )
    shown = [result.seed, result.everything, *(s for line in lines for s in line[3])]
    low, high = min(s.f1.value for s in shown), max(s.f1.value for s in shown)
    band = [s.f1 for s in lines[0][3]]
    low, high = min(low, *(f.low for f in band)), max(high, *(f.high for f in band))
    x = Scale(0, len(result.nights), 70, 730)
    y = Scale(max(0, low - 0.03), min(1, high + 0.03), 380, 40)
    drawing.y_axis(y, 56, 750, f"F1 by document, mean of {result.split['test']} reports")
    for night in range(len(result.nights) + 1):
        drawing.text(x(night), 398, str(night) if night else "seed", anchor="middle")
    drawing.line(56, 380, 750, 380, "axis")
    drawing.text(400, 420, "Night", "ink", "middle")
    goal = seed + 0.8 * (everything - seed)
    for value, label, kind in (
        (everything, f"everything {everything:.3f}", "axis"),
        (goal, "80 % of the gap", "axis dash"),
        (seed, f"seed release {seed:.3f}", "axis"),
    ):
        drawing.line(56, y(value), 750, y(value), kind)
        drawing.text(756, y(value) + 4.5, label)
    path = [(0, result.seed), *enumerate(lines[0][3], 1)]
    upper = [(x(n), y(s.f1.high)) for n, s in path]
    lower = [(x(n), y(s.f1.low)) for n, s in reversed(path)]
    drawing.path([*upper, *lower], "area", closed=True)
    for place, (label, colour, shape, scores) in enumerate(lines):
        points: list[tuple[int, Score]] = [(0, result.seed), *enumerate(scores, 1)]
        drawing.path([(x(n), y(s.f1.value)) for n, s in points], f"{colour}-line thick")
        for number, score in points:
            tip = (
                f"night {number}: {score.f1.value:.3f} ({score.f1.low:.3f} to {score.f1.high:.3f})"
            )
            drawing.dot(x(number), y(score.f1.value), f"{colour} halo", tip, radius=5, shape=shape)
        drawing.dot(70 + 320 * place, 450, colour, radius=5.5, shape=shape)
        drawing.text(84 + 320 * place, 454.5, label, "ink")
    return drawing.svg(alone=True)
