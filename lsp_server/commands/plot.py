"""Small line charts as SVG, both axes logarithmic: how a cost grows with the work.

Knows numbers and names; nothing of what they mean. No dependency: a chart of five points needs none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 320, 220, 52, 34, 16, 34
COLOURS = ("#2563eb", "#d97706", "#059669", "#9ca3af")


@dataclass(frozen=True)
class Panel:
    """``series``: for each name the y values at ``x``; ``limit`` is a horizontal line, where there is one."""

    title: str
    x: Sequence[float]
    series: Mapping[str, Sequence[float]]
    limit: float | None = None


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
    across, up = _Scale(panel.x, LEFT, WIDTH - RIGHT), _Scale(values, HEIGHT - BOTTOM, TOP)
    parts = [f'<text x="{LEFT}" y="18" font-size="13" font-weight="600" fill="#111827">{escape(panel.title)}</text>']
    for y in _ticks(values):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in panel.x:
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end" fill="#6b7280">{escape(x_name)}</text>')
    if panel.limit:
        y = up(panel.limit)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dc2626" stroke-dasharray="4 3"/>'
        )
    for colour, (name, ys) in zip(COLOURS, panel.series.items(), strict=False):
        points = [(across(x), up(y)) for x, y in zip(panel.x, ys, strict=True) if y > 0]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        if points and len(panel.series) > 1:
            at = f'x="{points[-1][0]:.1f}" y="{points[-1][1] - 7:.1f}"'
            parts.append(f'<text {at} text-anchor="end" fill="{colour}">{escape(name)}</text>')
    return f'<g transform="translate({left},{top})">{"".join(parts)}</g>'


class _Scale:
    """A logarithmic axis from values to pixels, with a little room at both ends."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        logs = [math.log10(value) for value in values if value > 0] or [0.0]
        spread = max(max(logs) - min(logs), 0.3)
        self._low, self._spread = min(logs) - 0.08 * spread, 1.16 * spread
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (math.log10(value) - self._low) / self._spread * (self._end - self._start)


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2, 5 times powers of ten inside the values; every second one where they are many."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    made = [step * 10.0**power for power in powers for step in (1, 2, 5) if low * 0.9 <= step * 10.0**power <= high * 1.1]
    while len(made) > 6:
        made = made[::2]
    return made
