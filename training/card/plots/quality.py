"""Plots of how good a release is: precision and recall, reliability, single techniques."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.card.content import (
    Point,
    PrecisionRecall,
    Recommender,
    Reliability,
    TechniqueFigures,
)
from training.card.plots.svg import Plot, Scale

SHAPES = {"precise": ("d", "b"), "balanced": ("s", "a"), "sensitive": ("^", "c")}
CONTOURS = (0.5, 0.6, 0.7, 0.8, 0.9)


def precision_recall(curve: PrecisionRecall, points: Sequence[Point]) -> str:
    """Show precision over recall, lines of equal F1, and the operating points."""
    marks = ", ".join(
        f"{point.name} at precision {point.described_precision:.2f} and recall "
        f"{point.described_recall:.2f}"
        for point in points
    )
    plot = Plot(
        650,
        500,
        "Precision over recall",
        f"Average precision {curve.average_precision:.3f}. Operating points: {marks}.",
        "pr",
    )
    x, y = Scale(0, 1, 56, 596), Scale(0, 1, 440, 34)
    plot.y_axis(y, 56, 596, "Precision", percent=True)
    plot.x_axis(x, 440, 34, "Recall", percent=True)
    for f1 in CONTOURS:
        recalls = [f1 / (2 - f1) + step / 60 * (1 - f1 / (2 - f1)) for step in range(61)]
        line = [(x(r), y(f1 * r / (2 * r - f1))) for r in recalls]
        plot.path(line, "faint dash")
        plot.text(line[0][0] + 4, line[0][1] + 13, f"F1 {f1:g}")
    plot.path([(x(p.recall), y(p.precision)) for p in curve.points], "a-line thick")
    taken: list[tuple[float, float]] = []
    for point in points:
        shape, colour = SHAPES.get(point.name, ("o", "a"))
        at = x(point.described_recall), y(point.described_precision)
        says = (
            f"{point.name}: precision {point.described_precision:.3f}, recall "
            f"{point.described_recall:.3f}, written from {point.write_threshold:.2f}"
        )
        plot.dot(*at, f"{colour} halo", says, radius=6.5, shape=shape)
        _name_point(plot, point.name, *at, taken)
    return plot.svg()


def _name_point(
    plot: Plot, name: str, x: float, y: float, taken: list[tuple[float, float]]
) -> None:
    """Write a name right above a mark, away from the line; left below it at the plot's edge."""
    at_edge = x > 560
    left, base = (x - 11, y + 17) if at_edge else (x + 10, y - 9)
    while any(abs(left - other) < 70 and abs(base - line) < 15 for other, line in taken):
        base += 15
    taken.append((left, base))
    plot.text(left, base, name, "ink strong halo-text", "end" if at_edge else "start")


def reliability(found: Reliability) -> str:
    """Show what was said against what was right, and below how often it was said."""
    said = "; ".join(f"said {b.mean:.2f}, right {b.rate:.2f} of {b.count}" for b in found.bins)
    plot = Plot(
        620,
        590,
        "Reliability of the probabilities",
        f"Expected calibration error {found.error:.3f}. By bin: {said}.",
        "rel",
    )
    x, y = Scale(0, 1, 56, 596), Scale(0, 1, 400, 34)
    plot.y_axis(y, 56, 596, "Right in truth", percent=True)
    for tick in x.ticks():
        plot.line(x(tick), 34, x(tick), 400, "grid")
    plot.line(x(0), y(0), x(1), y(1), "axis dash")
    plot.text(x(0.97), y(0.04), "on the dashed line: as said", anchor="end")
    for part in found.bins:
        tip = (
            f"said {part.mean:.3f}, right {part.rate:.3f} ({part.low:.3f} to {part.high:.3f}), "
            f"{part.count:,} pairs"
        )
        plot.line(x(part.mean), y(part.low), x(part.mean), y(part.high), "a-line thick")
        plot.dot(x(part.mean), y(part.rate), "a halo", tip, radius=5)
    most = max(part.count for part in found.bins)
    counts = Scale(1, max(most, 10), 532, 440, log=True)
    plot.text(16, 428, "Pairs (log scale)", "ink")
    for tick in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000):
        if tick <= most:
            plot.line(56, counts(tick), 596, counts(tick), "grid")
            plot.text(48, counts(tick) + 4.5, f"{tick:,}", anchor="end")
    for part in found.bins:
        left = min(int(part.mean * 10), 9) / 10
        top = counts(part.count)
        height = max(532 - top, 2)
        plot.rect(x(left) + 2, 532 - height, x(0.1) - x(0) - 4, height, "bar", f"{part.count:,}")
    plot.x_axis(x, 532, 532, "Probability said", percent=True)
    return plot.svg()


def by_technique(figures: Sequence[TechniqueFigures], names: Mapping[str, str]) -> str:
    """Show F1 over support, with intervals; the extremes are named."""
    lowest = min(figures, key=lambda one: one.f1.value)
    plot = Plot(
        900,
        470,
        "F1 by technique against its support",
        f"{len(figures)} techniques; lowest {lowest.technique} with {lowest.f1.value:.2f}. "
        "All values are in the table below.",
        "tech",
    )
    most = max(one.support for one in figures)
    x, y = Scale(0.9, max(most * 1.15, 2), 56, 876, log=True), Scale(0, 1, 410, 34)
    plot.y_axis(y, 56, 876, "F1 by document")
    plot.x_axis(x, 410, 34, "Documents that show the technique (log scale)")
    placed: dict[int, int] = {}
    centres: dict[str, tuple[float, float]] = {}
    for one in sorted(figures, key=lambda one: (one.support, -one.f1.value, one.technique)):
        # Techniques of equal support are set side by side.
        again = placed[one.support] = placed.get(one.support, -1) + 1
        at = x(one.support) + (again + 1) // 2 * (-1) ** again * 4.2
        centres[one.technique] = at, y(one.f1.value)
        plot.line(at, y(one.f1.low), at, y(one.f1.high), "faint")
    for one in figures:
        tip = (
            f"{one.technique} {names.get(one.technique, '')}: F1 {one.f1.value:.2f} "
            f"({one.f1.low:.2f} to {one.f1.high:.2f}), precision {one.precision:.2f}, recall "
            f"{one.recall:.2f}, {one.support} documents"
        )
        plot.dot(*centres[one.technique], "a halo", tip, radius=4.5)
    _name_extremes(plot, figures, centres)
    return plot.svg()


def recommenders(found: Sequence[Recommender]) -> str:
    """Show NDCG of every recommender with its interval."""
    height = 70 + 24 * len(found)
    best = found[0]
    plot = Plot(
        620,
        height,
        "Recommenders compared",
        f"Best: {best.name}, NDCG {best.ndcg.value:.3f}.",
        "rec",
    )
    low = min(one.ndcg.low for one in found)
    high = max(one.ndcg.high for one in found)
    pad = (high - low) * 0.1 or 0.05
    x = Scale(max(low - pad, 0), min(high + pad, 1), 150, 596)
    plot.x_axis(x, height - 48, 8, "NDCG of the first 20, on unseen reports")
    for place, one in enumerate(found):
        y = 20 + 24 * place
        tip = f"{one.name}: {one.ndcg.value:.3f} ({one.ndcg.low:.3f} to {one.ndcg.high:.3f})"
        plot.text(142, y + 4.5, one.name, "ink strong" if one.default else "ink", "end")
        plot.line(x(one.ndcg.low), y, x(one.ndcg.high), y, "a-line thick")
        plot.dot(x(one.ndcg.value), y, "a halo", tip, radius=5)
    return plot.svg()


def _name_extremes(
    plot: Plot, figures: Sequence[TechniqueFigures], centres: Mapping[str, tuple[float, float]]
) -> None:
    """Write ids beside the weakest and the most frequent, where there is room for them."""
    weakest = sorted(figures, key=lambda one: (one.f1.value, -one.support))[:8]
    frequent = sorted(figures, key=lambda one: -one.support)[:8]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in centres.values()]
    for one in dict.fromkeys((*weakest, *frequent)):
        x, y = centres[one.technique]
        width = 7.4 * len(one.technique)
        for left, base in ((x + 7, y + 4.5), (x - 7 - width, y + 4.5), (x - width / 2, y - 9),
                           (x - width / 2, y + 18)):  # fmt: skip
            box = (left, base - 11, left + width, base + 2)
            fits = box[0] > 58 and box[2] < 890 and box[3] < 408
            if fits and not any(_overlap(box, other) for other in taken):
                plot.text(left, base, one.technique, "halo-text")
                taken.append(box)
                break


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
