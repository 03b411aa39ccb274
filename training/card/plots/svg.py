"""Just enough SVG for the plots of a card.

Written by hand rather than drawn by a plotting library: the page's own type and colours hold in
the plots (dark mode too), every mark can carry a text for the pointer and for screen readers, and
the same figures give the same bytes on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

# For a plot that stands alone; on a page the page's own style wins.
STYLE = """
svg.plot { font: 13px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
.plot text { fill: #4d4a44; } .plot .ink { fill: #1d1c1a; } .plot .strong { font-weight: 650; }
.plot .grid { stroke: #e5e1d8; } .plot .axis { stroke: #8b867c; } .plot .faint { stroke: #c9c3b6; }
.plot line, .plot path { fill: none; stroke-width: 1; } .plot .thick { stroke-width: 2.2; }
.plot .a-line { stroke: #0b62a4; } .plot .a { fill: #0b62a4; }
.plot .b-line { stroke: #b3470b; } .plot .b { fill: #b3470b; }
.plot .c-line { stroke: #5d6b2f; } .plot .c { fill: #5d6b2f; }
.plot path.area { fill: #0b62a4; fill-opacity: .14; stroke: none; }
.plot .halo { stroke: #ffffff; stroke-width: 1.4; }
.plot .paper { fill: #ffffff; } .plot .dash { stroke-dasharray: 5 4; } .plot .bar { fill: #c9c3b6; }
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale from values to pixels; ``log`` for counts over several magnitudes."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, kept within the scale."""
        low, high, at = (
            (math.log(part) if self.log else part)
            for part in (self.low, self.high, min(max(value, self.low), self.high))
        )
        share = (at - low) / (high - low) if high > low else 0.5
        return self.begin + share * (self.end - self.begin)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values on the scale."""
        if self.log:
            steps = [m * 10.0**e for e in range(-3, 9) for m in (1, 2, 5)]
            return [step for step in steps if self.low <= step <= self.high]
        span = (self.high - self.low) or 1.0
        raw = span / most
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw - 1e-12)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return [round((first + number) * step, 10) for number in range(count)]


@dataclass(slots=True)
class Plot:
    """An SVG that grows by its marks, with a title and a description for screen readers."""

    width: int
    height: int
    title: str
    description: str
    name: str
    marks: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Add a straight line."""
        self.marks.append(
            f'<line class="{kind}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'
        )

    def path(
        self, points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False
    ) -> None:
        """Add a line through points, or the area within."""
        if points:
            steps = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
            self.marks.append(f'<path class="{kind}" d="M{steps}{"Z" if closed else ""}"/>')

    def rect(
        self, x: float, y: float, width: float, height: float, kind: str, tip: str = ""
    ) -> None:
        """Add a rectangle."""
        shape = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
        self.marks.append(f'<rect class="{kind}" {shape}>{_tip(tip)}</rect>')

    def dot(
        self, x: float, y: float, kind: str, tip: str = "", *, radius: float = 4, shape: str = "o"
    ) -> None:
        """Add a mark: ``o`` a circle, ``s`` a square, ``d`` a diamond, ``^`` a triangle."""
        if shape == "o":
            where = f'cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"'
            self.marks.append(f'<circle class="{kind}" {where}>{_tip(tip)}</circle>')
            return
        r = radius * (0.9 if shape == "s" else 1.25)
        corners = {
            "s": ((-r, -r), (r, -r), (r, r), (-r, r)),
            "d": ((0, -r), (r, 0), (0, r), (-r, 0)),
            "^": ((0, -r), (r, r * 0.8), (-r, r * 0.8)),
        }[shape]
        points = " ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in corners)
        self.marks.append(f'<polygon class="{kind}" points="{points}">{_tip(tip)}</polygon>')

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Add a text; ``anchor`` is start, middle or end."""
        said = f' class="{kind}"' if kind else ""
        placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.marks.append(f'<text{said} x="{_n(x)}" y="{_n(y)}"{placed}>{escape(words)}</text>')

    def x_axis(
        self, scale: Scale, y: float, top: float, label: str, *, percent: bool = False
    ) -> None:
        """Add ticks below a line, a grid above, and the axis' name."""
        for tick in scale.ticks():
            self.line(scale(tick), top, scale(tick), y, "grid")
            self.text(scale(tick), y + 18, tick_text(tick, percent=percent), anchor="middle")
        self.line(scale.begin, y, scale.end, y, "axis")
        self.text((scale.begin + scale.end) / 2, y + 38, label, "ink", "middle")

    def y_axis(
        self,
        scale: Scale,
        x: float,
        right: float,
        label: str,
        *,
        percent: bool = False,
        most: int = 6,
    ) -> None:
        """Add ticks left of a line, a grid right of it, and the axis' name on top."""
        for tick in scale.ticks(most):
            self.line(x, scale(tick), right, scale(tick), "grid")
            self.text(x - 8, scale(tick) + 4.5, tick_text(tick, percent=percent), anchor="end")
        self.text(x - 40, scale.end - 14, label, "ink")

    def svg(self, *, alone: bool = False) -> str:
        """Return the SVG, with a style of its own where it is to stand alone."""
        style = f"<style>{STYLE}</style>" if alone else ""
        ground = f'<rect class="paper" width="{self.width}" height="{self.height}"/>'
        space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
        return (
            f'<svg{space} class="plot" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-labelledby="{self.name}-t {self.name}-d">'
            f'<title id="{self.name}-t">{escape(self.title)}</title>'
            f'<desc id="{self.name}-d">{escape(self.description)}</desc>'
            f"{style}{ground if alone else ''}{''.join(self.marks)}</svg>"
        )


def tick_text(value: float, *, percent: bool = False) -> str:
    """Return a number as an axis shows it."""
    if percent:
        return f"{100 * value:.0f} %"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 2 else f"{value:g}"


def _n(value: float) -> str:
    """Return a coordinate: a tenth of a pixel is enough, and keeps the page small."""
    return f"{value:.1f}".removesuffix(".0")


def _tip(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""
