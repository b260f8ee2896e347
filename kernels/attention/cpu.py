"""Causal grouped-query attention through torch's fused CPU kernel.

Same contract as `kernels.attention.reference.attention`, which tests compare it with.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def attention(q: Tensor, k: Tensor, v: Tensor, start: int = 0) -> Tensor:
    """q [..., H, T, d]; k and v [..., KV, S, d]; query t sees the keys up to ``start + t``. Returns [..., H, T, d]."""
    length = q.shape[-2]
    end = start + length
    k, v = k[..., :end, :], v[..., :end, :]
    group = q.shape[-3] // k.shape[-3]
    if group > 1:
        # Folding the group into the query rows reads each shared key once and needs no copy of K and V.
        if length == 1:
            shared = q.reshape(*q.shape[:-3], k.shape[-3], group, q.shape[-1])
            return F.scaled_dot_product_attention(shared, k, v).reshape(q.shape)
        k, v = k.repeat_interleave(group, dim=-3), v.repeat_interleave(group, dim=-3)
    if length == 1:
        return F.scaled_dot_product_attention(q, k, v)
    if start == 0:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    mask = torch.ones(length, end, dtype=torch.bool, device=q.device).tril(diagonal=start)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
