"""Agent attention (arXiv 2312.08874, section 3), made causal: past blocks speak through one agent each.

The paper pools agents from all queries of an image. Here each finished block of L tokens leaves one agent: the mean of its
queries, which reads everything up to its block's end, once. A query sees the agents (their pooled query as key, what they read
as value) and its own block's tokens. T tokens leave T / L agents and one block of keys to look at.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import by_kernel, causal, logits, softmax


def mix(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    """q, k, v [H, T, D], any T. Returns [H, T, D]."""
    if by_kernel(q, k, v):
        from kernels.mixers import gpu

        return gpu.agent(q, k, v, block)
    agents, steps = pooled(q, block), q.shape[1]
    finished = agents.shape[1]
    at = torch.arange(steps, device=q.device)
    whole = torch.arange(1, finished + 1, device=q.device) * block
    read = softmax(logits(agents, k), at[None, :] < whole[:, None]) @ v
    scores = torch.cat((logits(q, agents), _own(q, k, block)), dim=-1)
    seen = torch.cat((whole[None, :] <= (at // block * block)[:, None], _inside(steps, block, q.device)), dim=1)
    weights = softmax(scores, seen)
    local = _blocks(weights[..., finished:], block) @ _blocks(v, block)
    return weights[..., :finished] @ read + local.flatten(1, 2)[:, :steps]


def pooled(q: Tensor, block: int) -> Tensor:
    """The agents of the finished blocks, [H, T / block, D]."""
    finished = q.shape[1] // block
    return q[:, : finished * block].reshape(q.shape[0], finished, block, q.shape[2]).mean(dim=2)


def loop(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    """The same token by token, from nothing but the tokens before: the definition."""
    rows = []
    for t in range(q.shape[1]):
        start = t // block * block
        agents = [q[:, a : a + block].mean(dim=1, keepdim=True) for a in range(0, start, block)]
        read = [
            torch.softmax(logits(one, k[:, : (i + 1) * block]), -1) @ v[:, : (i + 1) * block] for i, one in enumerate(agents)
        ]
        keys, values = (torch.cat([*left, x[:, start : t + 1]], dim=1) for left, x in ((agents, k), (read, v)))
        rows.append(torch.softmax(logits(q[:, t : t + 1], keys), dim=-1) @ values)
    return torch.cat(rows, dim=1)


def _blocks(x: Tensor, block: int) -> Tensor:
    """[H, T, n] -> [H, B, block, n], zeros behind the end."""
    return F.pad(x, (0, 0, 0, -x.shape[1] % block)).reshape(x.shape[0], -1, block, x.shape[2])


def _own(q: Tensor, k: Tensor, block: int) -> Tensor:
    """Logits over the tokens of a query's own block, [H, T, block]."""
    return logits(_blocks(q, block), _blocks(k, block)).flatten(1, 2)[:, : q.shape[1]]


def _inside(steps: int, block: int, device: torch.device) -> Tensor:
    """bool [T, block]: what of its own block a query may see."""
    return causal(block, device).repeat(-(-steps // block), 1)[:steps]
