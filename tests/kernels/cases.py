"""Random attention problems for the tests: odd shapes, grouped heads, block lists, holes, and garbage wherever nobody may
look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kernels.attention.spec import Blocks, Heads, Lengths, Spec


@dataclass(frozen=True)
class Case:
    """What the problem has; `make` draws its numbers."""

    name: str
    heads: int = 4
    kv_heads: int = 2
    queries: int = 1
    keys: int = 65
    size: int = 16
    kinds: tuple[bool, ...] = ()
    sink: int = 0
    window: int = 0
    block: int = 0
    """Rows of a block; 0 for no lists."""
    lists: int = 1
    bias: bool = False
    sink_logit: bool = False
    softcap: float = 0.0
    scale: float = 0.0
    holes: bool = False
    lengths: Lengths | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Problem:
    q: Tensor
    k: Tensor
    v: Tensor
    spec: Spec
    q_positions: Tensor | None = None
    k_positions: Tensor | None = None
    lengths: Lengths | None = None
    arguments: tuple[object, ...] = field(default=(), compare=False)

    @property
    def all(self) -> tuple[Tensor, Tensor, Tensor, Spec, Tensor | None, Tensor | None, Lengths | None]:
        return self.q, self.k, self.v, self.spec, self.q_positions, self.k_positions, self.lengths


def make(case: Case, dtype: torch.dtype = torch.float64, seed: int = 0) -> Problem:
    generator = torch.Generator().manual_seed(seed + 31 * case.keys + case.queries)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    q, (k, v) = draw(case.heads, case.queries, case.size), draw(2, case.kv_heads, case.keys, case.size)
    spec = Spec(
        scale=case.scale,
        heads=Heads(case.kinds, case.sink, case.window) if case.kinds else None,
        blocks=_lists(case, generator) if case.block else None,
        key_bias=draw(case.kv_heads, case.keys) if case.bias else None,
        sink_logit=draw(case.heads) if case.sink_logit else None,
        softcap=case.softcap,
    )
    q_positions = k_positions = None
    if case.holes:
        q_positions, k_positions = _holes(case, generator)
        k[:, k_positions < 0] = v[:, k_positions < 0] = math.nan  # nobody may look there
    return Problem(q.to(dtype), k.to(dtype), v.to(dtype), _typed(spec, dtype), q_positions, k_positions, case.lengths)


def _typed(spec: Spec, dtype: torch.dtype) -> Spec:
    exact = torch.promote_types(dtype, torch.float32)
    bias = None if spec.key_bias is None else spec.key_bias.to(exact)
    return replace(spec, key_bias=bias, sink_logit=None if spec.sink_logit is None else spec.sink_logit.to(exact))


def _lists(case: Case, generator: torch.Generator) -> Blocks:
    """Random ragged lists; what stands behind a count is a number that must never be used."""
    blocks = -(-case.keys // case.block)
    stretches = min(case.lists, case.queries)
    starts = (*(case.queries * s // stretches for s in range(stretches)), case.queries)
    counts = torch.randint(0, min(blocks, 9) + 1, (stretches, case.kv_heads), generator=generator)
    indices = torch.full((stretches, case.kv_heads, min(blocks, 9)), -(10**6))
    for s in range(stretches):
        for head in range(case.kv_heads):
            count = int(counts[s, head])
            indices[s, head, :count] = torch.randperm(blocks, generator=generator)[:count]
    return Blocks(case.block, starts, counts, indices)


def _holes(case: Case, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Keys in a random order with gaps between their positions, a fifth of the rows empty; the queries are at the end."""
    positions = torch.randperm(2 * case.keys, generator=generator)[: case.keys]
    positions[torch.rand(case.keys, generator=generator) < 0.2] = -1
    last = int(positions.max())
    return torch.arange(last - 2 * case.queries + 2, last + 2, 2), positions


TWO = (True, False)
CASES = [
    Case("one-row"),
    Case("one-key", keys=1),
    Case("prefill-63", queries=63, keys=63),
    Case("later-chunk", queries=17, keys=80),
    Case("group-1", heads=2, kv_heads=2, queries=5, keys=33),
    Case("group-4-head-192", heads=8, kv_heads=2, queries=3, keys=37, size=192),
    Case("group-5-head-80", heads=5, kv_heads=1, queries=3, keys=64, size=80),
    Case("group-6-head-128", heads=12, queries=1, keys=50, size=128),
    Case("group-7-head-96", heads=7, kv_heads=1, queries=2, keys=15, size=96),
    Case("group-8-head-256", heads=8, kv_heads=1, queries=1, keys=40, size=256),
    Case("head-10", queries=9, keys=17, size=10),
    Case("verify-16", heads=6, queries=16, keys=200),
    Case("window", queries=40, keys=70, kinds=(False, False), window=9),
    Case("sink-window", queries=33, keys=100, kinds=(False, False), sink=4, window=16),
    Case("sink-window-row", keys=100, kinds=(False, False), sink=4, window=16),
    Case("window-over-all", queries=5, keys=20, kinds=(False, False), sink=2, window=64),
    Case("duo", queries=21, keys=90, kinds=TWO, sink=3, window=10),
    Case("duo-row", keys=90, kinds=TWO, sink=3, window=10),
    Case("duo-mixed", heads=8, kv_heads=4, queries=4, keys=77, kinds=(False, True, True, False), sink=5, window=12),
    Case("blocks", keys=120, block=16),
    Case("blocks-of-one", keys=60, block=1),
    Case("blocks-near", keys=121, block=16, kinds=(False, False), sink=4, window=10),
    Case("blocks-duo-chunk", queries=20, keys=121, block=16, kinds=TWO, sink=4, window=10, lists=3),
    Case("blocks-stretches", queries=30, keys=90, block=8, lists=4),
    Case("bias", queries=10, keys=50, bias=True),
    Case("bias-row-duo", keys=70, bias=True, kinds=TWO, sink=2, window=8),
    Case("bias-blocks", queries=3, keys=70, bias=True, block=8, kinds=(False, False), sink=2, window=8),
    Case("sink-logit", queries=12, keys=40, sink_logit=True),
    Case("softcap-scale", queries=12, keys=40, softcap=5.0, scale=0.5),
    Case("softcap-row", keys=40, softcap=5.0),
    Case("everything", queries=7, keys=99, kinds=TWO, sink=2, window=9, block=8, bias=True, sink_logit=True, softcap=9.0),
    Case("holes", keys=70, holes=True),
    Case("holes-chunk", queries=6, keys=70, holes=True, sink_logit=True),
    Case("holes-duo", queries=6, keys=70, holes=True, kinds=TWO, sink=9, window=30),
    Case("holes-blocks", queries=6, keys=70, holes=True, kinds=TWO, sink=9, window=30, block=8, lists=2, bias=True),
    Case("holes-blocks-only", queries=2, keys=70, holes=True, block=1),
    Case("two-sequences", queries=30, keys=45, lengths=Lengths((0, 13, 30), (0, 20, 45))),
    Case(
        "three-sequences-duo", queries=9, keys=60, kinds=TWO, sink=2, window=6, lengths=Lengths((0, 1, 8, 9), (0, 17, 25, 60))
    ),
]
