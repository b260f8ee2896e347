"""What changes with progress: learning rate, early-exit weight, sequence length. Pure functions of tokens seen.

Warmup, stable, decay (WSD): the decay may be brought forward at any moment, which is why it is counted from a start, not
from a total.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Tokens at which things happen. ``decay_start`` and ``total`` move together when a run is finished early."""

    total: int
    decay_start: int
    warmup: int
    floor: float = 0.05
    exit_weights: tuple[float, float] = (0.1, 0.5)

    @classmethod
    def of(cls, total: int, decay_share: float = 0.4, warmup: int = 800_000) -> Schedule:
        return cls(total, int(total * (1 - decay_share)), min(warmup, total // 10))

    def finishing(self, now: int, decay: int | None = None) -> Schedule:
        """The same run with its decay starting ``now`` and taking ``decay`` tokens (two thirds of the past ones by default)."""
        if now >= self.decay_start:
            return self
        return Schedule(now + (decay or now * 2 // 3), now, self.warmup, self.floor, self.exit_weights)

    def rate(self, tokens: int) -> float:
        """Learning-rate multiplier after ``tokens``."""
        if tokens < self.warmup:
            return (tokens + 1) / (self.warmup + 1)
        if tokens < self.decay_start:
            return 1.0
        left = (self.total - tokens) / max(1, self.total - self.decay_start)
        return self.floor + (1 - self.floor) * max(0.0, left)

    def exit_weight(self, tokens: int) -> float:
        """Weight of the exit's loss: a ramp over the first third of the stable part."""
        low, high = self.exit_weights
        return low + (high - low) * min(1.0, 3 * tokens / max(1, self.decay_start))
