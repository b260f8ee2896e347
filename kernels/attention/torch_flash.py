"""One call of torch's fused CPU attention that also hands out the softmax's denominators, and how such answers join.

torch's public function keeps the denominators to itself; the operator below it has returned them since torch 2.2. Knows key
heads and packed query rows: the G query heads of a key head stand beside each other, so that keys are read once for all of
them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Part = tuple[Tensor, Tensor]
"""out [..., R, D] and lse [..., R] of the same rows over some of the keys."""


def pack(q: Tensor, kv_heads: int) -> Tensor:
    """[H, T, D] -> [KV, G * T, D]: row g * T + t is token t of the group's head g."""
    return q.reshape(kv_heads, -1, q.shape[2])


def fused(q: Tensor, k: Tensor, v: Tensor, scale: float, mask: Tensor | None = None, causal: bool = False) -> Part:
    """q [B, H, R, D], k and v [B, H, N, D], mask float and broadcastable to [B, H, R, N]. Rows without a key: out 0, lse
    -inf.
    """
    if k.shape[2] == 0:  # torch divides by the number of keys
        exact = torch.promote_types(q.dtype, torch.float32)
        return torch.zeros_like(q), torch.full(q.shape[:3], -math.inf, dtype=exact, device=q.device)
    if mask is not None:
        mask = mask.to(q.dtype)
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, is_causal=causal, attn_mask=mask, scale=scale
    )
    if mask is not None:
        lse = lse.masked_fill((mask == -math.inf).all(dim=-1), -math.inf)  # torch says 0 there
    return out, lse


def dense(q: Tensor, k: Tensor, v: Tensor, scale: float, threads: int) -> Part:
    """Packed rows q [KV, R, D] over all of k and v [KV, N, D], as one answer.

    The fused kernel shares work out by heads and blocks of query rows; one packed row block over few key heads leaves threads
    idle. So long keys are cut into pieces that play the part of heads, and the pieces' answers are merged.
    """
    pieces = -(-threads // k.shape[0])
    if pieces == 1 or k.shape[1] < 1024 * pieces or q.shape[1] > 32:
        out, lse = fused(q[None], k[None], v[None], scale)
        return out[0], lse[0]
    size = k.shape[1] // pieces
    cut = pieces * size
    split_k, split_v = (x[:, :cut].view(x.shape[0], pieces, size, x.shape[2]) for x in (k, v))
    out, lse = fused(q[:, None].expand(-1, pieces, -1, -1), split_k, split_v, scale)
    parts = [(out[:, i], lse[:, i]) for i in range(pieces)]
    if cut < k.shape[1]:
        rest = fused(q[None], k[None, :, cut:], v[None, :, cut:], scale)
        parts.append((rest[0][0], rest[1][0]))
    return merge(parts)


def merge(parts: list[Part]) -> Part:
    """Answers over disjoint keys as one: each weighs as its share of the sum of the denominators."""
    if len(parts) == 1:
        return parts[0]
    lses = torch.stack([lse for _, lse in parts])
    lse = torch.logsumexp(lses, dim=0)
    weights = torch.exp(lses - torch.where(lse == -math.inf, 0.0, lse))[..., None]
    out = parts[0][0] * weights[0]  # float32 weights: half-precision parts are summed in float32
    for i, part in enumerate(parts[1:], 1):
        out = torch.addcmul(out, part[0].to(out.dtype), weights[i])
    return out.to(parts[0][0].dtype), lse


def plain(q: Tensor, k: Tensor, v: Tensor, scale: float, mask: Tensor | None, softcap: float) -> Part:
    """The same in separate steps and float32, for logits that are bent or biased: q [B, H, R, D], k and v [B, H, N, D]."""
    exact = torch.float64 if q.dtype == torch.float64 else torch.float32
    logits = (q.to(exact) @ k.to(exact).transpose(-1, -2)) * scale
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    if mask is not None:
        logits = logits + mask
    lse = torch.logsumexp(logits, dim=-1)
    weights = torch.exp(logits - torch.where(lse == -math.inf, 0.0, lse)[..., None])
    return (weights @ v.to(exact)).to(q.dtype), lse
