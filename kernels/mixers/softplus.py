"""Softplus attention with re-weighting (arXiv 2501.13428, sections 3 and 4): a softmax without exponentials, then sharpened.

Weights are softplus of the logits, scaled by the logarithm of how many keys a query sees so that a longer text does not flatten
them, brought to sum one, raised to a power and brought to sum one again. The first sum cancels: it is a softmax over power
times the logarithm of softplus, in one pass and with nothing that could be too small for a number.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers import dense

POWER = 3.0
LOW = -37.0
FAR = 60.0
"""Weights below e^-60 of the largest are left out: no double holds them beside it, and what they leave in the gradient are
numbers so small that a processor takes twice the time for the whole (1,024 tokens: 470 ms, so 168)."""


def mix(q: Tensor, k: Tensor, v: Tensor, power: float = POWER) -> Tensor:
    """q and k [H, T, D], v [H, T, E] -> [H, T, E]; ``power`` 1 leaves the sharpening out.

    Triton on a GPU where no gradient is wanted, torch elsewhere.
    """
    if dense.by_kernel(q, k, v):
        from kernels.mixers import weighing_gpu

        return weighing_gpu.softplus(q, k, v, power)
    size = math.log(q.shape[2])

    def weigh(scores: Tensor, seen: Tensor, counts: Tensor) -> Tensor:
        scale = torch.log(counts + math.e - 1) * size
        logits = (power * _log_softplus(scores * scale)).masked_fill(~seen, -math.inf)
        least = logits.detach().amax(dim=-1, keepdim=True) - FAR
        return torch.softmax(logits.masked_fill(logits.detach() < least, -math.inf), dim=-1)

    return dense.by_rows(q, k, v, weigh)


def _log_softplus(x: Tensor) -> Tensor:
    """log log(1 + e^x); below -37 that is x to the last digit of a double, where e^x would soon be zero."""
    return torch.where(x < LOW, x, torch.log(F.softplus(x.clamp(min=LOW), threshold=-LOW)))


def loop(q: Tensor, k: Tensor, v: Tensor, power: float = POWER) -> Tensor:
    """The same query by query, step by step as it is written: the definition."""
    rows = []
    for t in range(q.shape[1]):
        scale = math.log(t + math.e) * math.log(q.shape[2])
        first = torch.log(1 + torch.exp(scale * dense.logits(q[:, t : t + 1], k[:, : t + 1])))
        first = first / first.sum(dim=-1, keepdim=True)
        sharp = first**power
        rows.append(sharp / sharp.sum(dim=-1, keepdim=True) @ v[:, : t + 1])
    return torch.cat(rows, dim=1)
