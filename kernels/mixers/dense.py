"""What mixers that see every earlier token have in common: logits, a causal mask, weights. O(T^2), the definition of each.

Shapes in this folder: q and k [H, T, D], v [H, T, E]; batches are folded into H. All is torch operators, so gradients pass.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def causal(steps: int, device: torch.device | None = None) -> Tensor:
    """bool [T, T]: row t sees columns 0 to t."""
    return torch.ones(steps, steps, dtype=torch.bool, device=device).tril()


def logits(q: Tensor, k: Tensor) -> Tensor:
    """Scaled products, [H, T, S]."""
    scale: float = q.shape[-1] ** -0.5
    return q @ k.transpose(-1, -2) * scale


def softmax(scores: Tensor, seen: Tensor) -> Tensor:
    """Weights over the columns that ``seen`` allows; a row that sees none has weight 0 everywhere."""
    held = scores.masked_fill(~seen, -math.inf)
    nobody = ~seen.any(dim=-1, keepdim=True)
    return torch.softmax(held.masked_fill(nobody, 0.0), dim=-1).masked_fill(nobody, 0.0)


def attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None) -> Tensor:
    """Softmax attention under a mask, causal without one: the oracle of this folder."""
    mask = causal(q.shape[-2], q.device) if seen is None else seen
    return softmax(logits(q, k), mask) @ v
