"""What a query may look at and how its logits are made: plain values that every path of attention takes.

Shapes: H query heads share KV key heads in groups (query head h reads key head ``h // (H / KV)``), T query rows, N key rows,
D a head's size. Rows are addressed by position, never by their number: a row with position -1 is empty (a ring's unwritten
slot, a layer that an early exit skipped) and nobody sees it. Knows no policy and no cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Heads:
    """For each key head whether it sees everything before it (``full``) or only the sink and the window.

    A head that is not full sees positions below ``sink`` and the ``window`` newest positions, its own among them.
    """

    full: tuple[bool, ...]
    sink: int = 0
    window: int = 0


@dataclass(frozen=True)
class Blocks:
    """Blocks of key rows that heads see besides sink and window. Block b holds rows ``b * size`` to ``(b + 1) * size - 1``.

    ``starts`` (S + 1 numbers from 0 to T) cuts the query rows into stretches; stretch s of key head j sees the first
    ``counts[s, j]`` of ``indices[s, j]``, each named once. counts [S, KV], indices [S, KV, M]; what stands behind a count is
    never read. Full heads have no use for lists.
    """

    size: int
    starts: tuple[int, ...]
    counts: Tensor
    indices: Tensor


@dataclass(frozen=True)
class Spec:
    """``scale`` 0 means D ** -0.5. ``softcap`` c > 0 bends logits to c * tanh(x / c); ``key_bias`` [KV, N] is added after that.

    ``sink_logit`` [H] is one more key without a value: it takes its share of the softmax and gives nothing. With neither
    ``heads`` nor ``blocks`` every head sees all positions up to its own; with blocks alone, the listed ones.
    """

    scale: float = 0.0
    heads: Heads | None = None
    blocks: Blocks | None = None
    key_bias: Tensor | None = None
    sink_logit: Tensor | None = None
    softcap: float = 0.0

    def of_heads(self, rows: slice) -> Spec:
        """Scale, softcap and sink logits for some of the query heads."""
        return Spec(self.scale, sink_logit=None if self.sink_logit is None else self.sink_logit[rows], softcap=self.softcap)


DENSE = Spec()


@dataclass(frozen=True)
class Lengths:
    """Several sequences end to end: rows ``queries[i]`` to ``queries[i + 1]`` see keys ``keys[i]`` to ``keys[i + 1]`` only."""

    queries: tuple[int, ...]
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """out [H, T, D] in the queries' dtype; lse [H, T]: log of the softmax's denominator, sink logit included; float32 or
    better.

    A row that sees nothing has out 0 and lse -inf, so that `merge` gives it no weight.
    """

    out: Tensor
    lse: Tensor


def query_positions(count: int, keys: int, device: torch.device | None = None) -> Tensor:
    """Where the last ``count`` of ``keys`` rows stand: the queries are the newest rows."""
    return torch.arange(keys - count, keys, device=device)


def packed_positions(lengths: Lengths, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Positions of queries and keys inside their own sequence; the queries are its newest rows."""
    queries, keys = [], []
    for i in range(len(lengths.queries) - 1):
        rows, size = lengths.queries[i + 1] - lengths.queries[i], lengths.keys[i + 1] - lengths.keys[i]
        queries.append(query_positions(rows, size, device))
        keys.append(torch.arange(size, device=device))
    return torch.cat(queries), torch.cat(keys)


def check(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> None:
    """Raises ValueError, saying which shape does not fit."""
    if q.dim() != 3 or k.dim() != 3 or k.shape != v.shape or q.shape[2] != k.shape[2]:
        raise ValueError(
            f"give q [H, T, D], k and v [KV, N, D]; these are {tuple(q.shape)}, {tuple(k.shape)}, {tuple(v.shape)}"
        )
    if q.shape[0] % k.shape[0]:
        raise ValueError(f"{q.shape[0]} query heads cannot share {k.shape[0]} key heads evenly")
    if spec.heads is not None and len(spec.heads.full) != k.shape[0]:
        raise ValueError(f"spec.heads speaks of {len(spec.heads.full)} key heads, there are {k.shape[0]}")
    if spec.blocks is not None and (spec.blocks.starts[0] != 0 or spec.blocks.starts[-1] != q.shape[1]):
        raise ValueError(f"spec.blocks.starts must go from 0 to {q.shape[1]}, it is {spec.blocks.starts}")
