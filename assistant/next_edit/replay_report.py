"""What a replay says in figures: how often something is shown, how often it is right, and what that costs.

Takes moments with their candidates and a ranker; knows nothing of texts. Moments of one commit resemble each other, so
intervals come from drawing whole commits anew (bootstrap, 95 %).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.next_edit.complete import RULE as COMPLETE
from assistant.next_edit.prompted import arbitrated
from assistant.next_edit.rank import ENOUGH, EXACT, NEAR_ROWS
from assistant.next_edit.ranker import Ranker
from assistant.next_edit.replay_run import Item, Seen, is_judged

FINISHED, TYPING, MODEL = "finished", "typing", "model"
WAYS = ("nothing", "patterns", "ranked patterns", "with the model")
"""No suggestion at all; the rules' first word; the rules, ranked; the rules and the model, ranked."""
RESAMPLES = 200
LEAST_SHOWN = 10
"""Shown edits from which a share is read off the curve."""


@dataclass(frozen=True)
class Choice:
    """The likeliest edit of a moment, or none; ``least`` is the probability from which it is shown."""

    seen: Seen
    item: Item | None
    probability: float = 0.0
    least: float = 0.0

    @property
    def is_shown(self) -> bool:
        return self.item is not None and self.probability >= self.least

    @property
    def exact(self) -> bool:
        return self.item is not None and self.item.exact

    @property
    def position(self) -> bool:
        return self.item is not None and self.item.position


def report(seen: Sequence[Seen], ranker: Ranker, has_model: bool, eagerness: str = "balanced") -> dict[str, Any]:
    """The object that ``--json`` prints: each way of choosing, and the last one taken apart."""
    ways = WAYS if has_model else WAYS[:3]
    chosen = {way: [choose(one, ranker, way, eagerness) for one in seen] for way in ways}
    best = chosen[ways[-1]]
    return {
        "moments": _counts(seen),
        "ways": {way: figures(choices) for way, choices in chosen.items()},
        "curve": {way: curve(chosen[way]) for way in ways[2:]},
        "learned_thresholds": {way: learned(chosen[way], ranker, way) for way in ways[2:]},
        "by": {
            "rule": _split([one for one in best if one.item], lambda one: one.item.rule if one.item else ""),
            "language": _split(best, lambda one: one.seen.language),
            "kind": _split(best, lambda one: one.seen.kind),
            "order": _split(best, lambda one: one.seen.order),
            "repository": _split(best, lambda one: one.seen.repository),
        },
        "latency_ms": latency(seen),
        "ranker": ranker.id,
        "eagerness": eagerness,
    }


def choose(seen: Seen, ranker: Ranker, way: str, eagerness: str = "balanced") -> Choice:
    """What that way would show in a moment. Edits that bring a syntax error are passed over, as the product does."""
    items = [item for item in seen.items if item.breaks != 1]
    if way != WAYS[3]:
        items = [_by_rules(item) for item in items if item.rule not in (MODEL, COMPLETE)]
    if way == WAYS[1]:
        first = min(items, key=lambda item: (-item.features["support"], item.features["away"]), default=None)
        return Choice(seen, first, float(first is not None), 0.5)
    if way == WAYS[0] or not items:
        return Choice(seen, None)
    judged = way == WAYS[3]
    found = [Choice(seen, item, weigh(item, ranker, judged), _least(item, ranker, judged, eagerness)) for item in items]
    return max(found, key=lambda one: (_is_first(one.item), one.is_shown, one.probability))


def _by_rules(item: Item) -> Item:
    """The item as it is where no model completes the line."""
    if f"also:{COMPLETE}" not in item.features:
        return item
    return replace(item, features={name: value for name, value in item.features.items() if COMPLETE not in name.split(":")})


def _least(item: Item, ranker: Ranker, judged: bool, eagerness: str) -> float:
    """As `rank.threshold` and `rank.passes` have it."""
    share = EXACT[eagerness][0 if is_near(item) else 1]
    return 0.0 if item.proven else min(ENOUGH, ranker.threshold(share, judged and is_judged(item)))


def _is_first(item: Item | None) -> float:
    """More than 0 for what the latest change proves, and more the nearer it is: the product shows it before anything else."""
    is_first = item is not None and item.proven and item.features.get("own:recent") == 1.0
    return 1 / (1 + item.features["away"]) if item is not None and is_first else 0.0


def weigh(item: Item, ranker: Ranker, judged: bool) -> float:
    p = ranker.weigh(item.features, judged and is_judged(item))
    return arbitrated(p, item.features.get("chance"), item.rule, item.features) if judged else p


def is_near(item: Item) -> bool:
    """Whether it is seen without a jump."""
    return item.features.get("here", 0.0) > 0 and item.features["away"] <= math.log1p(NEAR_ROWS) + 1e-6


def figures(choices: Sequence[Choice]) -> dict[str, Any]:
    """Shares at the choices' own thresholds, each with n and a 95 % interval."""
    unfinished = [one for one in choices if one.seen.kind != FINISHED]
    between = [one for one in unfinished if one.seen.kind != TYPING]
    finished = [one for one in choices if one.seen.kind == FINISHED]
    shown = [one for one in unfinished if one.is_shown]
    every = [one for one in choices if one.is_shown and one.item is not None]
    characters = sum(one.item.reversal for one in every if one.item is not None)
    return {
        "coverage": _share(unfinished, lambda one: one.is_shown),
        "coverage_between": _share(between, lambda one: one.is_shown),
        "exact_precision": _share(shown, lambda one: one.exact),
        "position_precision": _share(shown, lambda one: one.position),
        "exact_recall": _share(unfinished, lambda one: one.is_shown and one.exact),
        "false_show": _share(finished, lambda one: one.is_shown),
        "reversal": {"share": characters / max(1, len(every)), "n": len(every)},
        "parse_break": _share(every, lambda one: one.item is not None and one.item.breaks == 1),
    }


def curve(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Coverage of the unfinished moments, by the exact precision that a threshold reaches on these very moments."""
    rows: list[dict[str, Any]] = []
    finished = [one for one in choices if one.seen.kind == FINISHED]
    for name, kinds in (("all", lambda kind: kind != FINISHED), ("between", lambda kind: kind not in (FINISHED, TYPING))):
        mine = [one for one in choices if kinds(one.seen.kind)]
        order = sorted((one for one in mine if one.item is not None), key=lambda one: -one.probability)
        for share in (0.8, 0.7, 0.6, 0.5, 0.4):
            shown = _longest(order, share)
            if shown:
                least = order[shown - 1].probability
                rows.append(
                    {
                        "moments": name,
                        "exact_precision": share,
                        "coverage": shown / len(mine),
                        "shown": shown,
                        "of": len(mine),
                        "probability": least,
                        "position_precision": sum(one.position for one in order[:shown]) / shown,
                        "false_show": sum(one.probability >= least for one in finished) / max(1, len(finished)),
                    }
                )
    return rows


def learned(choices: Sequence[Choice], ranker: Ranker, way: str) -> dict[str, Any]:
    """The figures at the thresholds that were learned elsewhere for an exact precision of 60 and 80 %."""
    found = {}
    for share in (0.6, 0.8):
        least = ranker.threshold(share, judged=way == WAYS[3])
        found[f"{share:g}"] = {
            "probability": least,
            **figures([Choice(one.seen, one.item, one.probability, least) for one in choices]),
        }
    return found


def latency(seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """Milliseconds; an answer takes its rules, the model's search and completion side by side, then the judgements."""
    parts = {
        "patterns": [one.patterns_ms for one in seen],
        "patterns_cpu": [one.patterns_cpu_ms for one in seen],
        "locate": [one.locate_ms for one in seen],
        "complete": [one.complete_ms for one in seen],
        "score": [one.score_ms for one in seen],
        "answer": [max(one.patterns_ms, one.locate_ms, one.complete_ms) + one.score_ms for one in seen],
    }
    return {name: {"p50": _percentile(values, 0.5), "p95": _percentile(values, 0.95)} for name, values in parts.items()}


def _longest(order: Sequence[Choice], share: float) -> int:
    """The most first choices of which so large a share is exact."""
    right, longest = 0, 0
    for shown, one in enumerate(order, start=1):
        right += one.exact
        if shown >= LEAST_SHOWN and right >= share * shown:
            longest = shown
    return longest


def _split(choices: Iterable[Choice], key: Callable[[Choice], str]) -> dict[str, Any]:
    groups: dict[str, list[Choice]] = defaultdict(list)
    for one in choices:
        groups[key(one)].append(one)
    return {name: figures(group) for name, group in sorted(groups.items())}


def _counts(seen: Sequence[Seen]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for one in seen:
        counts[one.kind] += 1
    return {"all": len(seen), "commits": len({(one.repository, one.name) for one in seen}), **counts}


def _share(choices: Sequence[Choice], is_so: Callable[[Choice], bool]) -> dict[str, float]:
    """A share with its n and its interval; the interval is left out of fewer than two commits."""
    if not choices:
        return {"share": 0.0, "n": 0}
    groups: dict[tuple[str, str], list[int]] = {}
    for one in choices:
        pair = groups.setdefault((one.seen.repository, one.seen.name), [0, 0])
        pair[0] += is_so(one)
        pair[1] += 1
    pairs = list(groups.values())
    found = {"share": sum(pair[0] for pair in pairs) / len(choices), "n": len(choices)}
    if len(pairs) > 1:
        rng = random.Random(0)
        drawn = []
        for _ in range(RESAMPLES):
            again = rng.choices(pairs, k=len(pairs))
            drawn.append(sum(pair[0] for pair in again) / sum(pair[1] for pair in again))
        drawn.sort()
        found |= {"low": drawn[int(0.025 * RESAMPLES)], "high": drawn[int(0.975 * RESAMPLES) - 1]}
    return found


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
