"""Scores, votes and the descent of few query rows by the compiled code that attention brings: None for what it leaves to torch.

Contracts as in `kernels.select.reference`. Knows tensors and the table of `kernels.attention.compiled_choice`; whether the
code is there is `kernels.attention.compiled`'s business.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.attention import compiled

FEW = 4
"""Query rows up to which this is faster: of more, torch makes one product."""


class _Room(threading.local):
    """A thread's table and its memory."""

    def __init__(self) -> None:
        from kernels.attention import compiled_choice, compiled_pass

        self.choice, self.pass_ = compiled_choice, compiled_pass
        self.table = (ctypes.c_int64 * compiled_pass.WORDS)()
        self.write = struct.Struct(f"={compiled_choice.WORDS}q").pack_into
        self._memory = np.zeros(0, np.uint8)

    def space(self, group: int, d: int, count: int, many: int) -> int:
        size = self.choice.space(group, d, count, many) + 64
        if size > len(self._memory):
            self._memory = np.zeros(size + size // 4, np.uint8)
        return int(-(-self._memory.ctypes.data // 64) * 64)


@functools.lru_cache(maxsize=1)
def _room() -> _Room:
    return _Room()


def fits(q: Tensor, k: Tensor) -> bool:
    """Whether there is code for queries [S, H, D] and keys or summaries [KV, N, D] like these."""
    if q.shape[0] > FEW or not q.is_cpu or q.dtype != k.dtype or q.dtype not in (torch.float32, torch.bfloat16):
        return False
    if q.shape[2] != k.shape[2] or q.shape[2] % 32 or q.shape[1] % k.shape[0] or torch.is_grad_enabled():
        return False
    return q.stride(2) == k.stride(2) == 1 and k.shape[1] > 0 and compiled.available()


def score(q: Tensor, summary: Tensor, low: Tensor, high: Tensor) -> Tensor | None:
    """[S, KV, NB]: the greatest product of a group's heads with each summary."""
    if not fits(q, summary):
        return None
    return _asked("SCORE", q, summary, q.new_empty(q.shape[0], *summary.shape[:2], dtype=torch.float32), low, high)


def vote(q: Tensor, k: Tensor, low: Tensor, high: Tensor, scale: float) -> Tensor | None:
    """[S, KV, N]."""
    if not fits(q, k):
        return None
    return _asked("VOTE", q, k, q.new_empty(q.shape[0], *k.shape[:2], dtype=torch.float32), low, high, scale)


def descend(q: Tensor, k: Tensor, chunks: Tensor, size: int, high: Tensor) -> Tensor | None:
    """[S, KV, C]."""
    if not fits(q, k):
        return None
    chunks = chunks.to(torch.int64).contiguous()
    return _asked("DESCEND", q, k, q.new_empty(chunks.shape, dtype=torch.float32), high, high, 0.0, chunks, size)


def _asked(
    part: str,
    q: Tensor,
    k: Tensor,
    out: Tensor,
    low: Tensor,
    high: Tensor,
    scale: float = 0.0,
    chunks: Tensor | None = None,
    size: int = 0,
) -> Tensor:
    room, run = _room(), compiled.code()
    low, high = low.to(torch.int64).contiguous(), high.to(torch.int64).contiguous()
    many = 0 if chunks is None else chunks.shape[2]
    rows, heads, d = q.shape
    each, group, count = q.element_size(), heads // k.shape[0], k.shape[1]
    words: tuple[Any, ...] = (
        *(each == 2, rows, k.shape[0], group, d // 32),
        *(q.data_ptr(), q.stride(0) * each, q.stride(1) * each),
        *(k.data_ptr(), k.stride(0) * each, k.stride(1) * each, count),
        *(low.data_ptr(), high.data_ptr(), out.data_ptr()),
        *(room.space(group, d, 0 if many else count, many), compiled.bits(scale)),
        *(0 if chunks is None else chunks.data_ptr(), many, size),
    )
    room.write(room.table, 0, *words)
    room.table[room.pass_.PART] = getattr(room.pass_, part)
    run(ctypes.addressof(room.table))
    return out
