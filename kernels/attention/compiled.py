"""Attention of few query rows as compiled code: `attend` for what it can do, None for what it leaves to torch.

Same contract as `kernels.attention.reference.attend`, which tests compare it with. The code is compiled once for a CPU (some
seconds of LLVM) and kept in numba's cache on disk: `is_compiled` says whether it is there, `compile_now` makes it; nothing is
compiled while somebody waits. Long keys are shared by the threads that torch has already, where they are GNU's OpenMP;
elsewhere one thread does all. bfloat16 goes to the CPU's matrix unit where it has one that the system lends. Knows tensors and
addresses; no policy, no cache.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import logging
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.attention.spec import Answer, Spec, check
from kernels.decode.kept import follow_sources

MOST_ROWS = 16
"""Query rows of a head: more are a prefill, which torch's matrix products do better."""
FEW_KEYS = 4096
"""Keys of all key heads together that one thread reads sooner (0.1 ms) than a second one is there."""
MATRIX_ROWS = 6
"""Query rows of a key head from which the matrix unit is faster: its work hardly grows with them (4,096 keys in bfloat16: 1.05x
at six, 1.4x at eight, 2.8x at forty-eight; 0.9x at four).
"""
LARGEST_HEAD = 256
MOST_TABLES = 256
"""Specs whose tables a thread keeps: a model's layers have one each."""
log = logging.getLogger("sotto.kernels")


@functools.lru_cache(maxsize=1)
def _compiler() -> Any:
    """numba's compiler of `compiled_run.run` with its cache on disk; None where the machine cannot have it."""
    try:
        from numba.core import types
        from numba.core.ccallback import CFunc

        from kernels.attention import compiled_run

        found: Any = CFunc(compiled_run.run, ((types.intp,), types.void), locals={}, options={"error_model": "numpy"})
        found.enable_caching()
        follow_sources(found._cache)
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


def code() -> Callable[[int], None]:
    """The compiled code, by a table's address. RuntimeError where it is not there."""
    run = _ready()
    if run is None:
        raise RuntimeError("attention is not compiled: ask `available` first")
    return run


def look_again() -> None:
    """Ask the disk anew: another process may have compiled."""
    _ready.cache_clear()


@functools.lru_cache(maxsize=1)
def matrix_unit() -> int:
    """Where the matrix unit's configuration is; 0 where the CPU has none, or the system does not lend it."""
    from kernels.attention import compiled_matrix

    made = compiled_matrix.configuration()
    return 0 if made is None else ctypes.addressof(made)


def _unit(q: Tensor, k: Tensor) -> int:
    """`matrix_unit` for a problem that gains by it; 0 for others."""
    many = q.shape[0] // k.shape[0] * q.shape[1] >= MATRIX_ROWS
    return matrix_unit() if many and q.dtype == torch.bfloat16 else 0


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


@dataclass
class _Table:
    """The words that calls with the same spec and tensors of the same kind share; ``kind`` says of which."""

    spec: Spec
    kind: tuple[Any, ...]
    words: Any
    address: int
    keys: int
    """Keys a head sees at most; 0 where some head sees all."""
    kept: tuple[Any, ...]
    """What the words point at."""


class Memory:
    """Bytes to work in, kept from call to call; where more are wanted, they are others."""

    def __init__(self) -> None:
        self._held = np.zeros(0, np.uint8)

    def at(self, size: int) -> int:
        """The address, a multiple of 256, of ``size`` bytes."""
        if size + 256 > len(self._held):
            self._held = np.zeros(size + size // 4 + 256, np.uint8)
        return _whole(self._held.ctypes.data)


class _Room(threading.local):
    """A thread's tables, and the memory its pieces work in: one place for all, for only one call runs at a time."""

    def __init__(self) -> None:
        from kernels.attention import compiled_pass

        self.pass_ = compiled_pass
        self.tables: dict[int, _Table] = {}
        self.write = struct.Struct(f"={compiled_pass.PART + 1 - compiled_pass.START}q").pack_into
        self.changing = compiled_pass.START * 8
        self._fixed = struct.Struct(f"={compiled_pass.START}q").pack_into
        self._memory, self._at = Memory(), 0

    def table(self, kind: tuple[Any, ...], q: Tensor, k: Tensor, v: Tensor, spec: Spec, levels: tuple[int, int, int]) -> _Table:
        """A new one, kept for the next call with this very spec."""
        told = describe(q, k, v, spec, levels, torch.get_num_threads())
        at = self._memory.at(told.size)
        if at != self._at:  # tables point at where it was
            self.tables.clear()
            self._at = at
        words = (ctypes.c_int64 * self.pass_.WORDS)()
        self._fixed(words, 0, *told.words(at))
        made = _Table(spec, kind, words, ctypes.addressof(words), told.keys, told.kept)
        if len(self.tables) >= MOST_TABLES:
            self.tables.clear()
        self.tables[id(spec)] = made
        return made


@dataclass(frozen=True)
class Description:
    """The words of a table that stay from step to step, but for where it may work: `words` at an address says that too.

    ``sizes``: bytes of segments, first segments, pieces, queries as floats and as tiles; what pieces find (``own`` each); where
    threads work (``space`` each). ``keys`` a head sees at most, 0 where some head sees all. ``kept``: what the words point at.
    """

    known: tuple[int, ...]
    sizes: tuple[int, ...]
    own: int
    space: int
    keys: int
    kept: tuple[Any, ...]

    @property
    def size(self) -> int:
        """Bytes to work in, from an address that 256 divides on."""
        return sum(_whole(size) for size in self.sizes)

    def words(self, at: int) -> tuple[int, ...]:
        places = [at, *itertools.accumulate((_whole(size) for size in self.sizes), initial=at)][1:]
        return (*self.known, *places[:6], self.own, places[6], self.space)


def describe(q: Tensor, k: Tensor, v: Tensor, spec: Spec, levels: tuple[int, int, int], threads: int) -> Description:
    """What the compiled code must know of a problem; ``levels`` as `_attend` takes them."""
    from kernels.attention import compiled_pass as of

    heads, d, element, each = k.shape[0], q.shape[2], q.element_size(), k.element_size()
    full, sink, window, blocks = _seen(spec, heads)
    size, counts, indices = blocks if blocks is not None else (0, _NOTHING, _NOTHING)
    width, group, unit = indices.shape[-1], q.shape[0] // heads, _unit(q, k)
    known = (
        *(element == 2, heads, group, q.shape[1], d // 32),
        *(q.stride(0) * element, q.stride(1) * element),
        *(k.stride(0) * each, k.stride(1) * each),
        *(v.stride(0) * each, v.stride(1) * each),
        *(ctypes.addressof(full), sink, window, size, counts.data_ptr(), indices.data_ptr(), width),
        *(bits(spec.scale or d**-0.5), *levels, unit),
    )
    rows, pieces = group * q.shape[1], heads + 2 * threads
    own, space = of.own_size(rows, d, unit), _whole(of.space_size(rows, d, element, unit))
    lists = (16 * heads * (width + 3), 8 * (heads + 1), 8 * of.PIECE * pieces)
    sizes = (*lists, 4 * heads * rows * d, 2 * heads * of.tall(rows, unit) * d, own * pieces, space * threads)
    keys = 0 if any(full) else sink + window + size * width
    return Description(known, sizes, own, space, keys, (full, counts, indices))


def _whole(size: int) -> int:
    return -(-size // 256) * 256


@functools.lru_cache(maxsize=1)
def _room() -> _Room:
    return _Room()


@functools.lru_cache(maxsize=64)
def bits(number: float) -> int:
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


def attend(
    q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, pool: tuple[Tensor, Tensor, Tensor] | None = None
) -> Answer | None:
    """q [H, T, D], k and v [KV, N, D], the queries at positions ``start`` on, rows being positions. Sink logits are left out.

    None where the code is not compiled, the problem does not fit, or torch has threads for long keys that cannot be had here.
    A step of a model costs a few microseconds besides its keys: what it shares with the step before is kept by its ``spec``,
    which must not change then, nor its lists.

    ``pool``: counts int64 [KV, 1], keys and values float32 [KV, 1, D]: one key more that stands for so many (0: none).
    """
    if pool is None:
        return _attend(q, k, v, spec, start, WHOLE, _NO_SIZES)
    counts, keys, values = pool
    exact = counts.dtype == torch.int64 and keys.dtype == values.dtype == torch.float32
    if not exact or not (counts.is_contiguous() and keys.is_contiguous() and values.is_contiguous()):
        return None
    return _attend(q, k, v, spec, start, WHOLE, _NO_SIZES, (counts.data_ptr(), keys.data_ptr(), values.data_ptr()))


def attend_levels(q: Tensor, k: tuple[Tensor, Tensor], v: tuple[Tensor, Tensor], spec: Spec, start: int) -> Answer | None:
    """`attend` over quantised keys and values (levels, sizes): each row is widened where it is read, none is kept wide.

    To float32; for bfloat16 queries on the matrix unit to bfloat16, as `dequantise` would.
    """
    (keys, key_sizes), (values, value_sizes) = k, v
    bits = 4 if keys.dtype == torch.uint8 else 8
    same = key_sizes.stride() == value_sizes.stride() and key_sizes.dtype == value_sizes.dtype == torch.float32
    whole = key_sizes.stride(2) == 1 and key_sizes.shape[2] == (q.shape[2] // 32 if bits == 4 else 1)
    if not same or not whole or not _plain(q, keys, values, spec):
        return None
    levels = bits, key_sizes.stride(0) * 4, key_sizes.stride(1) * 4
    wide = q if _unit(q, keys) else q.float()
    found = _attend(wide, keys, values, spec, start, levels, (key_sizes.data_ptr(), value_sizes.data_ptr()))
    return None if found is None else Answer(found.out.to(q.dtype), found.lse)


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    spec: Spec,
    start: int,
    levels: tuple[int, int, int],
    sizes: tuple[int, int],
    pool: tuple[int, int, int] = (0, 0, 0),
) -> Answer | None:
    run, room = _ready(), _room()
    if run is None:
        return None
    shape = q.shape
    threads, grads = torch.get_num_threads(), torch.is_grad_enabled()
    dtypes = q.dtype, k.dtype, v.dtype
    kind = (shape, q.stride(), k.shape[0], k.stride(), v.stride(), dtypes, levels, threads, q.is_cpu)
    made = room.tables.get(id(spec))
    if grads or made is None or made.kind != kind or k.shape != v.shape:
        if levels is WHOLE:
            check(q, k, v, spec)
            if not fits(q, k, v, spec):
                return None
        made = room.table(kind, q, k, v, spec, levels)
    if threads > 1:
        threads = _threads(kind[2] * (made.keys or start + shape[1]))
        if not threads:
            return None
    out, lse = torch.empty(shape, dtype=dtypes[0]), torch.empty(shape[:2])
    places = q.data_ptr(), k.data_ptr(), v.data_ptr(), out.data_ptr(), lse.data_ptr()
    room.write(made.words, room.changing, start, threads, *places, *sizes, *pool, 0)
    if threads == 1:
        run(made.address)
    else:
        _share(run, room.pass_, made, threads)
    return Answer(out, lse)


WHOLE, _NO_SIZES = (0, 0, 0), (0, 0)
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
    if keys <= FEW_KEYS:
        return 1
    return torch.get_num_threads() if _team() is not None else 0


def together(address: int, threads: int) -> None:
    """Run what the table at an address asks for, by so many of torch's threads, or by this one where they cannot be had."""
    team = _team() if threads > 1 else None
    if team is None:
        code()(address)
    else:
        team(_compiler().address, address, threads, 0)


def _share(run: Callable[[int], None], code: Any, made: _Table, threads: int) -> None:
    """The middle part by several threads."""
    team, table = _team(), made.words
    assert team is not None
    table[code.PART] = code.PLAN
    run(made.address)
    table[code.PART] = code.WORK
    team(_compiler().address, made.address, min(threads, table[code.COUNT]), 0)
    table[code.PART] = code.FINISH
    run(made.address)
