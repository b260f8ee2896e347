"""Attention of many query rows on the CPU's matrix unit: `attend` for what it can do, None for what it leaves to others.

Same contract as `kernels.attention.reference.attend`, which tests compare it with: bfloat16, rows in order, sink and window,
lists of blocks. The code is compiled and kept with `kernels.attention.compiled`'s. Knows tensors and addresses.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import Any

import torch
from torch import Tensor

from kernels.attention import compiled
from kernels.attention.compiled_each import lists_of
from kernels.attention.spec import Answer, Spec, check

MANY = 32
"""Query rows of a key head from which this is faster than `compiled.attend` (6 query heads a key head, 4,096 keys: 4 rows of
each 1.03x, 8 rows 1.24x, 16 rows 1.38x; 2 rows 0.92x).
"""
MOST_ROWS = 256
"""Query rows of one call; longer prompts come in several."""
TILES, LISTED_TILES = 64, 64
"""Tiles of sixteen keys in a chunk: 32 took 4 % longer for every key and 14 % for lists of 280 tiles among 1,536; 256 no less
for the one and 20 % more for the other, whose keys then no longer fit the second cache.
"""


class _Room(threading.local):
    """A thread's table and the memory that its helpers work in."""

    def __init__(self) -> None:
        from kernels.attention import compiled_pass, compiled_prompt_pass, compiled_prompt_tiles

        self.pass_, self.prompt, self.tiles = compiled_pass, compiled_prompt_pass, compiled_prompt_tiles
        self.table = (ctypes.c_int64 * compiled_pass.WORDS)()
        self.memory = compiled.Memory()


@functools.lru_cache(maxsize=1)
def _room() -> _Room:
    return _Room()


def fits(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> bool:
    """Whether this is a problem for `attend` where the code is there."""
    if not q.dtype == k.dtype == v.dtype == torch.bfloat16 or not q.is_cpu or q.shape[2] % 32:
        return False
    if spec.key_bias is not None or spec.softcap or q.shape[2] > compiled.LARGEST_HEAD:
        return False
    if spec.blocks is not None and spec.blocks.size % 16:
        return False
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad):
        return False
    return q.stride(2) == k.stride(2) == v.stride(2) == 1 and bool(compiled.available() and compiled.matrix_unit())


def attend(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> Answer | None:
    """q [H, T, D], k and v [KV, N, D], the queries at positions ``start`` on, rows being positions. Leaves sink logits out."""
    if not fits(q, k, v, spec) or q.shape[1] == 0:
        return None
    check(q, k, v, spec)
    parts = [_attend(q, k, v, spec, start, a, min(a + MOST_ROWS, q.shape[1])) for a in range(0, q.shape[1], MOST_ROWS)]
    if len(parts) == 1:
        return parts[0]
    return Answer(torch.cat([part.out for part in parts], 1), torch.cat([part.lse for part in parts], 1))


def _height(group: int, listed: bool) -> int:
    """Rows of a bundle: of one token where tokens have lists, so that none meets a key for another's sake."""
    return max(rows for rows in range(1, 17) if group % rows == 0) if listed else 16


def _attend(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, a: int, b: int) -> Answer:
    room = _room()
    heads, d, rows, threads = k.shape[0], q.shape[2], b - a, torch.get_num_threads()
    group, near, blocks = q.shape[0] // heads, spec.heads, spec.blocks
    size, (which, counts, indices) = (0, (_NOTHING,) * 3) if blocks is None else (blocks.size, lists_of(blocks))
    height, width, chunk = _height(group, blocks is not None), indices.shape[2], LISTED_TILES if blocks is not None else TILES
    parts = -(-threads // heads)
    many = room.prompt.bundles(group, rows, height, parts)
    each = room.prompt.space_size(many, height, d, chunk, width * size // 16)
    full = compiled._flags(near.full if near is not None else (blocks is None,) * heads)
    sink, window = (near.sink, near.window) if near is not None else (0, 0)
    out, lse = torch.empty(q.shape[0], rows, d, dtype=q.dtype), torch.empty(q.shape[0], rows)
    units = [room.tiles.configured(height, single) for single in (False, True)]
    words: tuple[Any, ...] = (
        *(heads, group, rows, d // 32, height, parts),
        *(2 * x.stride(i) for x in (q, k, v) for i in (0, 1)),
        *(q.data_ptr() + 2 * a * q.stride(1), k.data_ptr(), v.data_ptr(), out.data_ptr(), lse.data_ptr(), start + a),
        *(ctypes.addressof(full), sink, window, size, which.data_ptr() + 8 * a, counts.data_ptr(), indices.data_ptr(), width),
        *(compiled.bits(spec.scale or d**-0.5), ctypes.addressof(units[0]), ctypes.addressof(units[1]) if size else 0),
        *(chunk, room.memory.at(each * threads), each, 0, 0),
    )
    room.table[: len(words)] = list(words)
    room.table[room.pass_.PART] = room.pass_.PROMPT
    compiled.together(ctypes.addressof(room.table), min(threads, heads * parts))
    return Answer(out, lse)


_NOTHING = torch.zeros(0, 0, 0, dtype=torch.int64)
