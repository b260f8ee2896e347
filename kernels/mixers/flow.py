"""Causal Flow-Attention (arXiv 2202.06258, section 3.3 and its causal form): linear attention as a flow that is conserved.

Keys are sources, queries are sinks, phi is a sigmoid. A sink's incoming and a source's outgoing flow are held to one a token,
so that sources compete (a softmax over those so far) and sinks are given their share (a sigmoid).
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.linear import run
from kernels.mixers.dense import causal

EPSILON = 1e-6


def mix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q and k [H, T, D], v [H, T, E] -> [H, T, E]. Linear in T; sums over what came before, by cumulative sums."""
    q, k = torch.sigmoid(q), torch.sigmoid(k)
    counts = torch.arange(1, q.shape[1] + 1, device=q.device, dtype=q.dtype)
    incoming = _dot(q, k.cumsum(dim=1)) / counts
    outgoing = _dot(k, q.cumsum(dim=1)) / counts
    given = _dot(q, (k / outgoing[..., None]).cumsum(dim=1)) / counts
    wanted = _dot(k, (q / incoming[..., None]).cumsum(dim=1)) / counts
    rivals = torch.exp(wanted.clamp(-1.0, 1.0))
    won = rivals / rivals.cumsum(dim=1) * counts
    found, _ = run.linear(q / (incoming * counts)[..., None], k, v * won[..., None])
    return found * torch.sigmoid(given)[..., None]


def loop(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same through T x T squares: the definition."""
    q, k = torch.sigmoid(q), torch.sigmoid(k)
    seen = causal(q.shape[1], q.device)
    counts = seen.sum(dim=1).to(q.dtype)
    flow = (q @ k.transpose(1, 2)).masked_fill(~seen, 0.0)  # row t: sink t, column s: source s
    back = (k @ q.transpose(1, 2)).masked_fill(~seen, 0.0)
    incoming, outgoing = (EPSILON + flow.sum(dim=2)) / counts, (EPSILON + back.sum(dim=2)) / counts
    given = (EPSILON + (flow / outgoing[:, None, :]).sum(dim=2)) / counts
    wanted = (EPSILON + (back / incoming[:, None, :]).sum(dim=2)) / counts
    rivals = torch.exp(wanted.clamp(-1.0, 1.0))
    won = rivals / rivals.cumsum(dim=1) * counts
    return flow / (incoming * counts)[..., None] @ (v * won[..., None]) * torch.sigmoid(given)[..., None]


def _dot(x: Tensor, sums: Tensor) -> Tensor:
    return (x * sums).sum(dim=-1) + EPSILON
