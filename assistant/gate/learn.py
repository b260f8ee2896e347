"""Learning, off the path: the prior from rows of many users, and this user's own part on top of it.

The prior: a forest over place and text, then one small logistic regression over its out-of-user log-odds (Platt's line) and
what the past says. The personal part: a bias, later a handful of weights, each held to zero by a Gaussian prior. Takes any
iterable of `GateRow`; needs numpy, which the server never loads, so it runs in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assistant.gate import boost
from assistant.gate.boost import Array, Forest
from assistant.gate.features import PAST, STAGE_ONE, STAGE_TWO
from assistant.gate.model import LINE_ALPHAS, NODES, PAST_CAP, PRIOR, STEEPEST, Gate, Stage, Term, Tree, named
from assistant.gate.rows import GateRow, target
from assistant.gate.safety import PERSONAL_FROM, WEIGHTS_FROM, bound
from assistant.gate.syntax import KINDS, TONGUES

# A study's documents are short and its suggestions came from one server: where in the file one is says how far the task is.
# Displays and outcomes stay out of the forest, so that they move a decision by `PAST_CAP` at most. Its only language is Python;
# and the kinds of syntax, tried there, left the AUC (0.794 for 0.795) and cost a point of what is hidden at 90 %.
_NOT_IN_FOREST = frozenset((*PAST, *KINDS, *TONGUES, "document", "offset", "relative", "keys_per_second", "since_key"))
FOREST_ONE = tuple(name for name in STAGE_ONE if name not in _NOT_IN_FOREST)
FOREST_TWO = (*FOREST_ONE, *STAGE_TWO)
PERSONAL_ONE = (
    *(PRIOR, "line_before_bare", "in_text", "in_comment", "mid_word", "last_none", "keys_per_second", "since_key"),
    *(*KINDS, *TONGUES),
)
PERSONAL_TWO = (*PERSONAL_ONE, "mean_logprob", "min_logprob", "chars", "lines", "cached", "novelty", "line_rest", "entropy")
PAST_RIDGE, LINE_RIDGE = 3.0, 0.1
BIAS_RIDGE, WEIGHT_RIDGE = 4.0, 25.0  # one over the prior's variance: sd 0.5 and 0.2
FOLDS = 5
HALF_LIFE_MS, HALF_LIFE_ROWS = 21 * 86_400_000.0, 400.0  # of a row's weight: three weeks, or so many judged rows
ALPHA_ONE = 0.2  # the share of what may be lost that stage one may lose


@dataclass(frozen=True)
class Labelled:
    """Rows that say something: features by name, label and weight [n], and the group (user) of each."""

    rows: tuple[GateRow, ...]
    y: Array
    weight: Array
    group: np.ndarray[Any, np.dtype[np.int64]]

    @classmethod
    def of(cls, rows: Iterable[GateRow], count_unread: bool = False) -> Labelled:
        """Those of ``rows`` that were shown and judged, in order."""
        known = [(row, label) for row in rows if (label := target(row, count_unread)) is not None]
        users = {user: index for index, user in enumerate(sorted({row.user for row, _ in known}))}
        y, weight = (np.array([label[part] for _, label in known], float) for part in (0, 1))
        group = np.array([users[row.user] for row, _ in known], np.int64)
        return cls(tuple(row for row, _ in known), y, weight, group)

    def take(self, index: np.ndarray[Any, Any]) -> Labelled:
        chosen = np.flatnonzero(index) if index.dtype == bool else index
        return Labelled(tuple(self.rows[i] for i in chosen), self.y[chosen], self.weight[chosen], self.group[chosen])

    def __len__(self) -> int:
        return len(self.rows)


def matrix(rows: Sequence[GateRow], names: Sequence[str], fill: Sequence[float] | None = None) -> Array:
    """Features [n, names]; what is not known or not finite is ``fill``, or NaN without it."""
    x = np.array([[row.features.get(name, np.nan) for name in names] for row in rows], float).reshape(len(rows), len(names))
    x[~np.isfinite(x)] = np.nan
    return x if fill is None else np.where(np.isnan(x), np.asarray(fill, float), x)


def middle(rows: Sequence[GateRow], names: Sequence[str]) -> tuple[float, ...]:
    """The median of each feature over the rows that have it; 0 where none has."""
    x = matrix(rows, names)
    return tuple(float(np.median(known)) if len(known := column[~np.isnan(column)]) else 0.0 for column in x.T)


def fit_stage(data: Labelled, names: Sequence[str], seed: int = 0) -> tuple[Stage, Array]:
    """A stage from many users' rows, and its probabilities for them by forests that did not see their user [n]."""
    fill = middle(data.rows, names)
    x, settings = matrix(data.rows, names, fill), boost.Settings(seed=seed)
    folds, out = data.group % FOLDS, np.zeros(len(data))
    for fold in np.unique(folds):
        seen, held = folds != fold, folds == fold
        out[held] = boost.fit(x[seen], data.y[seen], data.weight[seen], settings).predict(x[held])
    past = _scaled_terms(data.rows, PAST)
    design = np.column_stack([out, np.ones(len(data)), _terms(data.rows, past)])
    mean, ridge = np.zeros(design.shape[1]), np.full(design.shape[1], PAST_RIDGE)
    mean[0], ridge[:2] = 1.0, LINE_RIDGE
    line = regress(design, data.y, data.weight, np.zeros(len(data)), mean, ridge)
    forest = boost.fit(x, data.y, data.weight, settings)
    weighted = tuple(replace(term, weight=_short(w)) for term, w in zip(past, line[2:], strict=True))
    logit = design[:, :2] @ line[:2] + np.clip(design[:, 2:] @ line[2:], -PAST_CAP, PAST_CAP)
    slope, offset = max(0.05, _short(line[0])), _short(line[1])
    return Stage(tuple(names), fill, _short(forest.base), _plain(forest), slope, offset, weighted), squash(logit)


def fit_prior(data: Labelled, record: dict[str, Any]) -> tuple[Gate, Array, Array]:
    """The gate for a user of whom nothing is known, and both stages' out-of-user probabilities."""
    (one, p1), (two, p2) = fit_stage(data, FOREST_ONE), fit_stage(data, FOREST_TWO)
    bounds = {
        name: {alpha: _short(new_user_bound(p, data, float(alpha) * share)) for alpha in LINE_ALPHAS}
        for name, p, share in (("one", p1, ALPHA_ONE), ("two", p2, 1 - ALPHA_ONE))
    }
    return named(Gate(one, two, bounds, 0, record)), p1, p2


def new_user_bound(p: Array, data: Labelled, alpha: float) -> float:
    """The highest threshold at which the next user loses at most ``alpha`` of what they would take, in expectation.

    Conformal risk control (arXiv 2208.02814) with users as the exchangeable units: events of one user are not independent.
    """
    taken = [p[(data.group == user) & (data.y > 0)] for user in np.unique(data.group)]
    taken = [points for points in taken if len(points)]
    best = 0.0
    for limit in np.unique(np.concatenate([np.zeros(1), *taken])):
        lost = sum(float(np.mean(points < limit)) for points in taken)
        if (lost + 1.0) / (len(taken) + 1) <= alpha or lost == 0.0:
            best = float(limit)
    return best


@dataclass(frozen=True)
class Lesson:
    """A personal gate, the rows it was fitted on, and both stages' probabilities for them by fits that did not see them [n]."""

    gate: Gate
    data: Labelled
    p1: Array
    p2: Array


def personalise(gate: Gate, rows: Iterable[GateRow], now_ms: int | None = None, count_unread: bool = False) -> Gate:
    """`lesson`, of which only the gate is wanted."""
    return lesson(gate, rows, now_ms, count_unread).gate


def lesson(gate: Gate, rows: Iterable[GateRow], now_ms: int | None = None, count_unread: bool = False) -> Lesson:
    """``gate``'s prior with the personal part for these rows, which should be older than `rows.LABEL_AGE_MS`.

    Few rows change little: nothing below `PERSONAL_FROM`, the bias from there, weights from `WEIGHTS_FROM`.
    """
    data = Labelled.of((row for row in rows if row.trigger != "invoked"), count_unread)
    now = now_ms if now_ms is not None else max((row.ts_ms for row in data.rows), default=0)
    age = np.array([max(0, now - row.ts_ms) for row in data.rows], float)
    left = 0.5 ** (age / HALF_LIFE_MS + np.arange(len(data))[::-1] / HALF_LIFE_ROWS)
    data = replace(data, weight=data.weight * left)
    one, p1 = _personal(gate.one, data, PERSONAL_ONE)
    two, p2 = _personal(gate.two, data, PERSONAL_TWO)
    bounds = {
        "one": _bounds(gate.bounds["one"], data, p1, ALPHA_ONE),
        "two": _bounds(gate.bounds["two"], data, p2, 1 - ALPHA_ONE),
    }
    losses = {
        "log_loss": _logged(data, p2),
        "log_loss_prior": _logged(data, squash(logits(replace(gate.two, bias=0.0, terms=()), data.rows))),
    }
    record = {**gate.record, "yours": {"rows": len(data), "taken": int(data.y.sum()), "until_ms": int(now), **losses}}
    return Lesson(named(Gate(one, two, bounds, len(data), record)), data, p1, p2)


def _personal(stage: Stage, data: Labelled, names: Sequence[str]) -> tuple[Stage, Array]:
    """The stage fitted to its user, and probabilities for the rows from fits that did not see their stretch of time.

    Of weights, a bias and nothing, what predicts best where it was not fitted is kept.
    """
    stage = replace(stage, bias=0.0, terms=())
    best = stage, logits(stage, data.rows)
    base, prior = best[1], best[1] - _past(stage, data.rows)
    for chosen in [()] * (len(data) >= PERSONAL_FROM) + [names] * (len(data) >= WEIGHTS_FROM):
        found = _fit_personal(stage, data, _scaled_terms(data.rows, chosen, prior), base, prior)
        if _loss(data, found[1]) < _loss(data, best[1]):
            best = found
    return best[0], squash(best[1])


def _fit_personal(stage: Stage, data: Labelled, terms: tuple[Term, ...], base: Array, prior: Array) -> tuple[Stage, Array]:
    """The stage with a bias and ``terms``, and log-odds of each fifth of the rows by a fit on the others."""
    design = np.column_stack([np.ones(len(data)), _terms(data.rows, terms, prior)])
    ridge = np.array([BIAS_RIDGE, *[WEIGHT_RIDGE] * len(terms)])
    fold, out = np.arange(len(data)) * FOLDS // len(data), base.copy()
    for held in range(FOLDS):
        seen = fold != held
        out[~seen] += design[~seen] @ regress(design[seen], data.y[seen], data.weight[seen], base[seen], 0 * ridge, ridge)
    w = regress(design, data.y, data.weight, base, 0 * ridge, ridge)
    weighted = tuple(replace(term, weight=_short(v)) for term, v in zip(terms, w[1:], strict=True))
    return replace(stage, bias=_short(w[0]), terms=weighted), out


def _logged(data: Labelled, p: Array) -> float:
    return _short(_loss(data, np.log(p / (1 - p)))) if len(data) else 0.0


def _loss(data: Labelled, logit: Array) -> float:
    """Mean log loss, in nats."""
    return float(np.average(np.logaddexp(0.0, (1 - 2 * data.y) * logit), weights=data.weight))


def _bounds(prior: Any, data: Labelled, p: Array, share: float) -> dict[str, float]:
    """This user's own bounds where there are enough taken suggestions to say one, the prior's where not."""
    taken = data.y > 0
    points = [(float(v), float(w) / row.propensity) for v, w, row, t in zip(p, data.weight, data.rows, taken, strict=True) if t]
    own = {alpha: bound(points, float(alpha) * share) for alpha in LINE_ALPHAS}
    return {alpha: _short(prior[alpha] if value is None else value) for alpha, value in own.items()}


def regress(x: Array, y: Array, weight: Array, offset: Array, mean: Array, ridge: Array) -> Array:
    """Weights [columns] of a logistic regression with a Gaussian prior (``ridge`` is one over its variance), by Newton."""
    w = mean.copy()
    for _ in range(50):
        p = squash(x @ w + offset)
        slope = x.T @ (weight * (y - p)) - ridge * (w - mean)
        curve = (x.T * (weight * p * (1 - p))) @ x + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        w = w + step * min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
        if float(np.abs(step).max()) < 1e-8:
            break
    return np.asarray(w)


def logits(stage: Stage, rows: Sequence[GateRow]) -> Array:
    """`Stage.parts` summed, for many rows at once [n]."""
    prior = stage.slope * _forest(stage).predict(matrix(rows, stage.names, stage.fill)) + stage.offset
    own = _terms(rows, stage.terms, prior) @ np.array([term.weight for term in stage.terms])
    return np.asarray(prior + _past(stage, rows) + stage.bias + own)


def _past(stage: Stage, rows: Sequence[GateRow]) -> Array:
    past = _terms(rows, stage.past) @ np.array([term.weight for term in stage.past])
    return np.asarray(np.clip(past, -PAST_CAP, PAST_CAP))


def _terms(rows: Sequence[GateRow], terms: Sequence[Term], prior: Array | None = None) -> Array:
    """What each term multiplies with its weight [n, terms]."""
    x = matrix(rows, [term.name for term in terms])
    for column, term in enumerate(terms):
        if term.name == PRIOR and prior is not None:
            x[:, column] = prior
        x[:, column] = np.clip((x[:, column] - term.center) / term.scale, -STEEPEST, STEEPEST)
    return np.asarray(np.where(np.isnan(x), 0.0, x))


def _scaled_terms(rows: Sequence[GateRow], names: Sequence[str], prior: Array | None = None) -> tuple[Term, ...]:
    """Terms of weight 0 with these rows' mean and spread; what never varies gets none."""
    terms = []
    for name in names:
        column = prior if name == PRIOR and prior is not None else matrix(rows, [name])[:, 0]
        known = column[~np.isnan(column)]
        if len(known) and float(known.std()) > 1e-6:
            terms.append(Term(name, _short(known.mean()), _short(known.std()), 0.0))
    return tuple(terms)


def _forest(stage: Stage) -> Forest:
    trees = []
    for tree in stage.trees:
        column = np.array(tree.columns)
        limit = np.where(column < 0, np.inf, np.array(tree.limits))
        trees.append(boost.Tree(np.maximum(column, 0), limit, np.array(tree.values)))
    return Forest(stage.base, tuple(trees))


def _plain(forest: Forest) -> tuple[Tree, ...]:
    """Trees as they are kept: six digits, no infinities."""
    return tuple(
        Tree(
            tuple(int(c) if np.isfinite(v) else -1 for c, v in zip(tree.column, tree.limit, strict=True)),
            tuple(_short(v) if np.isfinite(v) else 0.0 for v in tree.limit[:NODES]),
            tuple(_short(v) for v in tree.value),
        )
        for tree in forest.trees
    )


def _short(value: Any) -> float:
    return float(f"{float(value):.6g}")


def squash(logit: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -12.0, 12.0))))
