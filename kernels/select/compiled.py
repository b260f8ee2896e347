"""Scores, votes, the descent and the choice by the compiled code that attention brings: None for what it leaves to torch.

Contracts as in `kernels.select.reference`. Knows tensors and the tables of `kernels.attention.compiled_choice` and
`compiled_vote`; whether the code is there is `kernels.attention.compiled`'s business. Long votes are shared by torch's threads
as attention's keys are.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import threading
from typing import Any

import torch
from torch import Tensor

from kernels.attention import compiled

FEW = 4
"""Query rows up to which scores and descents are faster here: of more, torch makes one product. Votes always are."""
ALONE = 1 << 26
"""Products of numbers of a vote up to which one thread makes them all (0.3 ms): a single row's, as a rule."""


class _Room(threading.local):
    """A thread's table and its memory."""

    def __init__(self) -> None:
        from kernels.attention import compiled_choice, compiled_pass, compiled_vote

        self.choice, self.voting, self.pass_ = compiled_choice, compiled_vote, compiled_pass
        self.table = (ctypes.c_int64 * compiled_pass.WORDS)()
        self.address = ctypes.addressof(self.table)
        sizes = (compiled_choice.WORDS, compiled_vote.WORDS, compiled_choice.SELECT_WORDS)
        self.asks, self.votes, self.selects = (struct.Struct(f"={size}q").pack_into for size in sizes)
        self.memory = compiled.Memory()

    def run(self, part: int, threads: int = 1) -> None:
        self.table[self.pass_.PART] = part
        compiled.together(self.address, threads)


@functools.lru_cache(maxsize=1)
def _room() -> _Room:
    return _Room()


def divides(rows: Tensor) -> bool:
    """Whether votes on rows [KV, N, D] go to a matrix unit if these are divided."""
    return rows.is_cpu and rows.dtype == torch.float32 and compiled.matrix_unit() > 0 and compiled.available()


def fits(q: Tensor, k: Tensor) -> bool:
    """Whether there is code for queries [S, H, D] and keys or summaries [KV, N, D] like these."""
    return q.dtype == k.dtype and q.shape[2] == k.shape[2] and _plain(q, k)


def _plain(q: Tensor, k: Tensor) -> bool:
    if not q.is_cpu or q.dtype not in (torch.float32, torch.bfloat16):
        return False
    if q.shape[2] % 32 or q.shape[1] % k.shape[0]:
        return False
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad):
        return False
    return q.stride(2) == k.stride(2) == 1 and k.shape[1] > 0 and compiled.available()


def score(q: Tensor, summary: Tensor, low: Tensor, high: Tensor) -> Tensor | None:
    """[S, KV, NB]: the greatest product of a group's heads with each summary."""
    if q.shape[0] > FEW or not fits(q, summary):
        return None
    return _asked("SCORE", q, summary, q.new_empty(q.shape[0], *summary.shape[:2], dtype=torch.float32), low, high)


def vote(q: Tensor, k: Tensor, low: Tensor, high: Tensor, scale: float, parts: int = 1) -> Tensor | None:
    """[S, KV, N / parts]. bfloat16 goes to the matrix unit where there is one, and so do keys that are divided."""
    unit, divided = compiled.matrix_unit(), k.shape[2] == 2 * q.shape[2]
    if not (unit and q.dtype == torch.float32 and k.dtype == torch.bfloat16 and _plain(q, k) if divided else fits(q, k)):
        return None
    room, (rows, heads, d), (kv_heads, count, _) = _room(), q.shape, k.shape
    out = torch.empty(rows, kv_heads, count // parts, dtype=torch.float32)
    low, high = low.to(torch.int64).contiguous(), high.to(torch.int64).contiguous()
    each, wide, group, of = q.element_size(), k.element_size(), heads // kv_heads, room.voting
    few = of.together(rows, group, count, each == 2)
    threads = torch.get_num_threads() if rows * heads * count * d > ALONE else 1
    size = of.space(few, group, d, count)
    room.votes(
        room.table,
        0,
        *(each == 2, rows, kv_heads, group, d // 32),
        *(q.data_ptr(), q.stride(0) * each, q.stride(1) * each),
        *(k.data_ptr(), k.stride(0) * wide, k.stride(1) * wide, count),
        *(low.data_ptr(), high.data_ptr(), out.data_ptr()),
        *(room.memory.at(size * threads), compiled.bits(scale), parts),
        *(unit if wide == 2 else 0, divided, few, size, 0, 0),
    )
    room.run(room.pass_.VOTE, threads)
    return out


def descend(q: Tensor, k: Tensor, chunks: Tensor, size: int, high: Tensor) -> Tensor | None:
    """[S, KV, C]."""
    if q.shape[0] > FEW or not fits(q, k):
        return None
    chunks = chunks.to(torch.int64).contiguous()
    return _asked("DESCEND", q, k, q.new_empty(chunks.shape, dtype=torch.float32), high, high, chunks, size)


def select(scores: Tensor, count: int) -> tuple[Tensor, Tensor] | None:
    """counts [S, KV] and indices [S, KV, min(count, M)]."""
    if scores.dtype != torch.float32 or not scores.is_cpu or not scores.numel() or count < 1 or not compiled.available():
        return None
    room, width, scores = _room(), min(count, scores.shape[2]), scores.contiguous()
    counts = torch.empty(scores.shape[:2], dtype=torch.int64)
    indices = torch.empty(*scores.shape[:2], width, dtype=torch.int64)
    places = counts.data_ptr(), indices.data_ptr()
    room.selects(room.table, 0, scores.data_ptr(), counts.numel(), scores.shape[2], width, *places)
    room.run(room.pass_.SELECT)
    return counts, indices


def _asked(
    part: str, q: Tensor, k: Tensor, out: Tensor, low: Tensor, high: Tensor, chunks: Tensor | None = None, size: int = 0
) -> Tensor:
    room = _room()
    low, high = low.to(torch.int64).contiguous(), high.to(torch.int64).contiguous()
    many = 0 if chunks is None else chunks.shape[2]
    rows, heads, d = q.shape
    each, group, count = q.element_size(), heads // k.shape[0], k.shape[1]
    words: tuple[Any, ...] = (
        *(each == 2, rows, k.shape[0], group, d // 32),
        *(q.data_ptr(), q.stride(0) * each, q.stride(1) * each),
        *(k.data_ptr(), k.stride(0) * each, k.stride(1) * each, count),
        *(low.data_ptr(), high.data_ptr(), out.data_ptr()),
        room.memory.at(room.choice.space(group, d, many)),
        *(0 if chunks is None else chunks.data_ptr(), many, size),
    )
    room.asks(room.table, 0, *words)
    room.run(getattr(room.pass_, part))
    return out
