"""Attention spelled out: the oracles that every faster path is checked against, exact in float64.

`attention` is plain causal grouped-query attention; `attend` follows a whole `Spec` through an explicit mask; `merge` joins
answers over disjoint keys. Knows tensors only: no cache, no model, no device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.attention.spec import DENSE, Answer, Lengths, Spec, check, packed_positions, query_positions


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


def visible(spec: Spec, kv_heads: int, q_positions: Tensor, k_positions: Tensor) -> Tensor:
    """Which key rows each query row sees, bool [KV, T, N]: the meaning of `Heads` and `Blocks`."""
    queries, keys = q_positions[:, None], k_positions[None, :]
    causal = (keys >= 0) & (keys <= queries)
    if spec.heads is None:
        base = torch.full_like(causal, spec.blocks is None).expand(kv_heads, *causal.shape)
    else:
        near = (keys < spec.heads.sink) | (keys > queries - spec.heads.window)
        base = torch.stack([torch.ones_like(near) if full else near for full in spec.heads.full])
    return causal & (base | listed(spec, kv_heads, len(q_positions), len(k_positions)).to(base.device))


def listed(spec: Spec, kv_heads: int, rows: int, keys: int) -> Tensor:
    """Key rows that the block lists name, bool [KV, T, N]."""
    found = torch.zeros(kv_heads, rows, keys, dtype=torch.bool)
    blocks = spec.blocks
    if blocks is None:
        return found
    for s in range(len(blocks.starts) - 1):
        for head in range(kv_heads):
            for block in blocks.indices[s, head, : int(blocks.counts[s, head])].tolist():
                found[head, blocks.starts[s] : blocks.starts[s + 1], block * blocks.size : (block + 1) * blocks.size] = True
    return found


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    spec: Spec = DENSE,
    q_positions: Tensor | None = None,
    k_positions: Tensor | None = None,
    lengths: Lengths | None = None,
) -> Answer:
    """q [H, T, D], k and v [KV, N, D]; positions [T] and [N] (default: row = position, the queries the newest rows).

    Float64 stays float64; everything else is computed in float32.
    """
    check(q, k, v, spec)
    rows, keys = q.shape[1], k.shape[1]
    if lengths is not None:
        q_positions, k_positions = packed_positions(lengths, q.device)
    where = query_positions(rows, keys, q.device) if q_positions is None else q_positions
    held = torch.arange(keys, device=q.device) if k_positions is None else k_positions
    seen = visible(spec, k.shape[0], where, held)
    if lengths is not None:
        seen &= (_sequence(lengths.queries, rows)[:, None] == _sequence(lengths.keys, keys)).to(q.device)
    return masked(q, k, v, seen, spec)


def masked(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, spec: Spec = DENSE) -> Answer:
    """Softmax attention under the mask ``seen`` [KV, T, N], whatever ``spec`` says about heads and blocks."""
    exact = torch.float64 if q.dtype == torch.float64 else torch.float32
    group = q.shape[0] // k.shape[0]
    wide_k, wide_v, wide_seen = (x.repeat_interleave(group, dim=0) for x in (k, v, seen))
    used = wide_seen.any(dim=1)[:, :, None]  # an unwritten row may hold NaN, and 0 times NaN is NaN
    wide_k, wide_v = (torch.where(used, x.to(exact), 0.0) for x in (wide_k, wide_v))
    logits = q.to(exact) @ wide_k.transpose(1, 2) * (spec.scale or q.shape[2] ** -0.5)
    if spec.softcap:
        logits = spec.softcap * torch.tanh(logits / spec.softcap)
    if spec.key_bias is not None:
        logits = logits + spec.key_bias.to(exact).repeat_interleave(group, dim=0)[:, None, :]
    logits = logits.masked_fill(~wide_seen, -math.inf)
    lse = torch.logsumexp(logits, dim=-1)
    if spec.sink_logit is not None:
        lse = torch.logaddexp(lse, spec.sink_logit.to(exact)[:, None].expand_as(lse))
    weights = torch.exp(logits - lse.masked_fill(lse == -math.inf, 0.0)[:, :, None])
    return Answer((weights @ wide_v).to(q.dtype), lse)


def _sequence(edges: Sequence[int], rows: int) -> Tensor:
    """The number of the sequence that each row belongs to."""
    return torch.bucketize(torch.arange(rows), torch.tensor(edges[1:]), right=True)


def merge(outs: Tensor, lses: Tensor) -> Answer:
    """Join n answers over disjoint keys: outs [n, H, T, D], lses [n, H, T]. Exact: softmax weights of the log denominators."""
    exact = torch.float64 if lses.dtype == torch.float64 else torch.float32
    lse = torch.logsumexp(lses.to(exact), dim=0)
    weights = torch.exp(lses.to(exact) - lse.masked_fill(lse == -math.inf, 0.0))
    return Answer((outs.to(exact) * weights[..., None]).sum(dim=0).to(outs.dtype), lse)
