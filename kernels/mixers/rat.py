"""RAT (arXiv 2507.04416, section 3): a gated recurrence inside each chunk of L tokens, softmax attention over the chunks.

Inside a chunk k~_t = g_t k~_{t-1} + (1 - g_t) k_t, v~ likewise, both begun anew at each chunk. A query sees the last k~ of
every earlier chunk and the k~ of its own token. L = 1 is softmax attention; the cache is 1 / L of one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.linear import reference, run
from kernels.mixers.dense import by_kernel, logits, softmax


def mix(q: Tensor, k: Tensor, v: Tensor, gate: Tensor, chunk: int) -> Tensor:
    """q, k, v and gate (0 to 1) [H, T, D]; ``chunk`` is L, any T. Returns [H, T, D]."""
    kept = gate * (torch.arange(q.shape[1], device=q.device) % chunk != 0)[:, None]
    keys, values = (run.scan((1 - kept) * x, kept, chunk=min(chunk, 64)) for x in (k, v))
    return _over_chunks(q, keys, values, chunk)


def loop(q: Tensor, k: Tensor, v: Tensor, gate: Tensor, chunk: int) -> Tensor:
    """The same token by token, each query with the keys it is given: the definition."""
    rows = []
    for t in range(q.shape[1]):
        starts = range(0, t + 1, chunk)
        ends = [(a, min(a + chunk, t + 1)) for a in starts]
        keys, values = (torch.stack([_folded(x[:, a:b], gate[:, a:b]) for a, b in ends], dim=1) for x in (k, v))
        weights = torch.softmax(logits(q[:, t : t + 1], keys), dim=-1)
        rows.append(weights @ values)
    return torch.cat(rows, dim=1)


def _folded(x: Tensor, gate: Tensor) -> Tensor:
    """The recurrence's last value over one chunk; the first token enters whole."""
    kept = torch.cat((torch.zeros_like(gate[:, :1]), gate[:, 1:]), dim=1)
    return reference.scan((1 - kept) * x, kept)[:, -1]


def _over_chunks(q: Tensor, keys: Tensor, values: Tensor, chunk: int) -> Tensor:
    """One softmax over the finished chunks' last rows and the token's own."""
    if by_kernel(q, keys, values):
        from kernels.mixers import gpu

        return gpu.over_chunks(q, keys, values, chunk)
    steps = q.shape[1]
    ends = torch.arange(steps // chunk, device=q.device) * chunk + chunk - 1
    finished = ends[None, :] < torch.arange(steps, device=q.device)[:, None] // chunk * chunk
    own = (q * keys).sum(dim=-1, keepdim=True) * q.shape[2] ** -0.5
    seen = torch.cat((finished, finished.new_ones(steps, 1)), dim=1)
    weights = softmax(torch.cat((logits(q, keys[:, ends]), own), dim=-1), seen)
    return weights[..., :-1] @ values[:, ends] + weights[..., -1:] * values
