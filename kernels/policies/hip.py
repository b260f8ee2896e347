"""HiP's hierarchical descent (arXiv 2406.09827; stages as in InfiniteHiP, 2502.08910): chunks are judged by one key each.

The first stage looks at every long chunk through the key that a halving search ends at, keeps the best, cuts them into
shorter chunks and asks again. What it relies on: neighbouring keys answer alike, so the longer the first chunks, the cheaper
a choice and the more is missed that stands alone. Keys keep their own rotation; lengths beyond the model's are not its
business.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from kernels import dispatch
from kernels.policies.base import Problem
from kernels.policies.selecting import Selecting


@dataclass
class Hip(Selecting):
    """``stages``: (rows of a chunk, rows kept) from coarse to fine; sizes are powers of two, each dividing the one before.

    Of a toy's attention to 20,437 tokens of code, and to the definitions that a call asks for far behind them, these keep 0.976
    and 0.98, and 21 of 24 names are found that dense finds; ((16, 8192), (4, 4096)) 0.965 and 0.91, and 16; ((256, 8192),
    (32, 2048), (8, 1024)), whose choice grows with N / 256, 0.87 and 0.40, and none. On a CPU the halving costs more than it
    saves.
    """

    stages: tuple[tuple[int, int], ...] = ((8, 8192), (2, 4096))
    window: int = 512
    together: ClassVar[int] = 4
    """The compiled descent answers so many queries in one call."""
    name: str = field(default="hip", init=False)

    def __post_init__(self) -> None:
        sizes = [size for size, _ in self.stages]
        fits = all(a % b == 0 for a, b in itertools.pairwise(sizes)) and all(size & (size - 1) == 0 for size in sizes)
        if not fits or self.window < sizes[0]:
            raise ValueError(f"stages {sizes} must be falling powers of two and the window ({self.window}) must hold the first")

    @property
    def size(self) -> int:
        return self.stages[-1][0]

    @property
    def budget(self) -> int:
        return self.window + self.stages[-1][1]

    def choose(self, problem: Problem, q: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        coarse = self.stages[0][0]
        first, end = low // coarse, -(-high // coarse)  # the window is as long as a chunk: the last one is complete
        numbers = torch.arange(int(end.max()), device=q.device)
        inside = (numbers >= first[:, None]) & (numbers < end[:, None])
        chunks = torch.where(inside, numbers * coarse, -1)[:, None].expand(-1, problem.k.shape[0], -1)
        for stage, (size, kept) in enumerate(self.stages):
            if stage:
                chunks = _cut(chunks, self.stages[stage - 1][0], size)
                seen = (chunks >= high[:, None, None]) | (chunks + size <= low[:, None, None])  # in the window or the sink
                chunks = torch.where(seen, -1, chunks)
            chunks = self._best(problem, q, chunks, size, kept // size, end * coarse)
        counts = (chunks >= 0).sum(dim=2)
        return counts, torch.where(chunks >= 0, chunks // self.size, 0)

    def _best(self, problem: Problem, q: Tensor, chunks: Tensor, size: int, keep: int, high: Tensor) -> Tensor:
        """The beginnings of the best ``keep`` chunks in ascending order, -1 behind them."""
        if chunks.shape[2] <= keep:
            scores = torch.where(chunks >= 0, 0.0, -torch.inf).to(torch.float32)
        else:
            scores = dispatch.run("descend", q, problem.k, chunks.contiguous(), size, high)
        counts, indices = dispatch.run("select", scores, keep)
        inside = torch.arange(indices.shape[2], device=q.device) < counts[:, :, None]
        return torch.where(inside, chunks.gather(2, indices), -1)


def _cut(chunks: Tensor, size: int, into: int) -> Tensor:
    """Each chunk's parts: [S, KV, C] -> [S, KV, C * size / into]."""
    offsets = torch.arange(0, size, into, device=chunks.device)
    return torch.where(chunks[..., None] >= 0, chunks[..., None] + offsets, -1).flatten(2)
