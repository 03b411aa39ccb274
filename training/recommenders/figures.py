"""Plots of a training run as SVG, to stand in one page without any other file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from training.recommenders.evaluate import K_CURVE, K, Result
from training.recommenders.metrics import interval
from training.sweeps import TrialResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (7.0, 4.0)


def comparison(results: Sequence[Result]) -> str:
    """NDCG@20 and recall@20 of every recommender with 95% intervals."""
    figure, axes = _figure(2, height=1.2 + 0.35 * len(results))
    for axis, measure in zip(axes, ("ndcg", "recall"), strict=True):
        ordered = sorted(results, key=lambda result: float(result.ndcg[K].mean()))
        for place, result in enumerate(ordered):
            sample = getattr(result, measure)[K]
            low, high = interval(sample)
            axis.plot([low, high], [place, place], color="#4a6b8a", linewidth=2)
            axis.plot([sample.mean()], [place], "o", color="#1f3b57")
        axis.set_yticks(range(len(ordered)), [result.recommender for result in ordered])
        axis.set_xlabel(f"{'NDCG' if measure == 'ndcg' else 'Recall'}@{K}, unseen reports")
    axes[1].set_yticklabels([])
    return _svg(figure)


def k_curves(results: Sequence[Result]) -> str:
    """Recall and NDCG over k."""
    figure, axes = _figure(2, height=SIZE[1])
    for axis, measure in zip(axes, ("recall", "ndcg"), strict=True):
        for number, result in enumerate(results):
            values = [getattr(result, measure)[k].mean() for k in K_CURVE]
            # Ten colours, then the same ten dashed.
            style = "-" if number < 10 else "--"
            axis.plot(K_CURVE, values, style, marker=".", label=result.recommender)
        axis.set_xlabel("k")
        axis.set_ylabel(f"{'NDCG' if measure == 'ndcg' else 'Recall'}@k")
    axes[0].legend(fontsize=7)
    return _svg(figure)


def dimension_sweep(trials: Mapping[str, Sequence[TrialResult]]) -> str | None:
    """Best NDCG@20 over the number of factors, for the factor models of a sweep."""
    lines = {}
    for recommender, results in trials.items():
        best: dict[int, float] = {}
        for trial in results:
            if "factors" in trial.settings:
                factors = int(trial.settings["factors"])
                best[factors] = max(trial.value, best.get(factors, 0.0))
        if best:
            lines[recommender] = sorted(best.items())
    if not lines:
        return None
    figure, (axis,) = _figure(1, height=SIZE[1])
    for recommender, points in lines.items():
        axis.plot(*zip(*points, strict=True), marker="o", label=recommender)
    axis.set_xscale("log", base=2)
    axis.set_xlabel("factors")
    axis.set_ylabel(f"best NDCG@{K}, validation")
    axis.legend(fontsize=7)
    return _svg(figure)


def _figure(columns: int, height: float) -> tuple[Figure, list]:  # type: ignore[type-arg]
    # The object interface: no window system, no state shared with a caller's own plots.
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0] * (1 + 0.4 * (columns - 1)), height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _svg(figure: Figure) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    # A fixed salt and no date: the same run gives the same bytes.
    with mpl.rc_context({"svg.hashsalt": "ttpscribe"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
