"""Lightning Attention 1 and 2 (arXiv 2307.14995 section 3, 2401.04658 section 3): linear attention with a fixed decay a head.

The two papers compute the same function, the first by one pass over the square, the second in blocks: here `square` and `mix`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels.linear import run
from kernels.mixers.dense import causal


def slopes(heads: int, layer: int = 0, layers: int = 1) -> Tensor:
    """Log decays of TransNormerLLM: -2^(-8 (h + 1) / H), weaker the higher the layer. [H], all below 0."""
    share = 1.0 - layer / max(1, layers - 1) + 1e-5 if layers > 1 else 1.0
    return torch.tensor([-(2.0 ** (-8.0 * (head + 1) / heads)) * share for head in range(heads)])


def mix(q: Tensor, k: Tensor, v: Tensor, decay: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """o_t = q_t sum_{s <= t} exp(decay (t - s)) k_s^T v_s; decay [H]. Returns o [H, T, E] and the state to go on from."""
    return run.linear(q, k, v, decay, state)


def square(q: Tensor, k: Tensor, v: Tensor, decay: Tensor) -> Tensor:
    """The same through the whole T x T square."""
    steps = torch.arange(q.shape[1], device=q.device, dtype=q.dtype)
    distance = steps[:, None] - steps[None, :]
    weights = torch.exp((decay[:, None, None] * distance).masked_fill(~causal(q.shape[1], q.device), -math.inf))
    return (q @ k.transpose(1, 2) * weights) @ v


def step(q: Tensor, k: Tensor, v: Tensor, decay: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """One token: q and k [H, D], v [H, E]; constant work however long the text is."""
    return run.step(q, k, v, decay, state)
