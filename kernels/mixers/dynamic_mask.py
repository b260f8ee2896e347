"""Dynamic Mask Attention (arXiv 2508.02124, section 3): each key says by its value how much it wants to be seen.

b_s = a softplus(v_s . w + c) is added to the logits; a query keeps the ``width`` visible keys with the largest b. b does not
depend on the query, so a decode step picks its keys from one vector a key head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import causal, logits, softmax


def wish(v: Tensor, weight: Tensor, offset: Tensor, amplitude: Tensor) -> Tensor:
    """b [H, S] of values [H, S, E]: weight [H, E], offset and amplitude [H]."""
    raw = torch.einsum("hse,he->hs", v, weight) + offset[:, None]
    return amplitude[:, None] * F.softplus(raw)


def mix(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, width: int) -> Tensor:
    """bias [H, T] from `wish`. Returns [H, T, E]; with ``width`` >= T it is attention with a key bias."""
    return softmax(logits(q, k) + bias[:, None, :], visible(bias, width)) @ v


def visible(bias: Tensor, width: int) -> Tensor:
    """bool [H, T, T]: the ``width`` keys of largest bias among those up to each row, all of them while there are no more."""
    steps = bias.shape[1]
    seen = causal(steps, bias.device)
    if width >= steps:
        return seen.expand(bias.shape[0], -1, -1)
    ranked = bias.detach()[:, None, :].expand(-1, steps, -1).masked_fill(~seen, -torch.inf)
    best = ranked.topk(width, dim=-1).indices
    return torch.zeros_like(ranked, dtype=torch.bool).scatter_(-1, best, True) & seen


def step(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor, width: int) -> Tensor:
    """The newest token over the whole cache: q [H, D], keys and values [H, S, .], bias [H, S]. Reads ``width`` rows of each."""
    best = bias.topk(min(width, bias.shape[1]), dim=-1).indices
    k, v = (x.gather(1, best[..., None].expand(-1, -1, x.shape[2])) for x in (keys, values))
    scores = (logits(q[:, None], k) + bias.gather(1, best)[:, None, :]).softmax(dim=-1)
    return (scores @ v)[:, 0]
