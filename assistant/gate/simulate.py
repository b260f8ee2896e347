"""A hundred made-up users at the real gate: does it ever fall silent, and what does it cost them?

Opportunities are drawn from the study's rows; whether a suggestion would be taken comes from the rows' out-of-user
probabilities, from the user's own rate, and from a hidden state of mind that walks through the study's state table. The gate
under test is the shipped one: features of the past, both stages, policy, personal refits. Seeded; needs numpy.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.gate.boost import Array
from assistant.gate.features import STAGE_TWO
from assistant.gate.history import History
from assistant.gate.learn import squash
from assistant.gate.model import Gate
from assistant.gate.policy import SETTINGS, Decision, Policy
from assistant.gate.promote import learn
from assistant.gate.rows import GateRow

RATE_A, RATE_B = 3.0, 8.6  # acceptance of 2,047 Copilot users as a Beta distribution
STATE_SHARE = 0.5  # of a state's log-odds: the study labelled states after the display, which says half of the answer
UNSEEN = 0.7  # log-odds of taste that no feature shows (standard deviation)
GAP_S = 14.0  # mean time between the study's displays
REFITS = (30, 60, 100)  # labelled rows; then every hundred
PATCH = (0.2, 60)  # where the run of refusals begins (share of the run), and how many opportunities it lasts
DRIFT = (0.6, -0.7, 0.5)  # where tastes change, by how much, and what is left of the features' say
END = 200  # opportunities that count as the end
SPOKEN = 0.05  # of the end: a gate that chose to show less has gone silent
_TEXT = frozenset(STAGE_TWO)


@dataclass(frozen=True)
class States:
    """The hidden state: mean log and spread of its dwell (seconds), log-odds of acceptance [n], transitions [n, n]."""

    dwell: Array
    spread: Array
    logit: Array
    to: Array

    @classmethod
    def read(cls, path: Path) -> States:
        """The study's state table. A state that was never left goes anywhere."""
        with path.open(encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        names = [row["state"] for row in table]
        median, mean, taken, refused = (
            np.array([float(row[column]) for row in table]) for column in ("median_s", "mean_s", "accepted", "rejected")
        )
        to = np.array([[float(row[f"to: {name}"]) for name in names] for row in table])
        to = np.where(to.sum(axis=1, keepdims=True) > 0, to, 1.0)
        spread = np.sqrt(2 * np.log(np.maximum(mean / median, 1.05)))  # of a lognormal with this mean and median
        rate = (taken + 2) / (taken + refused + 6)
        weight = (taken + refused) / (taken + refused).sum()
        logit = np.log(rate / (1 - rate))
        return cls(np.log(median), spread, STATE_SHARE * (logit - weight @ logit), to / to.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class World:
    """What every user draws from: rows, the log-odds that they would be taken [n], and states."""

    rows: Sequence[GateRow]
    logit: Array
    states: States


@dataclass(frozen=True)
class User:
    """What one run came to. ``lost`` is the share of what would have been taken that was hidden; of ``lessons`` learned gates,
    ``refused`` were not put in force.
    """

    longest_silence: int
    silent_at_end: bool
    lost: float
    hidden: float
    explored: int
    forced: int
    alarms: int
    shown_early: float
    acceptance: float
    lessons: int
    refused: int


@dataclass(frozen=True)
class Simulation:
    users: int
    opportunities: int
    longest_silence: int
    silent_at_end: int
    bound_mean: float
    users_over_twice_bound: float
    worst: float
    hidden: float
    explored: int
    forced: int
    alarms: int
    shown_early: float
    acceptance: float
    acceptance_ungated: float
    lessons: int
    refused: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def simulate(
    gate: Gate,
    world: World,
    users: int = 100,
    opportunities: int = 1500,
    setting: str = "balanced",
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Simulation:
    """Let ``users`` live with the gate; the run of refusals and the drift come to all of them."""
    lives, ungated = [], []
    for user in range(users):
        life, rate = _live(gate, world, opportunities, setting, np.random.default_rng([seed, user]))
        lives.append(life)
        ungated.append(rate)
        progress(user + 1, users)
    allowed = float(SETTINGS[setting].alpha)
    return Simulation(
        users,
        opportunities,
        max(life.longest_silence for life in lives),
        sum(life.silent_at_end for life in lives),
        _mean([life.lost for life in lives]),
        _mean([float(life.lost > 2 * allowed) for life in lives]),
        max(life.lost for life in lives),
        _mean([life.hidden for life in lives]),
        sum(life.explored for life in lives),
        sum(life.forced for life in lives),
        sum(life.alarms for life in lives),
        _mean([life.shown_early for life in lives]),
        _mean([life.acceptance for life in lives]),
        _mean(ungated),
        sum(life.lessons for life in lives),
        sum(life.refused for life in lives),
    )


def _live(gate: Gate, world: World, count: int, setting: str, rng: np.random.Generator) -> tuple[User, float]:
    """One user: draw everything that does not depend on the gate, then walk."""
    pick = rng.integers(0, len(world.rows), count)
    gaps = rng.exponential(GAP_S, count)
    drift_at = int(DRIFT[0] * count)
    late = np.arange(count) >= drift_at
    odds = world.logit[pick] * np.where(late, DRIFT[2], 1.0) + _moods(world.states, gaps, rng) + rng.normal(0, UNSEEN, count)
    odds = odds + _bias(odds[:drift_at], min(0.7, max(0.05, rng.beta(RATE_A, RATE_B)))) + np.where(late, DRIFT[1], 0.0)
    would = rng.random(count) < squash(odds)
    start = int(PATCH[0] * count)
    would[start : start + PATCH[1]] = False
    walk = _Walk(gate, setting, rng)
    for index in range(count):
        walk.step(world.rows[pick[index]], float(gaps[index]), bool(would[index]))
    return walk.result(would), float(would.mean())


def _moods(states: States, gaps: Array, rng: np.random.Generator) -> Array:
    """The state's log-odds at each opportunity [count]."""
    state, left, moods = int(rng.integers(len(states.logit))), 0.0, np.zeros(len(gaps))
    for index, gap in enumerate(gaps):
        left -= gap
        while left < 0:
            state = int(rng.choice(len(states.logit), p=states.to[state]))
            left += float(np.exp(rng.normal(states.dwell[state], states.spread[state])))
        moods[index] = states.logit[state]
    return moods


def _bias(odds: Array, rate: float) -> float:
    """What to add to the log-odds so that their mean probability is ``rate``."""
    low, high = -12.0, 12.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if squash(odds + middle).mean() < rate else (low, middle)
    return (low + high) / 2


class _Walk:
    """One user's session with the real policy, history and learner."""

    def __init__(self, gate: Gate, setting: str, rng: np.random.Generator) -> None:
        self._prior, self._history, self._now = gate, History(), 0.0
        self._policy = Policy(gate, rng.random, setting, lambda: self._now)
        self._setting = setting
        self._rows: list[GateRow] = []
        self._judged = self._lessons = self._refused = 0
        self._decisions: list[Decision] = []
        self._next, self._alarms = list(REFITS), 0

    def step(self, drawn: GateRow, gap: float, would: bool) -> None:
        self._now += gap
        features = {**drawn.features, **self._history.numbers(self._now)}
        self._history.opportunity(self._now)
        place = {name: value for name, value in features.items() if name not in _TEXT}
        one = self._policy.before(place, invoked=False)
        decision = one if one.action == "skip" else self._policy.after(features, False, one)
        self._decisions.append(decision)
        index = len(self._decisions)
        row = GateRow(
            id=str(index),
            ts_ms=int(self._now * 1000),
            features=features if decision is not one else place,
            decision=decision.action,
            propensity=decision.propensity,
            explored=decision.explored,
            p1=one.p,
            p2=None if decision is one else decision.p,
            threshold=decision.threshold,
        )
        if decision.action == "show":
            row = self._ended(row, index, decision, float(would))
        self._rows.append(row)
        if self._judged >= self._next[0]:
            self._learn()

    def _ended(self, row: GateRow, index: int, decision: Decision, taken: float) -> GateRow:
        """Shown, and judged three seconds later."""
        self._history.shown(self._now, "", index * 1000, "")
        self._history.ended(self._now + 3.0, f"text {index}", taken)
        alarmed = self._policy.alarmed
        self._policy.ended(decision, taken)
        self._alarms += self._policy.alarmed > alarmed
        self._judged += 1
        return replace(row, outcome="accepted" if taken else "rejected", visible_ms=3000.0)

    def _learn(self) -> None:
        self._next = self._next[1:] or [self._judged + 100]
        gate, trial = learn(self._prior, self._rows, self._policy.gate, self._setting, count_unread=True)
        self._policy.gate = gate
        self._lessons += 1
        self._refused += not trial.promoted

    def result(self, would: Any) -> User:
        shown = np.array([decision.action == "show" for decision in self._decisions])
        chosen = np.array([decision.reason in ("sure", "new", "budget") for decision in self._decisions])
        streak = longest = 0
        for seen in shown:
            streak = 0 if seen else streak + 1
            longest = max(longest, streak)
        return User(
            longest,
            bool(chosen[-END:].mean() < SPOKEN),
            float((would & ~shown).sum() / max(1, would.sum())),
            float(1 - shown.mean()),
            sum(decision.explored for decision in self._decisions),
            sum(decision.reason == "silence" for decision in self._decisions),
            self._alarms,
            float(shown[:100].mean()),
            float(would[shown].mean()) if shown.any() else 0.0,
            self._lessons,
            self._refused,
        )


def world(rows: Sequence[GateRow], p: Array, states: States) -> World:
    """The world of the study: ``p`` are the rows' out-of-user probabilities."""
    clipped = np.clip(p, 1e-3, 1 - 1e-3)
    return World([replace(row, outcome="") for row in rows], np.log(clipped / (1 - clipped)), states)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
