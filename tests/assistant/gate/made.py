"""Rows of a made-up user, and the shipped prior."""

from __future__ import annotations

import math
import random

from assistant.gate.features import STAGE_ONE, STAGE_TWO
from assistant.gate.model import PRIOR_PATH, Gate, load
from assistant.gate.rows import GateRow


def prior() -> Gate:
    return load(PRIOR_PATH)


def features(rng: random.Random, **known: float) -> dict[str, float]:
    """A plausible opportunity: a few words on a line, and what the model said there."""
    chars = float(rng.randint(2, 80))
    mean = -rng.expovariate(2.0)
    drawn = {"line_before": float(rng.randint(0, 60)), "line_before_bare": float(rng.randint(0, 40)), "chars": chars}
    drawn |= {"tokens": chars / 3, "mean_logprob": mean, "sum_logprob": mean * chars / 3, "novelty": rng.random()}
    return {name: 0.0 for name in (*STAGE_ONE, *STAGE_TWO) if name != "min_logprob"} | drawn | known


def rows(count: int, taken: float, seed: int = 0, slope: float = 0.0, user: str = "") -> list[GateRow]:
    """Judged rows, ten seconds apart: taken with log-odds ``taken`` plus ``slope`` times (novelty - 0.5)."""
    rng = random.Random(seed)
    made = []
    for index in range(count):
        numbers = features(rng)
        odds = taken + slope * (numbers["novelty"] - 0.5)
        outcome = "accepted" if rng.random() < 1 / (1 + math.exp(-odds)) else "rejected"
        made.append(GateRow(str(index), index * 10_000, numbers, outcome=outcome, visible_ms=2000.0, user=user))
    return made
