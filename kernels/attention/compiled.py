"""Attention of few query rows as compiled code: `attend` for what it can do, None for what it leaves to torch.

Same contract as `kernels.attention.reference.attend`, which tests compare it with. The code is compiled once for a CPU (some
seconds of LLVM) and kept in numba's cache on disk: `is_compiled` says whether it is there, `compile_now` makes it; nothing is
compiled while somebody waits. Long keys are shared by the threads that torch has already, where they are GNU's OpenMP;
elsewhere one thread does all. Knows tensors and addresses; no policy, no cache.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.attention.spec import Answer, Spec

MOST_ROWS = 16
"""Query rows of a head: more are a prefill, which torch's matrix products do better."""
FEW_KEYS = 4096
"""Keys of all key heads together that one thread reads sooner (0.1 ms) than a second one is there."""
LARGEST_HEAD = 256
log = logging.getLogger("sotto.kernels")


@functools.lru_cache(maxsize=1)
def _compiler() -> Any:
    """numba's compiler of `compiled_pass.run` with its cache on disk; None where the machine cannot have it."""
    try:
        from numba.core import types
        from numba.core.ccallback import CFunc

        from kernels.attention import compiled_pass

        found = CFunc(compiled_pass.run, ((types.intp,), types.void), locals={}, options={"error_model": "numpy"})
        found.enable_caching()
    except (ImportError, RuntimeError) as error:  # RuntimeError: no folder for the code
        log.info("attention stays with torch: %s", error)
        return None
    return found


def is_compiled() -> bool:
    """Whether the machine code for this CPU is in numba's cache on disk."""
    found = _compiler()
    if found is None:
        return False
    return found.address is not None or found._cache.load_overload(found._sig, found._targetdescr.target_context) is not None


def compile_now() -> bool:
    """Compile for this CPU, unless it is done, and keep the machine code; False where that is not possible."""
    found = _compiler()
    if found is None:
        return False
    found.compile()
    look_again()
    return True


@functools.lru_cache(maxsize=1)
def _ready() -> Callable[[int], None] | None:
    """The compiled code as a function of a table's address; None where it is not on disk yet."""
    if not is_compiled():
        return None
    _compiler().compile()
    return ctypes.CFUNCTYPE(None, ctypes.c_ssize_t)(_compiler().address)


def available() -> bool:
    """Whether `attend` will do what it can; asks the disk once for a process."""
    return _ready() is not None


def look_again() -> None:
    """Ask the disk anew: another process may have compiled."""
    _ready.cache_clear()


@functools.lru_cache(maxsize=1)
def _team() -> Callable[..., None] | None:
    """GNU's ``GOMP_parallel`` of the library that torch brings: its threads stand ready between two of torch's operators."""
    for path in sorted(Path(torch.__file__).parent.joinpath("lib").glob("libgomp*.so*")):
        try:
            found = ctypes.CDLL(str(path)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        found.argtypes, found.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
        return found
    return None


class _Room(threading.local):
    """A thread's table and the memory its pieces work in, kept as long as the shapes do not change."""

    def __init__(self) -> None:
        from kernels.attention import compiled_pass

        self.pass_ = compiled_pass
        self.table = (ctypes.c_int64 * compiled_pass.WORDS)()
        self.address = ctypes.addressof(self.table)
        self.write = struct.Struct(f"={compiled_pass.PART + 1}q").pack_into
        self._shape: tuple[int, ...] = ()
        self._places: tuple[int, ...] = ()
        self._memory: Any = None

    def places(self, heads: int, rows: int, d: int, element: int, width: int, threads: int) -> tuple[int, ...]:
        """Addresses of segments, first segments, pieces, queries and the pieces' own memory, and the size of one of these."""
        if self._shape != (heads, rows, d, element, width, threads):
            self._shape = (heads, rows, d, element, width, threads)
            pieces = heads + 2 * threads
            own = -(-self.pass_.own_size(rows, d, element) // 256) * 256
            lists = (16 * heads * (width + 3), 8 * (heads + 1), 8 * self.pass_.PIECE * pieces)
            sizes = (*lists, 4 * heads * rows * d, own * pieces)
            starts = np.cumsum([0, *(-(-size // 256) * 256 for size in sizes)])
            self._memory = np.zeros(int(starts[-1]) + 256, np.uint8)
            base = -(-self._memory.ctypes.data // 256) * 256
            self._places = (*(base + int(start) for start in starts[:5]), own)
        return self._places


@functools.lru_cache(maxsize=1)
def _room() -> _Room:
    return _Room()


@functools.lru_cache(maxsize=64)
def _bits(number: float) -> int:
    """The word whose first four bytes are a float32."""
    return int.from_bytes(struct.pack("=f", number) + bytes(4), sys.byteorder)


@functools.lru_cache(maxsize=64)
def _flags(full: tuple[bool, ...]) -> Any:
    return (ctypes.c_int64 * len(full))(*full)


def fits(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> bool:
    """Whether this is a problem for `attend`: float32 or bfloat16 on a CPU, few rows, plain logits."""
    return k.dtype == v.dtype == q.dtype and _plain(q, k, v, spec)


def _plain(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> bool:
    if q.shape[1] > MOST_ROWS or q.dtype not in (torch.float32, torch.bfloat16):
        return False
    if spec.key_bias is not None or spec.softcap or q.shape[2] % 32 or q.shape[2] > LARGEST_HEAD or not q.is_cpu:
        return False
    if spec.blocks is not None and q.shape[1] > 1:
        return False
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad):
        return False
    return q.stride(2) == k.stride(2) == v.stride(2) == 1


def ready(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> bool:
    """Whether `attend` will answer a problem like this with its newest row at the last key."""
    return _ready() is not None and fits(q, k, v, spec)


def attend(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> Answer | None:
    """q [H, T, D], k and v [KV, N, D], the queries at positions ``start`` on, rows being positions. Sink logits are left out.

    None where the code is not compiled, the problem does not fit, or torch has threads for long keys that cannot be had here.
    """
    return _attend(q, k, v, spec, start, _WHOLE) if fits(q, k, v, spec) else None


def attend_levels(q: Tensor, k: tuple[Tensor, Tensor], v: tuple[Tensor, Tensor], spec: Spec, start: int) -> Answer | None:
    """`attend` over quantised keys and values (levels, sizes): each row is widened where it is read, none is kept wide."""
    (keys, key_sizes), (values, value_sizes) = k, v
    bits = 4 if keys.dtype == torch.uint8 else 8
    same = key_sizes.stride() == value_sizes.stride() and key_sizes.dtype == value_sizes.dtype == torch.float32
    whole = key_sizes.stride(2) == 1 and key_sizes.shape[2] == (q.shape[2] // 32 if bits == 4 else 1)
    if not same or not whole or not _plain(q, keys, values, spec):
        return None
    steps = key_sizes.stride(0) * 4, key_sizes.stride(1) * 4
    found = _attend(q.float(), keys, values, spec, start, (bits, key_sizes.data_ptr(), value_sizes.data_ptr(), *steps))
    return None if found is None else Answer(found.out.to(q.dtype), found.lse)


def _attend(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, levels: tuple[int, ...]) -> Answer | None:
    run = _ready()
    if run is None:
        return None
    heads, d, rows, element, each = k.shape[0], q.shape[2], q.shape[1], q.element_size(), k.element_size()
    full, sink, window, blocks = _seen(spec, heads)
    threads = _threads(heads * (start + rows) if any(full) else heads * (sink + window))
    if not threads:
        return None
    room, group = _room(), q.shape[0] // heads
    out, lse = q.new_empty(q.shape), torch.empty(q.shape[0], rows)
    size, counts, indices = blocks if blocks is not None else (0, _NOTHING, _NOTHING)
    width = indices.shape[-1]
    room.write(
        room.table,
        0,
        *(element == 2, heads, group, rows, start, d // 32, threads),
        *(q.data_ptr(), q.stride(0) * element, q.stride(1) * element),
        *(k.data_ptr(), k.stride(0) * each, k.stride(1) * each),
        *(v.data_ptr(), v.stride(0) * each, v.stride(1) * each),
        *(ctypes.addressof(full), sink, window, size, counts.data_ptr(), indices.data_ptr(), width),
        *(out.data_ptr(), lse.data_ptr(), _bits(spec.scale or d**-0.5)),
        *levels,
        *room.places(heads, group * rows, d, element, width, threads),
        *(0, 0, 0),
    )
    _go(run, room, threads)
    return Answer(out, lse)


_WHOLE = (0, 0, 0, 0, 0)
"""Keys and values are numbers, not levels."""
_NOTHING = torch.zeros(0, dtype=torch.int64)


def _seen(spec: Spec, heads: int) -> tuple[Any, int, int, tuple[int, Tensor, Tensor] | None]:
    """A flag a key head (1: sees everything), sink, window, and the blocks' size, counts [KV] and indices [KV, M]."""
    near, blocks = spec.heads, spec.blocks
    full = near.full if near is not None else (blocks is None,) * heads
    sink, window = (near.sink, near.window) if near is not None else (0, 0)
    if blocks is None:
        return _flags(full), sink, window, None
    counts, indices = (part[0].to(torch.int64).contiguous() for part in (blocks.counts, blocks.indices))
    return _flags(full), sink, window, (blocks.size, counts, indices)


def _threads(keys: int) -> int:
    """How many threads read so many keys; 0 where torch has more of them than can be had here."""
    threads = torch.get_num_threads()
    if threads == 1 or keys <= FEW_KEYS:
        return 1
    return threads if _team() is not None else 0


def _go(run: Callable[[int], None], room: _Room, threads: int) -> None:
    """All by this thread, or the middle part by several."""
    team, table, code = _team(), room.table, room.pass_
    if threads == 1 or team is None:
        table[code.PART] = code.ALL
        run(room.address)
        return
    table[code.PART] = code.PLAN
    run(room.address)
    table[code.PART] = code.WORK
    team(_compiler().address, room.address, min(threads, table[code.COUNT]), 0)
    table[code.PART] = code.FINISH
    run(room.address)
