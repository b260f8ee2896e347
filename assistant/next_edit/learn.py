"""Learn the ranker from replayed moments: a forest for each case, calibrated on repositories that it did not see. What the line
at the cursor would be completed to has one of its own: among the rules' many candidates its few would teach nothing.

Takes what `replay_run` saw. Needs numpy, which the server never loads. Deterministic for a seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assistant.gate import boost
from assistant.gate.boost import Array
from assistant.gate.learn import regress
from assistant.gate.model import Stage, Term, Tree
from assistant.next_edit.complete import RULE as COMPLETE
from assistant.next_edit.ranker import TARGETS, Forest, Ranker, dumps, loads, missing
from assistant.next_edit.replay_run import Item, Seen, is_judged

MODEL = "model"
SPOKEN = ("gain", "chance")
SETTINGS = boost.Settings(trees=150, rate=0.05, columns=0.3, ridge=5.0, least=25)
LEAST = 25
"""Candidates that must have a feature before it is learned from."""
FOLDS = 8
FIRST_SHOWN = 20
"""Shown edits from which a share is read off: less is chance."""
SLOPE_RIDGE, BIAS_RIDGE, RULE_RIDGE = 20.0, 4.0, 10.0
"""Of what one user's history may change: one over a prior's variance."""
BETWEEN = ("between", "switched")
FINISHED = "finished"


class TooFew(ValueError):  # noqa: N818 - it says what is so
    """The moments do not teach anything; the text says what is missing."""


@dataclass(frozen=True)
class Table:
    """Candidates as rows: features by name, labels [n], and the moment and the fold of each."""

    items: tuple[Item, ...]
    moment: np.ndarray[Any, np.dtype[np.int64]]
    fold: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def y(self) -> Array:
        return np.array([item.exact for item in self.items], float)

    def matrix(self, names: Sequence[str]) -> Array:
        """[n, names]; what a candidate does not have is `ranker.missing`."""
        rows = [[item.features.get(name, missing(name)) for name in names] for item in self.items]
        return np.array(rows, float).reshape(len(rows), len(names))


def without_model(seen: Sequence[Seen]) -> list[Seen]:
    """The same moments as they are where there is no model."""
    return [_without(one) for one in seen]


def table(seen: Sequence[Seen]) -> Table:
    """Each repository is a fold; many of them share `FOLDS`."""
    names = sorted({one.repository for one in seen})
    fold = {name: index % FOLDS for index, name in enumerate(names)}
    rows = [(item, index, fold[one.repository]) for index, one in enumerate(seen) for item in one.items]
    moment, folds = (np.array([row[part] for row in rows], np.int64) for part in (1, 2))
    return Table(tuple(row[0] for row in rows), moment, folds)


def learn(seen: Sequence[Seen], record: dict[str, Any]) -> tuple[Ranker, dict[str, Any]]:
    """A ranker, and how it does on repositories that its forest did not see; the record keeps that.

    The forest does without the model; what the model says moves its log-odds by a few weights, which little data can teach.
    Raises `TooFew` for moments of fewer than two repositories, or with too few right candidates.
    """
    bare = without_model(seen)
    alone, of_rules = _forest(_only(bare, False))
    written, of_lines = _line_forest(_only(bare, True), alone)
    p = _together(bare, of_rules, of_lines)
    limits = thresholds(bare, p.tolist())
    alone = replace(alone, thresholds=limits)
    judged, both = _spoken(alone, seen, _logit(p))
    figures = {"judged": out_of_sample(seen, both), "alone": out_of_sample(bare, p.tolist())}
    found = Ranker(
        judged, alone, {**record, "held_out": figures}, written=replace(written, thresholds=limits) if written else None
    )
    return loads(dumps(found)), figures


def adapt(ranker: Ranker, seen: Sequence[Seen], record: dict[str, Any]) -> tuple[Ranker, dict[str, Any]]:
    """``ranker`` with a bias, a slope and a weight for each rule that fit these moments; few moments change little.

    The thresholds stay: the probabilities are what becomes this history's own. Raises `TooFew` where no candidate was right.
    """
    move = _own_line(ranker.alone.stage, _only(without_model(seen), False))
    judged, alone = (replace(forest, stage=move.of(forest.stage)) for forest in (ranker.judged, ranker.alone))
    moved = replace(ranker, judged=judged, alone=alone)
    figures = {
        "on_itself": out_of_sample(seen, [moved.weigh(item.features, is_judged(item)) for one in seen for item in one.items])
    }
    return loads(dumps(replace(moved, record={**ranker.record, "yours": {**record, **figures}}))), figures


def _only(seen: Sequence[Seen], completions: bool) -> list[Seen]:
    """The same moments with the completions at the cursor alone, or without them."""
    return [replace(one, items=tuple(item for item in one.items if (item.rule == COMPLETE) == completions)) for one in seen]


def _line_forest(seen: Sequence[Seen], alone: Forest) -> tuple[Forest | None, Array]:
    """The forest of completions and the probability of each; that of the rules where there are too few to learn from."""
    try:
        return _forest(seen)
    except TooFew:
        return None, np.array([alone.probability(item.features) for one in seen for item in one.items])


def _together(seen: Sequence[Seen], of_rules: Array, of_lines: Array) -> Array:
    """The probabilities of all candidates in their order."""
    is_line = np.array([item.rule == COMPLETE for one in seen for item in one.items], bool)
    p = np.empty(len(is_line))
    p[is_line], p[~is_line] = of_lines, of_rules
    return p


@dataclass(frozen=True)
class _Line:
    """A line over a stage's log-odds, and terms that are added to it."""

    slope: float
    offset: float
    terms: tuple[Term, ...]

    def of(self, stage: Stage) -> Stage:
        """The stage with this on top."""
        kept = tuple(replace(term, weight=_short(self.slope * term.weight)) for term in stage.terms)
        slope, offset = _short(self.slope * stage.slope), _short(self.slope * stage.offset + self.offset)
        return replace(stage, slope=slope, offset=offset, terms=(*kept, *self.terms))


def _own_line(stage: Stage, seen: Sequence[Seen]) -> _Line:
    """What one user's moments say of a stage."""
    data = table(seen)
    if data.y.sum() < 1:
        raise TooFew("no candidate was right at any of these moments: name another history, or more commits")
    prior = np.array([sum(stage.parts(item.features).values()) for item in data.items])
    rules = tuple(Term(name, 0.0, 1.0, 1.0) for name in sorted(stage.names) if name.startswith("rule:"))
    ridge = [SLOPE_RIDGE, BIAS_RIDGE] + [RULE_RIDGE] * len(rules)
    return _regressed(prior, data.items, rules, ridge)[0]


def _spoken(alone: Forest, seen: Sequence[Seen], prior: Array) -> tuple[Forest, list[float]]:
    """``alone`` with what the model says of a candidate added to its log-odds; and the probability of every candidate.

    ``prior`` are the log-odds without it [candidates but the model's own]. Where it said nothing, they stand.
    """
    items = [item for one in seen for item in one.items if item.rule != MODEL]
    spoken = np.array([is_judged(item) for item in items], bool)
    p = 1 / (1 + np.exp(-prior))
    if spoken.sum() < LEAST:
        return alone, _in_order(seen, p)
    told = [item for item, is_said in zip(items, spoken, strict=True) if is_said]
    counts = Counter(name for item in told for name in item.features if name.startswith("gain:"))
    names = [*SPOKEN, *sorted(name for name, count in counts.items() if count >= LEAST)]
    terms = tuple(_scaled(name, [item.features[name] for item in told if name in item.features]) for name in names)
    ridge = [1.0, 0.1] + [1.0] * len(SPOKEN) + [RULE_RIDGE] * (len(names) - len(SPOKEN))
    line, p[spoken] = _regressed(prior[spoken], told, terms, ridge)
    both = _in_order(seen, p)
    return Forest(line.of(alone.stage), thresholds(seen, both)), both


def _regressed(prior: Array, items: Sequence[Item], terms: Sequence[Term], ridge: Sequence[float]) -> tuple[_Line, Array]:
    """The line over ``prior`` and ``terms`` (slope, offset, weights held by ``ridge``), and its probabilities [items]."""
    x = np.array([[term.of(item.features.get(term.name)) for term in terms] for item in items]).reshape(len(items), len(terms))
    design = np.column_stack([prior, np.ones(len(items)), x])
    mean = np.array([1.0] + [0.0] * (design.shape[1] - 1))
    y = np.array([item.exact for item in items], float)
    w = regress(design, y, np.ones(len(items)), np.zeros(len(items)), mean, np.array(ridge))
    weighed = tuple(replace(term, weight=_short(weight)) for term, weight in zip(terms, w[2:], strict=True))
    return _Line(max(0.05, float(w[0])), float(w[1]), weighed), 1 / (1 + np.exp(-(design @ w)))


def _scaled(name: str, values: Sequence[float]) -> Term:
    """A term of weight 1; it stops growing at three standard deviations."""
    return Term(name, _short(float(np.median(values))), _short(max(1e-3, float(np.std(values)))), 1.0)


def _in_order(seen: Sequence[Seen], p: Array) -> list[float]:
    """The probability of every candidate, 0 for the model's own: nothing was learned of them."""
    mine = iter(p.tolist())
    return [next(mine) if item.rule != MODEL else 0.0 for one in seen for item in one.items]


def _logit(p: Array) -> Array:
    return np.asarray(np.log(p / (1 - p)))


def out_of_sample(seen: Sequence[Seen], p: Sequence[float]) -> dict[str, Any]:
    """Coverage of the unfinished moments at each target share of exact first choices, by `thresholds`; and of those between two
    changes, where no line is half written.
    """
    limits, best = thresholds(seen, p), first_choices(seen, p)
    between, finished = (sum(one.kind in kinds for one in seen) for kinds in (BETWEEN, (FINISHED,)))
    unfinished = len(seen) - finished
    found: dict[str, Any] = {"moments": len(seen), "unfinished": unfinished, "between": between}
    for share, least in limits.items():
        told = [item for one, chance, item in best if chance >= least and one.kind != FINISHED]
        told_between = sum(chance >= least and one.kind in BETWEEN for one, chance, _ in best)
        false = sum(chance >= least and one.kind == FINISHED for one, chance, _ in best)
        found[share] = {
            "coverage": round(len(told) / max(1, unfinished), 4),
            "coverage_between": round(told_between / max(1, between), 4),
            "position": round(sum(item.position for item in told) / max(1, len(told)), 4),
            "false_show": round(false / max(1, finished), 4),
        }
    return found


def _forest(seen: Sequence[Seen]) -> tuple[Forest, Array]:
    data = table(seen)
    y = data.y
    if len(set(data.fold.tolist())) < 2 or y.sum() < LEAST:
        raise TooFew(
            f"{int(y.sum())} right candidates of {len({one.repository for one in seen})} repositories are too few to learn "
            f"from: two repositories and {LEAST} are the least; name more histories or more commits"
        )
    names = _names(data)
    x, weight, out = data.matrix(names), _weights(data), np.zeros(len(y))
    for fold in np.unique(data.fold):
        held = data.fold == fold
        out[held] = boost.fit(x[~held], y[~held], weight[~held], SETTINGS).predict(x[held])
    line, p = _regressed(out, data.items, (), [0.1, 0.1])
    forest = boost.fit(x, y, weight, SETTINGS)
    trees = tuple(_plain(tree) for tree in forest.trees)
    stage = Stage(tuple(names), tuple(map(missing, names)), _short(forest.base), trees)
    return Forest(line.of(stage), thresholds(seen, p.tolist())), p


def _weights(data: Table) -> Array:
    """Of a moment with many candidates each counts less, by the root of their number: found better where it was not fitted."""
    return np.asarray(1 / np.sqrt(np.bincount(data.moment)[data.moment]))


def thresholds(seen: Sequence[Seen], p: Sequence[float]) -> dict[str, float]:
    """For each target share the lowest probability above which so many of the first choices were right where something was
    left to do.
    """
    best = sorted((one for one in first_choices(seen, p) if one[0].kind != FINISHED), key=lambda choice: -choice[1])
    found = dict.fromkeys(TARGETS, 1.0)
    right = 0
    for shown, (_, chance, item) in enumerate(best, start=1):
        right += item.exact
        for share in TARGETS:
            if shown >= FIRST_SHOWN and right / shown >= float(share):
                found[share] = _short(chance)
    return found


def first_choices(seen: Sequence[Seen], p: Sequence[float]) -> list[tuple[Seen, float, Item]]:
    """Of each moment that has candidates, the likeliest one with its probability; ``p`` has all candidates in order."""
    chosen = []
    at = 0
    for one in seen:
        here = p[at : at + len(one.items)]
        at += len(one.items)
        if here:
            best = max(range(len(here)), key=here.__getitem__)
            chosen.append((one, here[best], one.items[best]))
    return chosen


def _without(one: Seen) -> Seen:
    items = []
    for item in one.items:
        if item.rule != MODEL:
            kept = {name: value for name, value in item.features.items() if not _of_model(name)}
            items.append(replace(item, features=kept))
    return replace(one, items=tuple(items), locate_ms=0.0, score_ms=0.0)


def _of_model(name: str) -> bool:
    return name in SPOKEN or name.startswith(("own:model_", "gain:")) or name.endswith(":model")


def _names(data: Table) -> list[str]:
    counts = Counter(name for item in data.items for name in item.features)
    return sorted(name for name, count in counts.items() if count >= LEAST)


def _plain(tree: boost.Tree) -> Tree:
    """A tree as it is kept: six digits, no infinities."""
    pairs = list(zip(tree.column.tolist(), tree.limit.tolist(), strict=True))
    columns = tuple(int(column) if np.isfinite(limit) else -1 for column, limit in pairs)
    limits = tuple(_short(limit) if np.isfinite(limit) else 0.0 for _, limit in pairs)
    return Tree(columns, limits, tuple(_short(value) for value in tree.value))


def _short(value: float) -> float:
    return float(f"{float(value):.6g}")


def moments_of(seen: Iterable[Seen]) -> dict[str, int]:
    """How many moments each repository gave."""
    return dict(sorted(Counter(one.repository for one in seen).items()))
