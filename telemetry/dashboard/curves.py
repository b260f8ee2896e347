"""What a gate's probabilities were worth: a reliability diagram, and what every threshold would have shown and lost.

From counts by probability (`telemetry.panels.Bin`); pure. Judgements weigh as the gate's learner weighs them, divided by the
propensity of what was decided, so that the few overruled hides stand for all hides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from telemetry.panels import Bin, wilson

GROUPS = 10
FEWEST = 20
"""Fewer judgements than this make no point of their own: they join their neighbours."""

FEWEST_FOR_ERROR = 100
"""Below this many judgements an expected calibration error is mostly noise (the gate's trainer has the same bound)."""

STEPS = 100


def by_gate(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    """For each gate version and stage: its reliability points, expected calibration error, and what thresholds would do."""
    groups: dict[tuple[str, int], list[Bin]] = defaultdict(list)
    for one in bins:
        groups[one.gate, one.stage].append(one)
    return [
        {
            "gate": gate,
            "stage": stage,
            "n": sum(one.n for one in group),
            "labelled": sum(one.labelled for one in group),
            "reliability": reliability(group),
            "ece": expected_error(group),
            "thresholds": thresholds(group),
        }
        for (gate, stage), group in sorted(groups.items())
    ]


def reliability(bins: Sequence[Bin]) -> list[dict[str, float]]:
    """Groups of about equal counts: mean probability said, share that came true, its 95 % interval, and n judgements."""
    return [_point(group) for group in _equal_groups([one for one in bins if one.labelled])]


def expected_error(bins: Sequence[Bin]) -> float | None:
    """The mean distance between said and true over the groups; None with too few judgements."""
    points = reliability(bins)
    n = sum(point["n"] for point in points)
    if n < FEWEST_FOR_ERROR:
        return None
    return sum(point["n"] * abs(point["said"] - point["rate"]) for point in points) / n


def thresholds(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    """For thresholds 0, 0.01 ... 1: the share shown, how many of those would be taken, and the accepts that would be lost.

    ``precision`` is None where nobody judged anything that high; ``lost`` where nothing was ever taken.
    """
    all_n = sum(one.n for one in bins)
    all_taken = sum(one.positive_weight for one in bins)
    return [_threshold(step, bins, all_n, all_taken) for step in range(STEPS + 1)]


def _threshold(step: int, bins: Sequence[Bin], all_n: int, all_taken: float) -> dict[str, Any]:
    above = [one for one in bins if round(one.low * STEPS) >= step]
    n, weight = sum(one.labelled for one in above), sum(one.weight for one in above)
    taken = sum(one.positive_weight for one in above)
    precision = taken / weight if weight else None
    low, high = _interval(precision or 0.0, n, weight)
    return {
        "threshold": step / STEPS,
        "shown": sum(one.n for one in above) / all_n if all_n else 0.0,
        "n": n,
        "precision": precision,
        "low": low,
        "high": high,
        "lost": 1.0 - taken / all_taken if all_taken else None,
    }


def _equal_groups(bins: Sequence[Bin]) -> list[list[Bin]]:
    wanted = max(sum(one.labelled for one in bins) / GROUPS, FEWEST)
    groups: list[list[Bin]] = [[]]
    for one in bins:
        if sum(each.labelled for each in groups[-1]) >= wanted:
            groups.append([])
        groups[-1].append(one)
    if len(groups) > 1 and sum(each.labelled for each in groups[-1]) < FEWEST:
        rest = groups.pop()
        groups[-1] += rest
    return [group for group in groups if group]


def _point(group: Sequence[Bin]) -> dict[str, float]:
    weight, n = sum(one.weight for one in group), sum(one.labelled for one in group)
    said = sum(one.weight * (one.low + 0.5 / STEPS) for one in group) / weight
    rate = sum(one.positive_weight for one in group) / weight
    low, high = _interval(rate, n, weight)
    return {"said": said, "rate": rate, "low": low, "high": high, "n": n}


def _interval(rate: float, n: int, weight: float) -> tuple[float, float]:
    """Judgements that weigh less than one count as less than one; none counts as more than one."""
    counted = min(float(n), weight)
    return wilson(rate * counted, counted)
