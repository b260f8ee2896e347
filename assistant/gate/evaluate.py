"""How good a gate is: on people it has not seen, and against the gate that wrote the record.

Leave-one-user-out for ranking and calibration, thresholds from the other users for what it would hide; inverse propensity and
doubly robust estimates for a candidate. Needs numpy; learns nothing that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from assistant.gate.boost import Array
from assistant.gate.features import PAST
from assistant.gate.learn import FOREST_ONE, FOREST_TWO, Labelled, fit_stage, logits, matrix, middle, regress, squash
from assistant.gate.model import STEEPEST, Gate, Stage
from assistant.gate.rows import GateRow, target

GAIN, LOSS = 0.75, 0.25  # reward of a taken and of a refused suggestion; silence is 0
CLIP = 20.0  # one over the least propensity that exploration gives
BINS = 10
LEAK = 0.85
LOGISTIC_RIDGE = 100.0  # the best of 3, 10, 30, 100 and 300 on the study, to be fair to it


@dataclass(frozen=True)
class Hidden:
    """What a threshold hides: shares of all rows, of what was hidden that would have been refused, of what would be taken."""

    hidden: float
    precision: float
    accepts_lost: float


@dataclass(frozen=True)
class Louo:
    """Leave one user out. ``low`` and ``high``: 95 % of bootstraps by user. ``logistic`` is the learner that lost."""

    rows: int
    users: int
    taken: float
    auc: float
    auc_low: float
    auc_high: float
    stage1_auc: float
    log_loss: float
    ece: float
    hidden_at_90: float
    precision_at_90: float
    accepts_lost_at_90: float
    hidden_at_95: float
    precision_at_95: float
    accepts_lost_at_95: float
    leak: bool
    logistic_auc: float
    logistic_stage1_auc: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Value:
    """Mean reward per opportunity: of the record itself, and what a candidate would have had, with its standard error."""

    rows: int
    explored: int
    logged: float
    ips: float
    snips: float
    dr: float
    dr_error: float
    hidden: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def leave_one_user_out(data: Labelled, progress: Callable[[int, int], None] = lambda done, all: None) -> Louo:
    """Fit on all users but one, through the same code as the shipped prior; judge that one; all in turn."""
    p1, p2 = np.zeros(len(data)), np.zeros(len(data))
    cuts = {0.90: np.zeros(len(data)), 0.95: np.zeros(len(data))}
    users = np.unique(data.group)
    for done, user in enumerate(users):
        held = data.group == user
        others, alone = data.take(~held), data.take(held)
        one, _ = fit_stage(others, FOREST_ONE)
        two, inner = fit_stage(others, FOREST_TWO)
        p1[held], p2[held] = squash(logits(one, alone.rows)), squash(logits(two, alone.rows))
        for precision, cut in cuts.items():
            cut[held] = threshold_for(others.y, inner, precision)
        progress(done + 1, len(users))
    low, high = bootstrap(data.y, p2, data.group)
    h90, h95 = (hides(data.y, p2 < cuts[precision]) for precision in (0.90, 0.95))
    score = auc(data.y, p2)
    return Louo(
        *(len(data), len(users), float(data.y.mean()), score, low, high, auc(data.y, p1)),
        *(log_loss(data.y, p2), calibration_error(data.y, p2)),
        *(h90.hidden, h90.precision, h90.accepts_lost, h95.hidden, h95.precision, h95.accepts_lost),
        leak=score > LEAK,
        logistic_auc=auc(data.y, logistic(data, FOREST_TWO)),
        logistic_stage1_auc=auc(data.y, logistic(data, FOREST_ONE)),
    )


def logistic(data: Labelled, names: Sequence[str]) -> Array:
    """Log-odds [n] by regularised logistic regressions on the same features (and the past), none of which saw its user."""
    names = (*names, *PAST)
    known, out = matrix(data.rows, names), np.zeros(len(data))
    for user in np.unique(data.group):
        seen = data.group != user
        x = np.where(np.isnan(known), middle(data.take(seen).rows, names), known)
        spread = np.maximum(x[seen].std(axis=0), 1e-6)
        x = np.column_stack([np.clip((x - x[seen].mean(axis=0)) / spread, -STEEPEST, STEEPEST), np.ones(len(x))])
        ridge = np.append(np.full(len(names), LOGISTIC_RIDGE), 1e-3)
        out[~seen] = x[~seen] @ regress(x[seen], data.y[seen], data.weight[seen], np.zeros(int(seen.sum())), 0 * ridge, ridge)
    return out


def auc(y: Array, p: Array) -> float:
    """The chance that a taken row ranks above a refused one; 0.5 for ties and where one kind is missing."""
    _, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = float(y.sum())
    pairs = positive * (len(y) - positive)
    return 0.5 if pairs == 0 else float((ranks[y > 0].sum() - positive * (positive + 1) / 2) / pairs)


def log_loss(y: Array, p: Array) -> float:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def calibration_error(y: Array, p: Array, bins: int = BINS) -> float:
    """Mean distance of probability and frequency over bins of equal count."""
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    return float(sum(len(i) * abs(p[i].mean() - y[i].mean()) for i in parts if len(i)) / max(1, len(y)))


def bootstrap(y: Array, p: Array, group: Any, rounds: int = 500, seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of the AUC when whole users are drawn with replacement."""
    rng, users = np.random.default_rng(seed), np.unique(group)
    where = [np.flatnonzero(group == user) for user in users]
    scores = []
    for _ in range(rounds):
        index = np.concatenate([where[i] for i in rng.integers(0, len(users), len(users))])
        scores.append(auc(y[index], p[index]))
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)


def threshold_for(y: Array, p: Array, precision: float) -> float:
    """The threshold that hides most while at least ``precision`` of what it hides was refused; 0 hides nothing."""
    order = np.argsort(p, kind="stable")
    right = np.cumsum(1 - y[order]) / np.arange(1, len(y) + 1)
    good = np.flatnonzero(right >= precision)
    return float(np.nextafter(p[order][good[-1]], 1.0)) if len(good) else 0.0


def hides(y: Array, hidden: Any) -> Hidden:
    count, taken = int(hidden.sum()), float(y.sum())
    precision = float(1 - y[hidden].mean()) if count else 1.0
    return Hidden(count / max(1, len(y)), precision, float(y[hidden].sum()) / taken if taken else 0.0)


def value(rows: Sequence[GateRow], gate: Gate, shows: Callable[[GateRow, float, float], float]) -> Value:
    """What a candidate would be worth on this record. ``shows`` (row, p1, p2) is its probability of showing.

    Shown rows without a label (pending, censored, unread) are left out, as are rule decisions, which no gate changes, and
    requests by hand. A skipped row has no stage two: its suggestion is judged by stage one.
    """
    used = usable(rows)
    if not used:
        return Value(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    p1, p2 = (squash(logits(stage, used)) for stage in (gate.one, gate.two))
    p2 = np.array([b if row.decision != "skip" else a for row, a, b in zip(used, p1, p2, strict=True)])
    show = np.array([shows(row, float(a), float(b)) for row, a, b in zip(used, p1, p2, strict=True)])
    shown = np.array([row.decision == "show" for row in used])
    logging = np.array([row.propensity for row in used])
    earned = np.array([reward(row) for row in used])
    ratio = np.where(shown, show, 1 - show) / logging
    ratio = np.minimum(ratio, CLIP)
    direct = GAIN * p2 - LOSS * (1 - p2)
    robust = show * direct + np.where(shown, ratio * (earned - direct), 0.0)
    return Value(
        len(used),
        sum(row.explored for row in used),
        float(earned.mean()),
        float((ratio * earned).mean()),
        float((ratio * earned).sum() / max(1e-9, ratio.sum())),
        float(robust.mean()),
        float(robust.std() / np.sqrt(len(used))),
        float(1 - show.mean()),
    )


def usable(rows: Iterable[GateRow]) -> list[GateRow]:
    """What an estimate can stand on: decisions of a gate, and of those that showed only the judged ones."""
    used = [row for row in rows if row.trigger != "invoked" and row.decision in ("show", "hide", "skip")]
    return [row for row in used if row.decision != "show" or target(row) is not None]


def reward(row: GateRow) -> float:
    """What a row's decision was worth: `GAIN` for a taken suggestion, minus `LOSS` for a refused one, nothing for silence."""
    label = target(row)
    if row.decision != "show" or label is None:
        return 0.0
    return GAIN if label[0] else -LOSS * label[1]


def contributions(stage: Stage, row: GateRow, most: int = 8) -> list[tuple[str, float]]:
    """What moved this row's log-odds, largest first, the average before all."""
    shares = stage.explain(row.features)
    average = shares.pop("average")
    moved = sorted(shares.items(), key=lambda item: -abs(item[1]))
    return [("average", average), *((name, share) for name, share in moved[:most] if abs(share) > 1e-9)]
