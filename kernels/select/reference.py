"""Which blocks of keys a query should look at, spelled out: summaries, scores, the vote of heads, the descent, the choice.

S query rows choose, each for itself: q [S, H, D]; keys k [KV, N, D]; query head h belongs to key head ``h // (H / KV)``. Rows
of keys that a row may choose from are ``low[s] <= row < high[s]``; everything outside scores -inf. Float64 stays float64.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

KINDS = ("mean", "minmax", "middle")
MOMENTS = "moments"
"""A kind that only votes, by `with_spread`: no single key has such a score."""
SPREAD = 0.5
"""Where a block's keys lay like a normal distribution of independent numbers, 1 would give the votes of all of them together.
A key that stands out is what is looked for; half of the spread kept most attention of code (of a toy, on development text).
"""


def exact(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def summarise(k: Tensor, size: int, kind: str) -> Tensor:
    """One row for each complete block of ``size`` keys: [KV, N // size, D], 2 D wide for "minmax" (highest, then lowest) and
    "moments" (mean, then variance).

    "mean": the average key. "minmax": the box around the keys (Quest, arXiv 2406.10774). "middle": one key for all.
    """
    rows = []
    for b in range(k.shape[1] // size):
        block = k[:, b * size : (b + 1) * size]
        if kind == "minmax":
            rows.append(torch.cat((block.amax(dim=1), block.amin(dim=1)), dim=1))
        elif kind == MOMENTS:
            each = block.to(exact(k))
            rows.append(torch.cat((each.mean(dim=1), each.var(dim=1, unbiased=False)), dim=1).to(k.dtype))
        else:
            rows.append(block.to(exact(k)).mean(dim=1).to(k.dtype) if kind == "mean" else block[:, size // 2])
    width = k.shape[2] * (2 if kind in ("minmax", MOMENTS) else 1)
    return torch.stack(rows, dim=1) if rows else k.new_zeros(k.shape[0], 0, width)


def with_spread(q: Tensor, scale: float) -> Tensor:
    """Queries [S, H, D] as they vote on summaries of the kind `MOMENTS` with this scale, [S, H, 2 D]."""
    return torch.cat((q, q * q * (0.5 * SPREAD * scale)), dim=2)


def divided(x: Tensor) -> Tensor:
    """float32 [..., D] as bfloat16 [..., 2 D]: the nearest numbers, and then what they miss. 16 of 24 bits stay."""
    near = x.to(torch.bfloat16)
    return torch.cat((near, (x - near).to(torch.bfloat16)), dim=-1)


def joined(q: Tensor, k: Tensor) -> Tensor:
    """Keys as wide as queries [S, H, D], whether they come `divided` or not."""
    d = q.shape[2]
    return k if k.shape[2] == d else k[..., :d].to(exact(q)) + k[..., d:].to(exact(q))


def added(votes: Tensor, parts: int) -> Tensor:
    """[S, KV, N] -> [S, KV, N / parts]."""
    return votes if parts == 1 else votes.view(*votes.shape[:2], votes.shape[2] // parts, parts).sum(dim=3)


def score(q: Tensor, summary: Tensor, low: Tensor, high: Tensor, kind: str) -> Tensor:
    """Blocks' scores [S, KV, NB]: the greatest of the group's heads; ``low`` and ``high`` [S] count blocks.

    A head's score is q times the summary; for "minmax" the largest product any key inside the box could have.
    """
    count, heads, size = q.shape
    kv_heads, blocks = summary.shape[:2]
    group = heads // kv_heads
    found = torch.full((count, kv_heads, blocks), -math.inf, dtype=exact(q))
    for s in range(count):
        for h in range(heads):
            row, rows = q[s, h].to(exact(q)), summary[h // group].to(exact(q))
            box = kind == "minmax"
            values = torch.maximum(row * rows[:, :size], row * rows[:, size:]).sum(dim=1) if box else rows @ row
            allowed = slice(int(low[s]), max(int(low[s]), int(high[s])))
            found[s, h // group, allowed] = torch.maximum(found[s, h // group, allowed], values[allowed])
    return found


def vote(q: Tensor, k: Tensor, low: Tensor, high: Tensor, scale: float, parts: int = 1) -> Tensor:
    """TokenSelect's soft vote (arXiv 2411.02886): every head spreads one vote over the keys by softmax. -inf outside.

    The votes of a key head's group are added, and those of every ``parts`` keys, which divide N: [S, KV, N / parts]. Where one
    of these is outside, all are. Summing the result over key heads gives the layer's vote. Keys may come `divided`.
    """
    k = joined(q, k)
    group = q.shape[1] // k.shape[0]
    found = torch.full((q.shape[0], k.shape[0], k.shape[1]), -math.inf, dtype=exact(q))
    for s in range(q.shape[0]):
        first, end = int(low[s]), int(high[s])
        if end <= first:
            continue
        for head in range(k.shape[0]):
            keys = k[head, first:end].to(exact(q))
            logits = q[s, head * group : (head + 1) * group].to(exact(q)) @ keys.T * scale
            found[s, head, first:end] = torch.softmax(logits, dim=1).sum(dim=0)
    return added(found, parts)


def descend(q: Tensor, k: Tensor, chunks: Tensor, size: int, high: Tensor) -> Tensor:
    """HiP's descent (arXiv 2406.09827, 2502.08910): a score [S, KV, C] for each chunk of ``size`` rows beginning at ``chunks``.

    A chunk is halved until one row is left; the half whose middle key answers the query better is kept. The last key's score is
    the chunk's. ``size`` is a power of two; a chunk below 0 or not wholly before row ``high[s]`` scores -inf.
    """
    group = q.shape[1] // k.shape[0]
    found = torch.full(chunks.shape, -math.inf, dtype=exact(q))
    for s in range(chunks.shape[0]):
        for head in range(chunks.shape[1]):
            rows = q[s, head * group : (head + 1) * group].to(exact(q))

            def best(row: int, rows: Tensor = rows, head: int = head) -> float:
                return float((rows @ k[head, row].to(exact(q))).max())

            for c, begin in enumerate(chunks[s, head].tolist()):
                if begin < 0 or begin + size > int(high[s]):
                    continue
                left, right, value = begin, begin + size, best(begin) if size == 1 else -math.inf
                while right - left > 1:
                    middle = (left + right) // 2
                    lower, upper = best((left + middle) // 2), best((middle + right) // 2)
                    left, right = (left, middle) if lower >= upper else (middle, right)
                    value = max(lower, upper)
                found[s, head, c] = value
    return found


def select(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` best columns of scores [S, KV, M], in ascending order: counts [S, KV] and indices [S, KV, min(count, M)].

    A column of -inf is never chosen: such a row gets fewer. What stands behind a row's count is 0.
    """
    width = min(count, scores.shape[2])
    counts = torch.zeros(scores.shape[:2], dtype=torch.int64)
    indices = torch.zeros(*scores.shape[:2], width, dtype=torch.int64)
    for s in range(scores.shape[0]):
        for head in range(scores.shape[1]):
            ranked = sorted(range(scores.shape[2]), key=lambda i: -float(scores[s, head, i]))
            kept = sorted(i for i in ranked[:width] if scores[s, head, i] > -math.inf)
            counts[s, head] = len(kept)
            indices[s, head, : len(kept)] = torch.tensor(kept, dtype=torch.int64)
    return counts, indices
