"""Small line charts as SVG: how a cost grows with the work (logarithmic axes), or what becomes of a number (straight ones).

Knows numbers and names; nothing of what they mean. No dependency: a chart of five points needs none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 320, 220, 52, 34, 16, 34
COLOURS = ("#2563eb", "#d97706", "#059669", "#9ca3af")
DOTTED = 8  # more points than that make a line of beads


@dataclass(frozen=True)
class Panel:
    """``series``: for each name the y values at ``x``; ``limit`` is a horizontal line, where there is one. ``straight``: axes
    that are not logarithmic.
    """

    title: str
    x: Sequence[float]
    series: Mapping[str, Sequence[float]]
    limit: float | None = None
    straight: bool = False


def svg(panels: Sequence[Panel], x_name: str) -> str:
    """The panels side by side, three in a row."""
    columns = min(3, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    body = "".join(_panel(panel, x_name, i % columns * WIDTH, i // columns * HEIGHT) for i, panel in enumerate(panels))
    size = f'width="{columns * WIDTH}" height="{rows * HEIGHT}" viewBox="0 0 {columns * WIDTH} {rows * HEIGHT}"'
    style = 'font-family="system-ui, sans-serif" font-size="11" fill="#374151"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}><rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n'
    )


def _panel(panel: Panel, x_name: str, left: int, top: int) -> str:
    values = [y for ys in panel.series.values() for y in ys if y > 0] + ([panel.limit] if panel.limit else [])
    across = _Scale(panel.x, LEFT, WIDTH - RIGHT, panel.straight)
    up = _Scale(values, HEIGHT - BOTTOM, TOP, panel.straight)
    parts = [f'<text x="{LEFT}" y="18" font-size="13" font-weight="600" fill="#111827">{escape(panel.title)}</text>']
    for y in _even(values) if panel.straight else _ticks(values):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in _apart(panel.x, across, 30):
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end" fill="#6b7280">{escape(x_name)}</text>')
    if panel.limit:
        y = up(panel.limit)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dc2626" stroke-dasharray="4 3"/>'
        )
    for colour, ys in zip(COLOURS, panel.series.values(), strict=False):
        points = [(across(x), up(y)) for x, y in zip(panel.x, ys, strict=True) if y > 0]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(points) <= DOTTED:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    if len(panel.series) > 1:
        parts += _names(panel, up)
    return f'<g transform="translate({left},{top})">{"".join(parts)}</g>'


def _names(panel: Panel, up: _Scale) -> list[str]:
    """Each name above the end of its line, moved up where it would lie on another."""
    drawn = zip(COLOURS, panel.series.items(), strict=False)
    last = [([y for y in ys if y > 0][-1:], colour, name) for colour, (name, ys) in drawn]
    ends = [(up(y) - 7, colour, name) for found, colour, name in last for y in found]
    parts, lowest = [], math.inf
    for y, colour, name in sorted(ends, reverse=True):
        lowest = min(y, lowest - 12)
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{lowest:.1f}" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    return parts


class _Scale:
    """An axis from values to pixels, logarithmic or straight, with a little room at both ends."""

    def __init__(self, values: Sequence[float], start: float, end: float, straight: bool = False) -> None:
        self._of = float if straight else math.log10
        at = [self._of(value) for value in values if straight or value > 0] or [0.0]
        spread = max(max(at) - min(at), 0.3)
        self._low, self._spread = min(at) - 0.08 * spread, 1.16 * spread
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (self._of(value) - self._low) / self._spread * (self._end - self._start)


def _apart(values: Sequence[float], across: _Scale, pixels: float) -> list[float]:
    """Those values, from the last one down, whose labels do not lie on each other."""
    kept: list[float] = []
    for value in sorted(values, reverse=True):
        if not kept or across(kept[-1]) - across(value) >= pixels:
            kept.append(value)
    return kept[::-1]


def _even(values: Sequence[float]) -> list[float]:
    """Three to six round values at equal distances."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    rough = max(high - low, 1e-9) / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(one * power for one in (1, 2, 5) if one * power <= rough)
    return [round(n * step, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2, 5 times powers of ten inside the values; every second one where they are many."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    made = [step * 10.0**power for power in powers for step in (1, 2, 5) if low * 0.9 <= step * 10.0**power <= high * 1.1]
    while len(made) > 6:
        made = made[::2]
    return made
