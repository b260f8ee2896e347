"""Choose the next token from logits: the likeliest, or by temperature and top-p with a generator of its own.

Knows one row of logits; what must not be chosen has been set to minus infinity before.
"""

from __future__ import annotations

import math

import numpy as np

from assistant.model.mixture import Floats


class Sampler:
    """``temperature`` 0 is greedy. ``top_p`` keeps the likeliest tokens up to that total probability (arXiv 1904.09751)."""

    def __init__(self, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self._seed = seed & 0x7FFF_FFFF_FFFF_FFFF
        self._random: np.random.Generator | None = None  # 0.1 ms to make, and greedy decoding never draws

    def choose(self, logits: Floats) -> tuple[int, float]:
        """logits [V] -> the token, and its natural-log probability under the model itself (temperature 1, nothing cut)."""
        token = self.token(logits)
        return token, float(logits[token] - log_total(logits))

    def token(self, logits: Floats) -> int:
        """logits [V] -> the token alone."""
        return int(logits.argmax()) if self.temperature <= 0 else self._draw(logits)

    def _draw(self, logits: Floats) -> int:
        powers = np.exp((logits - logits.max()).astype(np.float64) / self.temperature)
        order = np.argsort(-powers, kind="stable")
        ordered = powers[order] / powers.sum()
        ordered[np.cumsum(ordered) - ordered >= self.top_p] = 0.0  # the token that crosses the line stays
        ordered[0] = max(float(ordered[0]), 1e-300)  # the first always does
        if self._random is None:
            self._random = np.random.default_rng(self._seed)
        return int(order[self._random.choice(len(ordered), p=ordered / ordered.sum())])


def log_total(logits: Floats) -> float:
    """log of the sum of exp over logits [V]; the largest of them must be finite."""
    top = float(logits.max())
    return top + math.log(float(np.exp(logits - np.float32(top)).sum(dtype=np.float64)))


def entropy(logits: Floats) -> float:
    """Of the distribution that logits [V] make, in nats; 0.02 ms for 8,000."""
    total = np.float32(log_total(logits))
    return float(total - np.dot(np.exp(logits - total), np.maximum(logits, np.float32(-1e30))))
