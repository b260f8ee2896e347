"""InLine attention (arXiv 2412.06590, section 4), made causal: linear attention that is normalised by subtraction.

Weights 1 / n + s q.(k_s - mean k) sum to one and may be below zero, which keeps the map from queries to weights injective. Over
the n tokens so far: o = s q (sum k^T v) / n + (1 - s q.mean k) mean v. The paper adds what the nearest tokens hold (a 3 x 3
window over an image): here the last three.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.linear import run
from kernels.mixers.dense import causal

NEAR = 3


def mix(q: Tensor, k: Tensor, v: Tensor, near: Tensor | None = None) -> Tensor:
    """q, k [H, T, D], v [H, T, E]; ``near`` [H, 3] weighs the token and the two before it. Returns [H, T, E]."""
    scale: float = q.shape[2] ** -0.5
    counts = _counts(q)
    found, _ = run.linear(q, k, v)
    mean_k, mean_v = (x.cumsum(dim=1) / counts for x in (k, v))
    out = scale * found / counts + (1 - scale * (q * mean_k).sum(dim=-1, keepdim=True)) * mean_v
    return out if near is None else out + residual(v, near)


def square(q: Tensor, k: Tensor, v: Tensor, near: Tensor | None = None) -> Tensor:
    """The same from the weights themselves."""
    scale: float = q.shape[2] ** -0.5
    seen = causal(q.shape[1], q.device)
    scores = scale * (q @ k.transpose(1, 2)).masked_fill(~seen, 0.0)
    counts = _counts(q)
    weights = ((scores - scores.sum(dim=-1, keepdim=True) / counts + 1) / counts).masked_fill(~seen, 0.0)
    return weights @ v if near is None else weights @ v + residual(v, near)


def residual(v: Tensor, near: Tensor) -> Tensor:
    """sum_i near[:, i] v_{t - i}, nothing before the beginning."""
    moved = [torch.cat((torch.zeros_like(v[:, :i]), v[:, : v.shape[1] - i]), dim=1) for i in range(NEAR)]
    return sum((near[:, i, None, None] * moved[i] for i in range(1, NEAR)), near[:, 0, None, None] * moved[0])


def _counts(q: Tensor) -> Tensor:
    return torch.arange(1, q.shape[1] + 1, device=q.device, dtype=q.dtype)[:, None]
