"""The same as `kernels.select.reference` in whole-tensor steps; also right on a GPU. One batched product for each question.

On a CPU compiled code votes and chooses where it stands ready, and answers other questions of few rows
(`kernels.select.compiled`).
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.select import compiled
from kernels.select.reference import MOMENTS, added, divided, exact, joined


def summarise(k: Tensor, size: int, kind: str) -> Tensor:
    """[KV, N, D] -> [KV, N // size, D or 2 D]. See the reference."""
    whole = k.shape[1] // size
    blocks = k[:, : whole * size].view(k.shape[0], whole, size, k.shape[2])
    if kind == "minmax":
        return torch.cat((blocks.amax(dim=2), blocks.amin(dim=2)), dim=2)
    if kind == MOMENTS:
        each = blocks.to(exact(k))
        return torch.cat((each.mean(dim=2), each.var(dim=2, unbiased=False)), dim=2).to(k.dtype)
    return blocks.mean(dim=2) if kind == "mean" else blocks[:, :, size // 2].contiguous()


def kept(rows: Tensor, held: Tensor | None) -> Tensor:
    """Rows that will be voted on as `vote` reads them soonest, divided for a matrix unit; or like those that are ``held``."""
    divides = compiled.divides(rows) if held is None else held.dtype != rows.dtype
    return divided(rows) if divides else rows


WHOLE = 256
"""oneDNN prepares a half-precision product anew for each number of keys (5 ms), so that number changes only every 256 keys and
the few left over are multiplied in float32. Key heads go one by one: its batched product takes 50 ms where 16 384 keys a head
lie in a longer buffer, single ones 1 ms.
"""


TOGETHER = 32
"""Query rows that torch lets vote in one go: more would only make larger tables of logits."""


def _grouped(q: Tensor, kv_heads: int) -> Tensor:
    """[S, H, D] -> [KV, S * G, D]: the heads that share keys beside each other."""
    count, heads, size = q.shape
    return q.reshape(count, kv_heads, heads // kv_heads, size).transpose(0, 1).reshape(kv_heads, -1, size)


def _products(q: Tensor, keys: Tensor, count: int) -> Tensor:
    """[KV, S * G, D] times [KV, M, D] -> [S, KV, G, M] in float32 or better."""
    if q.is_cuda or q.dtype not in (torch.bfloat16, torch.float16):
        products = torch.bmm(q, keys.to(q.dtype).transpose(1, 2))
    else:
        cut = keys.shape[1] // WHOLE * WHOLE
        products = torch.bmm(q.float(), keys[:, cut:].float().transpose(1, 2))
        if cut:
            each = torch.stack([rows @ some.to(q.dtype).T for rows, some in zip(q, keys[:, :cut], strict=True)])
            products = torch.cat((each.float(), products), dim=2)
    return products.to(exact(q)).view(keys.shape[0], count, -1, keys.shape[1]).transpose(0, 1)


def _hide(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """x [S, ..., M] with -inf in each row's columns before ``low`` [S] and from ``high`` on; in place."""
    if len(x) == 1 and not x.is_cuda:  # two slices cost a tenth of a mask; on a GPU their ends would have to be fetched
        x[..., : int(low)] = -math.inf
        x[..., max(0, int(high)) :] = -math.inf
        return x
    columns = torch.arange(x.shape[-1], device=low.device)
    outside = (columns < low[:, None]) | (columns >= high[:, None])
    return x.masked_fill_(outside.view(len(x), *(1,) * (x.dim() - 2), -1), -math.inf)


def score(q: Tensor, summary: Tensor, low: Tensor, high: Tensor, kind: str) -> Tensor:
    """[S, KV, NB]. A box's bound is one product too: positive parts of q meet the highest corner, negative parts the lowest."""
    if kind == "minmax":
        q = torch.cat((q.clamp(min=0), q.clamp(max=0)), dim=2)
    found = compiled.score(q, summary, low, high)
    if found is not None:
        return found
    rows = _grouped(q, summary.shape[0])
    return _hide(_products(rows, summary, q.shape[0]).amax(dim=2), low, high)


def vote(q: Tensor, k: Tensor, low: Tensor, high: Tensor, scale: float, parts: int = 1) -> Tensor:
    """[S, KV, N / parts]."""
    found = compiled.vote(q, k, low, high, scale, parts)
    if found is not None:
        return found
    if not q.is_cuda and len(q) > TOGETHER:
        k = joined(q, k)
        some = [slice(first, first + TOGETHER) for first in range(0, len(q), TOGETHER)]
        return torch.cat([vote(q[few], k, low[few], high[few], scale, parts) for few in some])
    logits = _products(_grouped(q, k.shape[0]), joined(q, k), q.shape[0]).mul_(scale)
    votes = _hide(torch.softmax(_hide(logits, low, high), dim=3).sum(dim=2), low, high)
    return added(votes, parts)


def descend(q: Tensor, k: Tensor, chunks: Tensor, size: int, high: Tensor) -> Tensor:
    """[S, KV, C]: all chunks take each step together, two keys a chunk."""
    found = compiled.descend(q, k, chunks, size, high)
    if found is not None:
        return found
    count, kv_heads, _ = chunks.shape
    rows = q.reshape(count, kv_heads, -1, q.shape[2])
    heads = torch.arange(kv_heads, device=k.device)[None, :, None]
    outside = (chunks < 0) | (chunks + size > high[:, None, None])
    left = torch.where(outside, 0, chunks)

    def best(row: Tensor) -> Tensor:
        keys = k[heads, row.clamp(max=k.shape[1] - 1)].to(q.dtype)
        return (rows @ keys.transpose(2, 3)).to(exact(q)).amax(dim=2)

    value, span = best(left) if size == 1 else left.to(exact(q)), size
    while span > 1:
        half = span // 2
        lower, upper = best(left + half // 2), best(left + half + (span - half) // 2)
        value = torch.maximum(lower, upper)
        left = torch.where(lower >= upper, left, left + half)
        span = half
    return value.masked_fill(outside, -math.inf)


def select(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """counts [S, KV] and indices [S, KV, min(count, M)]; among equal scores either may be kept."""
    found = compiled.select(scores, count)
    if found is not None:
        return found
    width = min(count, scores.shape[2])
    if scores.is_cuda or not width:
        values, indices = scores.topk(width, dim=2)
    else:  # numpy parts 16,384 scores at the 2,048th in 0.02 ms, torch ranks them in 0.2
        plain = scores.numpy()
        best = plain.argpartition(plain.shape[2] - width, axis=2)[:, :, plain.shape[2] - width :]
        least = plain[0, _lanes(plain.shape[1]), best[0, :, 0]].min() if len(plain) == 1 else -math.inf
        best.sort(axis=2)
        indices = torch.from_numpy(best)
        if least > -math.inf:
            return _all(1, plain.shape[1], width), indices
        values = scores.gather(2, indices)
    chosen = values > -math.inf
    counts = chosen.sum(dim=2)
    ordered = torch.where(chosen, indices, scores.shape[2]).sort(dim=2).values
    return counts, torch.where(ordered == scores.shape[2], 0, ordered)


@functools.lru_cache(maxsize=64)
def _lanes(kv_heads: int) -> NDArray[np.intp]:
    return np.arange(kv_heads)


@functools.lru_cache(maxsize=64)
def _all(count: int, kv_heads: int, width: int) -> Tensor:
    """Counts where everything that was asked for is there; nobody writes to them."""
    return torch.full((count, kv_heads), width)
