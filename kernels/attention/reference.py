"""Causal grouped-query attention, spelled out: the oracle that every faster path is checked against.

Knows tensors only: no cache, no model, no device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def attention(q: Tensor, k: Tensor, v: Tensor, start: int = 0) -> Tensor:
    """Attend from positions ``start .. start+T-1`` to keys ``0 .. S-1``, each query to the keys at or before it.

    q [..., H, T, d]; k and v [..., KV, S, d] with H a multiple of KV and S >= start + T. Returns [..., H, T, d].
    "Attention Is All You Need", section 3.2.1; the sharing of key/value heads is GQA (arXiv 2305.13245), section 2.2.
    """
    heads, length = q.shape[-3], q.shape[-2]
    group = heads // k.shape[-3]
    out = torch.empty_like(q)
    for h in range(heads):
        keys, values = k[..., h // group, :, :], v[..., h // group, :, :]
        for t in range(length):
            seen = start + t + 1
            scores = (keys[..., :seen, :] @ q[..., h, t, :].unsqueeze(-1)).squeeze(-1) / math.sqrt(q.shape[-1])
            weights = torch.softmax(scores.float(), dim=-1).to(values.dtype)
            out[..., h, t, :] = (weights.unsqueeze(-2) @ values[..., :seen, :]).squeeze(-2)
    return out
