"""Attention of query rows that have lists of blocks of their own, each row a step of its own, as one call of compiled code.

For what has no matrix unit (`kernels.attention.compiled_prompt`): float32, and bfloat16 elsewhere. Same contract as
`kernels.attention.reference.attend`, which tests compare it with. Knows tensors and addresses.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.attention import compiled
from kernels.attention.spec import Answer, Blocks, Spec, check


class _Room(threading.local):
    """The memory that a thread's helpers work in."""

    def __init__(self) -> None:
        from kernels.attention import compiled_pass

        self.pass_, self.memory = compiled_pass, compiled.Memory()


@functools.lru_cache(maxsize=1)
def _room() -> _Room:
    return _Room()


def lists_of(blocks: Blocks) -> tuple[Tensor, Tensor, Tensor]:
    """The number of each query row's list [T], counts [S, KV] and indices [S, KV, M], all int64 and side by side."""
    which = np.repeat(np.arange(len(blocks.starts) - 1, dtype=np.int64), np.diff(blocks.starts))
    counts, indices = (part.to(torch.int64).contiguous() for part in (blocks.counts, blocks.indices))
    return torch.from_numpy(which), counts, indices


def attend(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> Answer | None:
    """q [H, T, D], k and v [KV, N, D], the queries at positions ``start`` on, rows being positions. Sink logits are left out.

    None without lists, where the code is not compiled, or where the problem does not fit.
    """
    blocks = spec.blocks
    if blocks is None or not blocks.counts.shape[0]:
        return None
    single = replace(spec, blocks=Blocks(blocks.size, (0, 1), blocks.counts[:1], blocks.indices[:1]))
    row = q[:, :1]
    if not compiled.ready(row, k, v, single):
        return None
    check(q, k, v, spec)
    room, (which, counts, indices) = _room(), lists_of(blocks)
    heads, rows, d = q.shape
    workers, code, element = torch.get_num_threads(), room.pass_, q.element_size()
    told = compiled.describe(row, k, v, single, compiled.WHOLE, 1)
    head = -(-code.WORDS * 8 // 256) * 256
    tables = room.memory.at(workers * (head + told.size))
    for worker in range(workers):
        at = tables + worker * (head + told.size)
        words: Any = (ctypes.c_int64 * code.WORDS).from_address(at)
        mine = [*told.words(at + head), start, 1, q.data_ptr(), k.data_ptr(), v.data_ptr()]
        words[:] = [*mine, *[0] * (code.WORDS - len(mine))]
    out, lse = torch.empty(rows, heads, d, dtype=q.dtype), torch.empty(rows, heads)
    asked = (ctypes.c_int64 * code.WORDS)()
    asked[: code.EACH_WORDS] = [
        *(tables, head + told.size, rows, which.data_ptr(), counts.data_ptr(), indices.data_ptr()),
        *(out.data_ptr(), heads * d * element, lse.data_ptr(), heads * 4, 0, 0),
    ]
    asked[code.PART] = code.EACH
    compiled.together(ctypes.addressof(asked), min(workers, rows))
    return Answer(out.transpose(0, 1), lse.transpose(0, 1))
