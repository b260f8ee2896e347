"""Block scores, soft votes, the descent and the choice as Triton kernels: same contracts as `kernels.select.reference`.

Needs triton. A program scores one tile of keys for one query row's group of heads; the choice sorts scores and columns together
as one number. Summaries are torch's own reductions, which a GPU runs at the speed of its memory already.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from kernels.launch import operands, power, sums
from kernels.select import cpu
from kernels.select.cpu import summarise
from kernels.select.reference import added, exact, joined
from kernels.select.triton_kernel import descend_kernel, score_kernel, select_kernel

__all__ = ["descend", "score", "select", "summarise", "vote"]

TILE = 64
SORTED = 2048
"""Columns one program sorts: as many blocks of 64 as 131 072 keys have."""


def _scores(
    q: Tensor, keys: Tensor, low: Tensor, high: Tensor, out: Tensor, mode: int, scale: float, box: bool, lse: Tensor
) -> None:
    count, heads, size = q.shape
    kv_heads, columns = keys.shape[:2]
    score_kernel[(count, kv_heads, triton.cdiv(columns, TILE))](
        q, keys, low, high, lse, out, q.stride(0), q.stride(1), keys.stride(0), keys.stride(1), lse.stride(0),
        out.stride(0), out.stride(1), columns, scale,
        GROUP=heads // kv_heads, GP=power(heads // kv_heads), D=size, BD=power(size), BN=TILE, BOX=box, MODE=mode,
        UP=operands(q), ACC=sums(q),
    )  # fmt: skip


def score(q: Tensor, summary: Tensor, low: Tensor, high: Tensor, kind: str) -> Tensor:
    out = torch.empty(q.shape[0], *summary.shape[:2], dtype=exact(q), device=q.device)
    _scores(q, summary, low, high, out, 0, 1.0, kind == "minmax", out)
    return out


def vote(q: Tensor, k: Tensor, low: Tensor, high: Tensor, scale: float, parts: int = 1) -> Tensor:
    """Two launches: the softmax's denominators tile by tile, then the votes."""
    k, tiles = joined(q, k), triton.cdiv(k.shape[1], TILE)
    shares = torch.empty(*q.shape[:2], tiles, dtype=exact(q), device=q.device)
    _scores(q, k, low, high, shares, 1, scale, False, shares)
    out = torch.empty(q.shape[0], *k.shape[:2], dtype=exact(q), device=q.device)
    _scores(q, k, low, high, out, 2, scale, False, torch.logsumexp(shares, dim=2))
    return added(out, parts)


def descend(q: Tensor, k: Tensor, chunks: Tensor, size: int, high: Tensor) -> Tensor:
    out = torch.empty(chunks.shape, dtype=exact(q), device=q.device)
    chunks = chunks.contiguous()
    group = q.shape[1] // k.shape[0]
    grid = (chunks.shape[0], chunks.shape[1], triton.cdiv(chunks.shape[2], TILE))
    descend_kernel[grid](
        q, k, chunks, high, out, q.stride(0), q.stride(1), k.stride(0), k.stride(1), chunks.stride(0), chunks.stride(1),
        out.stride(0), out.stride(1), chunks.shape[2],
        SPAN=size, GROUP=group, GP=power(group), D=q.shape[2], BD=power(q.shape[2]), BN=TILE, UP=operands(q), ACC=sums(q),
    )  # fmt: skip
    return out


def select(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Scores are compared as float32. Above `SORTED` columns torch chooses: one program cannot hold them in its registers."""
    if scores.shape[2] > SORTED:
        return cpu.select(scores, count)
    width = min(count, scores.shape[2])
    counts = torch.empty(scores.shape[:2], dtype=torch.int64, device=scores.device)
    indices = torch.empty(*scores.shape[:2], width, dtype=torch.int64, device=scores.device)
    select_kernel[(counts.numel(),)](scores.contiguous(), counts, indices, scores.shape[2], width, BN=power(scores.shape[2]))
    return counts, indices
