"""Choose the next token from logits: the likeliest, or by temperature and top-p with a generator of its own.

Knows one row of logits; what must not be chosen has been set to minus infinity before.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Sampler:
    """``temperature`` 0 is greedy. ``top_p`` keeps the likeliest tokens up to that total probability (arXiv 1904.09751)."""

    def __init__(self, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self._generator = torch.Generator().manual_seed(seed & 0x7FFF_FFFF_FFFF_FFFF)

    def choose(self, logits: Tensor) -> tuple[int, float]:
        """logits [V] -> the token, and its natural-log probability under the model itself (temperature 1, nothing cut)."""
        token = logits.argmax() if self.temperature <= 0 else self._draw(logits)
        # The caller waits for both numbers anyway: one transfer instead of two.
        chosen, logprob = torch.stack((token.double(), (logits[token] - logits.logsumexp(0)).double())).tolist()
        return int(chosen), logprob

    def _draw(self, logits: Tensor) -> Tensor:
        probabilities = torch.softmax(logits.double() / self.temperature, dim=0)
        ordered, order = probabilities.sort(descending=True)
        before = ordered.cumsum(0) - ordered
        ordered[before >= self.top_p] = 0.0  # the token that crosses the line stays; the first always does
        ordered[0] = max(float(ordered[0]), 1e-300)
        return order[torch.multinomial(ordered, 1, generator=self._generator)[0]]
