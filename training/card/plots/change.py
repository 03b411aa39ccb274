"""Plots of what changes: against the champion, over verdicts, over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from training.card.content import Change, Check, LearningPoint, Period
from training.card.plots.svg import Plot, Scale

MOST = 10


def differences(checks: Sequence[Check]) -> str:
    """Show each measure of the gate: challenger minus champion, with its interval."""
    shown = [(check, check.difference) for check in checks if check.difference is not None]
    height = 76 + 34 * len(shown)
    plot = Plot(
        900,
        height,
        "Challenger minus champion",
        "; ".join(f"{check.measure}: {found.value:+.3f}" for check, found in shown),
        "gate",
    )
    reach = max(max(abs(found.low), abs(found.high)) for _, found in shown) * 1.1 or 0.01
    x = Scale(-reach, reach, 330, 876)
    bottom = height - 48
    plot.x_axis(x, bottom, 8, "Difference, with its 95 % interval; right of the line is better")
    plot.line(x(0), 8, x(0), bottom, "axis thick")
    for place, (check, found) in enumerate(shown):
        y = 26 + 34 * place
        colour, shape = ("a", "o") if check.passed else ("b", "d")
        tip = f"{check.measure}: {found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        plot.text(318, y + 4.5, check.measure, "ink", "end")
        plot.line(x(found.low), y, x(found.high), y, f"{colour}-line thick")
        plot.dot(x(found.value), y, f"{colour} halo", tip, radius=5.5, shape=shape)
    return plot.svg()


def changed(changes: Sequence[Change], names: Mapping[str, str]) -> str:
    """Show F1 before and after, of the techniques that changed most in either direction."""
    better = [one for one in changes if one.after > one.before][:MOST]
    worse = [one for one in reversed(changes) if one.after < one.before][:MOST]
    rows = [*better, *reversed(worse)]
    height = 70 + 26 * len(rows)
    plot = Plot(
        900,
        height,
        "Techniques better and worse",
        "; ".join(f"{one.technique} {one.before:.2f} to {one.after:.2f}" for one in rows),
        "chg",
    )
    x, bottom = Scale(0, 1, 400, 876), height - 48
    plot.x_axis(x, bottom, 6, "F1 by document: hollow before, filled after")
    for place, one in enumerate(rows):
        y = 20 + 26 * place
        colour = "a" if one.after > one.before else "b"
        name = f"{one.technique} {_short(names.get(one.technique, ''), 38)}"
        tip = f"{name}: {one.before:.2f} to {one.after:.2f}, {one.support} documents"
        plot.text(388, y + 4.5, name, "ink", "end")
        plot.line(x(one.before), y, x(one.after), y, f"{colour}-line thick")
        plot.dot(x(one.before), y, f"paper {colour}-line thick", tip, radius=4.5)
        plot.dot(x(one.after), y, f"{colour} halo", tip, radius=5.5)
    return plot.svg()


def learning(points: Sequence[LearningPoint], *, alone: bool = False) -> str:
    """Show F1 on the same documents over the number of verdicts."""
    first, last = points[0], points[-1]
    plot = Plot(
        900,
        420,
        "Learning curve",
        f"F1 {first.f1.value:.3f} with {first.verdicts} verdicts, {last.f1.value:.3f} with "
        f"{last.verdicts}.",
        "learn",
    )
    low = min(point.f1.low for point in points)
    high = max(point.f1.high for point in points)
    pad = (high - low) * 0.08 or 0.05
    least, most = min(n.verdicts for n in points), max(n.verdicts for n in points)
    room = (most - least) * 0.04 or 1
    x = Scale(least - room, most + room, 56, 876)
    y = Scale(max(low - pad, 0), min(high + pad, 1), 360, 34)
    plot.y_axis(y, 56, 876, "F1 by document")
    plot.x_axis(x, 360, 34, "Verdicts in the label set")
    path = sorted(points, key=lambda point: (point.verdicts, point.at))
    upper = [(x(n.verdicts), y(n.f1.high)) for n in path]
    lower = [(x(n.verdicts), y(n.f1.low)) for n in reversed(path)]
    plot.path([*upper, *lower], "area", closed=True)
    plot.path([(x(n.verdicts), y(n.f1.value)) for n in path], "a-line thick")
    for point in path:
        tip = (
            f"{point.release}, {point.at:%Y-%m-%d}: F1 {point.f1.value:.3f} "
            f"({point.f1.low:.3f} to {point.f1.high:.3f}), {point.verdicts:,} verdicts, "
            f"{'published' if point.published else 'not published'}"
        )
        at = x(point.verdicts), y(point.f1.value)
        if point.published:
            plot.dot(*at, "a halo", tip, radius=5.5)
        else:
            plot.dot(*at, "paper b-line thick", tip, radius=5, shape="d")
    return plot.svg(alone=alone)


def incoming(periods: Sequence[Period]) -> str | None:
    """Show how texts that come in differ from those of the first period and of training."""
    lines: list[tuple[str, str, str, Callable[[Period], float | None]]] = [
        ("words the release does not know", "a", "o", lambda period: period.unknown_words),
        ("distance from the first period", "b", "d", lambda period: period.novelty),
    ]
    values = [v for _, _, _, of in lines for p in periods if (v := of(p)) is not None]
    if not values:
        return None
    plot = Plot(900, 330, "Incoming text over time", _over_time(periods), "text")
    y = Scale(0, min(max(values) * 1.2 or 0.1, 1), 262, 44)
    x = _places(plot, periods, 262)
    plot.y_axis(y, 56, 876, "Share", percent=True, most=4)
    for number, (label, colour, shape, of) in enumerate(lines):
        known = [(x[place], v, p) for place, p in enumerate(periods) if (v := of(p)) is not None]
        if not known:
            continue
        plot.path([(at, y(value)) for at, value, _ in known], f"{colour}-line thick")
        for at, value, period in known:
            tip = f"{period.begin:%Y-%m-%d}: {100 * value:.1f} % {label}, {period.reports} reports"
            plot.dot(at, y(value), f"{colour} halo", tip, radius=5, shape=shape)
        _legend(plot, number, label, colour, shape)
    return plot.svg()


def corrections(periods: Sequence[Period]) -> str:
    """Show what analysts did with techniques, as shares of each period's verdicts."""
    plot = Plot(900, 330, "Corrections over time", _over_time(periods), "corr")
    y = Scale(0, 1, 262, 58)
    x = _places(plot, periods, 262)
    plot.y_axis(y, 56, 876, "", percent=True, most=4)
    plot.text(16, 22, "Share of verdicts; above, their number", "ink")
    width = min(40.0, 0.7 * 820 / max(len(periods), 1))
    kinds = (("confirmed", "a", "s"), ("added", "c", "s"), ("rejected", "b", "s"))
    for place, period in enumerate(periods):
        counts = (period.confirmed, period.added, period.rejected)
        total, below = sum(counts), 0
        for (name, colour, _), count in zip(kinds, counts, strict=True):
            if count:
                top, bottom = y((below + count) / total), y(below / total)
                tip = f"{period.begin:%Y-%m-%d}: {count} {name} of {total}"
                plot.rect(x[place] - width / 2, top, width, bottom - top, f"{colour} halo", tip)
                below += count
        if total:
            plot.text(x[place], 50, f"{total:,}", anchor="middle")
    for number, (name, colour, shape) in enumerate(kinds):
        _legend(plot, number, name, colour, shape)
    return plot.svg()


def _places(plot: Plot, periods: Sequence[Period], bottom: float) -> list[float]:
    """Return the middle of each period on the axis, and write dates below some of them."""
    step = 820 / max(len(periods), 1)
    places = [56 + step * (number + 0.5) for number in range(len(periods))]
    every = max(1, -(-len(periods) // 10))
    for number in range(0, len(periods), every):
        plot.text(places[number], bottom + 18, f"{periods[number].begin:%d %b %y}", "", "middle")
    plot.line(56, bottom, 876, bottom, "axis")
    return places


def _legend(plot: Plot, number: int, label: str, colour: str, shape: str) -> None:
    left = 62 + 270 * number
    plot.dot(left, 310, colour, radius=5.5, shape=shape)
    plot.text(left + 12, 314.5, label, "ink")


def _over_time(periods: Sequence[Period]) -> str:
    parts = []
    for period in periods:
        words = [f"{period.begin:%Y-%m-%d}: {period.reports} reports"]
        if period.unknown_words is not None:
            words.append(f"{100 * period.unknown_words:.0f} % unknown words")
        words.append(
            f"{period.confirmed} confirmed, {period.added} added, {period.rejected} rejected"
        )
        parts.append(", ".join(words))
    return "; ".join(parts)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"
