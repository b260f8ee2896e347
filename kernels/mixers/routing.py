"""Routing attention (arXiv 2003.05997, section 4), made causal: keys are sorted by centroid, a query reads its own centroid's.

The paper lets each centroid pick its best tokens of the whole sequence, so that a past token's place depends on later ones and
nothing can be generated faithfully. Here every token belongs to its nearest centroid at once, and a query reads the last
``width`` members of its own, itself among them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import by_kernel, causal, logits, softmax


def assign(x: Tensor, centroids: Tensor) -> Tensor:
    """The nearest centroid, by angle, of each row: x [H, T, D], centroids [H, C, D] -> int64 [H, T]."""
    return (F.normalize(x, dim=-1) @ F.normalize(centroids, dim=-1).transpose(1, 2)).argmax(dim=-1)


def visible(clusters: Tensor, width: int) -> Tensor:
    """bool [H, T, T]: the definition. Members of the query's cluster up to itself, the last ``width`` of them."""
    steps = clusters.shape[1]
    same = (clusters[:, :, None] == clusters[:, None, :]) & causal(steps, clusters.device)
    rank = same.sum(dim=-1)  # the how-manieth of its cluster each token is
    return same & (rank[:, :, None] - rank[:, None, :] < width)


def mix(q: Tensor, k: Tensor, v: Tensor, clusters: Tensor, width: int, centroids: int = 0) -> Tensor:
    """clusters [H, T] from `assign`. Sorted by cluster, a query's keys stand beside it: two blocks of ``width``, O(T width).

    ``centroids``: how many there are; 0 waits for a GPU to say which of them it used last.
    """
    if by_kernel(q, k, v):
        from kernels.mixers import gpu

        return gpu.routing(q, k, v, clusters, width, centroids or int(clusters.max()) + 1)
    heads, steps, _ = q.shape
    order = clusters.argsort(dim=1, stable=True)
    pad = -steps % width
    blocks = (steps + pad) // width
    queries, keys, values = (_blocked(x, order, pad, blocks) for x in (q, k, v))
    owner = F.pad(clusters.gather(1, order), (0, pad), value=-1).reshape(heads, blocks, width)
    with_last = [torch.cat((_shifted(x), x), dim=2) for x in (keys, values)]
    owners = torch.cat((F.pad(owner[:, :-1], (0, 0, 1, 0), value=-2), owner), dim=2)
    rows = torch.arange(width, device=q.device)[:, None] + width
    columns = torch.arange(2 * width, device=q.device)[None, :]
    near = (columns <= rows) & (columns > rows - width)
    out = softmax(logits(queries, with_last[0]), near & (owner[..., None] == owners[:, :, None, :])) @ with_last[1]
    flat = out.flatten(1, 2)[:, :steps]
    return torch.zeros_like(flat).scatter(1, order[..., None].expand_as(flat), flat)


def _blocked(x: Tensor, order: Tensor, pad: int, blocks: int) -> Tensor:
    held = x.gather(1, order[..., None].expand_as(x))
    return F.pad(held, (0, 0, 0, pad)).reshape(x.shape[0], blocks, -1, x.shape[2])


def _shifted(x: Tensor) -> Tensor:
    """Each block's predecessor; zeros before the first."""
    return F.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
