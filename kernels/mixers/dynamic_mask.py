"""Dynamic Mask Attention (arXiv 2508.02124, section 3): each key says by its value how much it wants to be seen.

b_s = a softplus(v_s . w + c) is added to the logits; a query keeps the ``width`` visible keys with the largest b. b does not
depend on the query, so a decode step picks its keys from one vector a key head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import by_kernel, causal, fused, logits

LANES = 8
"""What a head grows by, for one number more: vector units read numbers by eights."""


def wish(v: Tensor, weight: Tensor, offset: Tensor, amplitude: Tensor) -> Tensor:
    """b [H, S] of values [H, S, E]: weight [H, E], offset and amplitude [H]."""
    raw = torch.einsum("hse,he->hs", v, weight) + offset[:, None]
    return amplitude[:, None] * F.softplus(raw)


def mix(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, width: int) -> Tensor:
    """bias [H, T] from `wish`. Returns [H, T, E]; with ``width`` >= T it is attention with a key bias.

    The bias is one more number of each key, met by a constant in each query: so the mask holds no gradient, and the kernel is
    torch's fused one (1.6 times as fast over 2,048 tokens as with the bias in the mask's place).
    """
    if by_kernel(q, k, v, bias):
        from kernels.mixers import gpu

        return gpu.dynamic_mask(q, k, v, bias, width)
    scale = q.shape[2] ** -0.5
    asked = torch.cat((q, torch.full_like(q[..., :1], 1 / scale)), dim=-1)
    wide = max(q.shape[2] + LANES, v.shape[2])
    wishing = torch.cat((k, bias[..., None]), dim=-1)
    asked, wishing, values = (F.pad(x, (0, wide - x.shape[2])) for x in (asked, wishing, v))
    return fused(asked, wishing, values, visible(bias, width), scale)[..., : v.shape[2]]


def loop(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, width: int) -> Tensor:
    """The same query by query and head by head: the definition."""
    outs = []
    for head, wishes in enumerate(bias.tolist()):
        rows = []
        for t in range(q.shape[1]):
            kept = sorted(range(t + 1), key=wishes.__getitem__, reverse=True)[:width]
            weights = torch.exp(q[head, t] @ k[head, kept].T / math.sqrt(q.shape[2]) + bias[head, kept])
            rows.append(weights @ v[head, kept] / weights.sum())
        outs.append(torch.stack(rows))
    return torch.stack(outs)


def visible(bias: Tensor, width: int) -> Tensor:
    """bool [H, T, T]: the ``width`` keys of largest bias among those up to each row, the earlier of equals; all of them while
    there are no more.

    The keys are sorted once; a row counts those of its past from the top (2.5 ms where a choice for each row took 28: 24 heads
    of 256 rows).
    """
    steps = bias.shape[1]
    seen = causal(steps, bias.device).expand(bias.shape[0], -1, -1)
    if width >= steps:
        return seen
    order = torch.sort(bias.detach(), dim=1, descending=True, stable=True).indices[:, None]
    past = order <= torch.arange(width, steps, device=bias.device)[:, None]
    chosen = past & (past.cumsum(dim=2, dtype=torch.int32) <= width)
    later = torch.zeros_like(chosen).scatter_(2, order.expand_as(chosen), chosen)
    return torch.cat((seen[:, :width], later), dim=1)


def step(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor, width: int) -> Tensor:
    """The newest token over the whole cache: q [H, D], keys and values [H, S, .], bias [H, S]. Reads ``width`` rows of each."""
    best = bias.topk(min(width, bias.shape[1]), dim=-1).indices
    k, v = (x.gather(1, best[..., None].expand(-1, -1, x.shape[2])) for x in (keys, values))
    scores = (logits(q[:, None], k) + bias.gather(1, best)[:, None, :]).softmax(dim=-1)
    return (scores @ v)[:, 0]
