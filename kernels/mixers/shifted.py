"""Shifted sparse attention with sinks (SF-Attn of SinkLoRA, arXiv 2406.05678, section 3.2): for training on long texts only.

Tokens attend inside groups of G; half of the heads have their groups shifted by G / 2, so that groups overlap; the first tokens
are seen by all. The paper's repository has no such code: this follows the text.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import by_kernel, causal, logits, softmax


def visible(heads: int, steps: int, group: int, sinks: int, device: torch.device | None = None) -> Tensor:
    """bool [H, T, T]: the definition."""
    at = torch.arange(steps, device=device)
    shift = torch.where(torch.arange(heads, device=device) < heads // 2, 0, group // 2)
    groups = (at[None, :] + shift[:, None]) // group
    return ((groups[:, :, None] == groups[:, None, :]) | (at < sinks)) & causal(steps, device)


def mix(q: Tensor, k: Tensor, v: Tensor, group: int, sinks: int) -> Tensor:
    """q, k, v [H, T, D] -> [H, T, D] in O(T (G + sinks))."""
    if by_kernel(q, k, v):
        from kernels.mixers import gpu

        return gpu.shifted(q, k, v, group, sinks)
    half = q.shape[0] // 2
    plain = _grouped(q[:half], k[:half], v[:half], group, sinks, 0)
    return torch.cat((plain, _grouped(q[half:], k[half:], v[half:], group, sinks, group // 2)), dim=0)


def _grouped(q: Tensor, k: Tensor, v: Tensor, group: int, sinks: int, shift: int) -> Tensor:
    """Groups as a batch, each with the sinks in front; zeros before the first token where groups are shifted."""
    heads, steps, _ = q.shape
    if not heads:
        return q
    pad = -(steps + shift) % group
    queries, keys, values = (F.pad(x, (0, 0, shift, pad)).reshape(heads, -1, group, x.shape[2]) for x in (q, k, v))
    first = [x[:, None, :sinks].expand(-1, queries.shape[1], -1, -1) for x in (k, v)]
    at = torch.arange(-shift, steps + pad, device=q.device).reshape(-1, group)
    inside = causal(group, q.device) & (at >= 0)[:, None, :] & ((at >= sinks)[:, None, :])  # a sink counts once
    early = torch.arange(min(sinks, steps), device=q.device)[None, None, :] <= at[:, :, None]
    scores = torch.cat((logits(queries, first[0]), logits(queries, keys)), dim=-1)
    out = softmax(scores, torch.cat((early, inside), dim=-1)) @ torch.cat((first[1], values), dim=2)
    return out.flatten(1, 2)[:, shift : shift + steps]
