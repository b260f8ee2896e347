"""How the bench measures: contenders take turns step by step, a row's speed is kept only if its answer was right.

Knows functions and tensors. Does not know which operators there are, nor how a report is shown.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Root mean square of the error over that of the exact answer: a few roundings at each precision."""

Step = Callable[[int], Any]
"""One step of a contender; the argument is the step's number."""


@dataclass(frozen=True)
class Row:
    """One measured line. ``ratio``: best_torch_ms / ms, above 1 ours is faster; None where torch offers nothing like it."""

    op: str
    policy: str
    device: str
    dtype: str
    length: int
    ms: float
    best_torch_ms: float | None
    ratio: float | None
    max_error: float
    kv_bytes: int
    best_torch: str = ""
    default_ms: float | None = None
    """What transformers' default does for the same step: joining the cache anew and SDPA with shared heads."""
    dense_ms: float | None = None
    """Our own dense attention in the same race."""
    reason: str = ""
    """What the policy did at this length: below its break-even it is dense."""

    @property
    def default_ratio(self) -> float | None:
        return None if self.default_ms is None else self.default_ms / self.ms

    @property
    def dense_ratio(self) -> float | None:
        return None if self.dense_ms is None else self.dense_ms / self.ms

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "default_ratio": self.default_ratio, "dense_ratio": self.dense_ratio}


@dataclass(frozen=True)
class Skipped:
    """What could not be measured, and why; never a number in its place."""

    op: str
    policy: str
    device: str
    dtype: str
    length: int
    reason: str

    def json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """The greatest difference from the exact answer, and whether the difference is rounding."""

    max_error: float
    right: bool


def judge(got: Tensor, exact: Tensor) -> Verdict:
    """NaN is wrong. ``exact`` is float64."""
    wrong = got.double() - exact
    relative = float(wrong.square().mean().sqrt() / exact.square().mean().sqrt().clamp(min=1e-30))
    return Verdict(float(wrong.abs().max()), relative <= TOLERANCE[got.dtype])


def race(
    contenders: Mapping[str, Step],
    steps: Sequence[int],
    rounds: int,
    again: Callable[[], None],
    between: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Milliseconds a step of each: for every step the median of the rounds, then the mean over the steps.

    All contenders do a step, in a new order each time, before any does the next: a slow moment of the machine hits all, and
    nobody always finds the keys in the processor's cache. A step that chooses keys and the steps that use the choice both
    count. ``again`` goes back to before the first step; one round is not counted. ``between`` stands for what else a program
    does before each of them, and is not timed.
    """
    order, shuffled = list(contenders.items()), random.Random(0)
    seconds: dict[str, list[list[float]]] = {name: [[] for _ in steps] for name in contenders}
    for number in range(rounds + 1):
        again()
        for place, step in enumerate(steps):
            shuffled.shuffle(order)
            for name, run in order:
                between()
                started = time.perf_counter()
                run(step)
                if number:
                    seconds[name][place].append(time.perf_counter() - started)
    return {name: 1000 * sum(_median(times) for times in found) / len(steps) for name, found in seconds.items()}


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
