"""Softplus attention with re-weighting (arXiv 2501.13428, sections 3 and 4): a softmax without exponentials, then sharpened.

Weights are softplus of the logits, scaled by the logarithm of how many keys a query sees so that a longer text does not flatten
them, brought to sum one, raised to a power and brought to sum one again. The row's sum is needed before the power: two passes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import causal, logits

POWER = 3.0
EPSILON = 1e-9


def weights(q: Tensor, k: Tensor, power: float = POWER) -> Tensor:
    """[H, T, T], rows sum to one; ``power`` 1 leaves the sharpening out."""
    seen = causal(q.shape[1], q.device)
    counts = torch.arange(1, q.shape[1] + 1, device=q.device, dtype=q.dtype)[:, None]
    scale = torch.log(counts + math.e - 1) * math.log(q.shape[2])
    first = _share(F.softplus(logits(q, k) * scale).masked_fill(~seen, 0.0))
    return first if power == 1 else _share((first * counts) ** power)


def mix(q: Tensor, k: Tensor, v: Tensor, power: float = POWER) -> Tensor:
    """q and k [H, T, D], v [H, T, E] -> [H, T, E]."""
    return weights(q, k, power) @ v


def _share(x: Tensor) -> Tensor:
    return x / (x.sum(dim=-1, keepdim=True) + EPSILON)
