"""BASED (arXiv 2402.18668, section 4): linear attention whose feature map is the second-order Taylor series of exp.

phi(x) = [1, x / f^(1/4), (x outer x) / sqrt(2 f)], so that phi(q).phi(k) = 1 + s + s^2 / 2 with s = q.k / sqrt(f), which is
never below one half: a safe denominator. The paper takes turns with a softmax over a short window: `dense.attention`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels.linear import run
from kernels.mixers.dense import causal


def features(x: Tensor) -> Tensor:
    """x [..., f] -> [..., 1 + f + f * f]."""
    size = x.shape[-1]
    squares = (x[..., :, None] * x[..., None, :]).flatten(-2) / math.sqrt(2 * size)
    return torch.cat((torch.ones_like(x[..., :1]), x / size**0.25, squares), dim=-1)


def mix(q: Tensor, k: Tensor, v: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """q and k [H, T, f] with f small (16 in the paper: 273 features), v [H, T, E]; state [H, 1 + f + f f, E + 1]."""
    out, state = run.linear(features(q), features(k), _with_ones(v), state=state)
    return out[..., :-1] / out[..., -1:], state


def square(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same through the T x T square, from the series itself."""
    s = q @ k.transpose(1, 2) * q.shape[2] ** -0.5
    weights = (1 + s + s * s / 2).masked_fill(~causal(q.shape[1], q.device), 0.0)
    out: Tensor = weights @ v / weights.sum(dim=-1, keepdim=True)
    return out


def step(q: Tensor, k: Tensor, v: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """One token: q and k [H, f], v [H, E]."""
    out, state = run.step(features(q), features(k), _with_ones(v), None, state)
    return out[..., :-1] / out[..., -1:], state


def _with_ones(v: Tensor) -> Tensor:
    return torch.cat((v, torch.ones_like(v[..., :1])), dim=-1)
