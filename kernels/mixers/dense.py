"""What mixers that see every earlier token have in common: logits, a causal mask, weights; fused, or by stretches of rows.

Shapes in this folder: q and k [H, T, D], v [H, T, E]; batches are folded into H. All is torch operators, so gradients pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch

ROWS = 128
"""Query rows of a stretch. Measured against the whole square on one core, forward and backward: 1.3 times as fast over 256
tokens, 2.4 times over 1,024 (64 rows 1.1 and 1.9, 256 rows 1.0 and 2.3)."""
Weigh = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits [H, R, S], seen [R, S], how many keys each row sees [R, 1]) -> what the values are weighed with [H, R, S]."""


def by_kernel(*given: Tensor) -> bool:
    """Whether `kernels.mixers.gpu` takes these: its attention holds rows of queries, keys and values whole."""
    widest = max(each.shape[2] for each in given if each.dim() == 3)
    return widest <= dispatch.LARGEST_HEAD and dispatch.on_triton(*given)


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


def fused(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: float | None = None) -> Tensor:
    """`attention` by torch's fused kernel, which keeps no square of weights: ``seen`` [T, S] or [H, T, S], no row empty."""
    mask = seen if seen.dim() == 2 else seen[None]
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, scale=scale)[0]


def by_rows(q: Tensor, k: Tensor, v: Tensor, weigh: Weigh) -> Tensor:
    """Weights of any kind: a stretch of rows is weighed against the keys up to its end only, half of the square."""
    outs = []
    for start in range(0, q.shape[1], ROWS):
        end = min(start + ROWS, q.shape[1])
        counts = torch.arange(start + 1, end + 1, device=q.device)[:, None]
        seen = torch.arange(end, device=q.device) < counts
        outs.append(weigh(logits(q[:, start:end], k[:, :end]), seen, counts.to(q.dtype)) @ v[:, :end])
    return torch.cat(outs, dim=1)
