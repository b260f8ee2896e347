"""Attention's products on a CPU's matrix unit (Intel's AMX), as functions that numba code can call: addresses in, numbers out.

A tile is sixteen rows of sixty-four bytes. Keys are a product's left side as they lie in memory; queries are the right side,
laid out once a call. Values must be its right side, so two rows at a time are woven into pairs. All sums are float32's; only
the weights are rounded, to bfloat16. Where the unit is not there (`HERE`), every function does nothing: ask first.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.attention.compiled_tiles import _prefetch, brief
from kernels.decode.tiles import _once
from kernels.decode.vector import F32, I8, I32, LANES, V32, Vectors, _has

HERE = _has("amx-tile") and _has("amx-bf16")
"""Whether code for this CPU may have its instructions; whether the system lets a process use them says `configuration`."""
SIDE, TILE = 16, 1024
"""Rows of a tile, and its bytes."""
KEYS = 32
"""Keys whose values are woven together: a product's depth."""
SPACE = 2 * SIDE * 256
"""Bytes that two such groups take, sixty-four columns wide."""
_AT = types.intp
AHEAD, PAGE = 8192, 4096
"""How many bytes ahead a page's beginning is asked for: the CPU's own prefetch stops at a page's end (4 % at 4,096 keys)."""
_ASK_FOR_STATE, _TILE_DATA = 0x1023, 18
"""arch_prctl's ARCH_REQ_XCOMP_PERM and the number of the tiles' state, as Linux names them."""


@functools.lru_cache(maxsize=64)
def configuration(heights: tuple[int, ...] = (SIDE,) * 8, widths: tuple[int, ...] = (64,) * 8) -> Any:
    """Eight tiles of so many rows (16 at most) and bytes a row, as sixty-four bytes that stay where they are; None where the
    unit cannot be used.

    Linux gives a process the tiles' eight kilobytes a thread only when asked.
    """
    if not HERE or not sys.platform.startswith("linux"):
        return None
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    if system_call(ctypes.c_long(158), ctypes.c_long(_ASK_FOR_STATE), ctypes.c_long(_TILE_DATA)):
        return None
    each = b"".join(width.to_bytes(2, "little") for width in widths)
    return ctypes.create_string_buffer(bytes([1]) + bytes(15) + each + bytes(16) + bytes(heights) + bytes(8), 64)


class _Tiles:
    """The unit's eight registers, by number."""

    def __init__(self, v: Vectors) -> None:
        self.v = v

    def _call(self, name: str, *given: Any) -> None:
        kind = ir.FunctionType(ir.VoidType(), [each.type for each in given])
        self.v.b.call(cgutils.get_or_insert_function(self.v.b.module, kind, f"llvm.x86.{name}"), given)

    def _pointer(self, address: Any) -> Any:
        return self.v.b.inttoptr(address, I8.as_pointer())

    def configure(self, address: Any) -> None:
        self._call("ldtilecfg", self._pointer(address))

    def release(self) -> None:
        self._call("tilerelease")

    def zero(self, tile: int) -> None:
        self._call("tilezero", ir.Constant(I8, tile))

    def load(self, tile: int, address: Any, stride: Any) -> None:
        self._call("tileloadd64", ir.Constant(I8, tile), self._pointer(address), stride)

    def store(self, tile: int, address: Any, stride: Any) -> None:
        self._call("tilestored64", ir.Constant(I8, tile), self._pointer(address), stride)

    def multiply(self, total: int, left: int, right: int) -> None:
        """total += left (rows of pairs) times right (pairs of rows)."""
        self._call("tdpbf16ps", *(ir.Constant(I8, tile) for tile in (total, left, right)))


def _code(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
    return _once(f"sotto_matrix_{name}", write if HERE else lambda *_: None)


def _begin(v: Vectors, _b: Any, configured: Any) -> None:
    _Tiles(v).configure(configured)


def _end(v: Vectors, _b: Any, _configured: Any) -> None:
    _Tiles(v).release()


@intrinsic  # type: ignore[untyped-decorator]
def begin(_: Any, configured: Any) -> Any:
    """Set this thread's tiles up as the `configuration` at an address says."""
    return _AT(_AT), _code("begin", _begin)


@intrinsic  # type: ignore[untyped-decorator]
def end(_: Any, configured: Any) -> Any:
    """Give the tiles back: a thread that has none in use is cheaper to switch to."""
    return _AT(_AT), _code("end", _end)


def _scores(fixed: int) -> Any:
    """out [count, 16] floats = ``count`` keys, a multiple of sixteen, times sixteen queries of ``units`` times 32 numbers.

    (queries as `compiled_pass` lays them out, keys, bytes between these, units, count, out). With ``fixed`` units the queries'
    tiles stay loaded; of any number (0) they are loaded again for every four tiles of keys.
    """

    def write(v: Vectors, b: Any, q: Any, k: Any, k_step: Any, units: Any, count: Any, out: Any) -> None:
        tiles, line = _Tiles(v), v.i64(64)

        def few(first: Any, turn: int) -> None:
            total, key = 4 + 2 * turn, b.add(k, b.mul(first, k_step))
            tiles.zero(total)
            for unit in range(fixed):
                tiles.load(5 + 2 * (unit % 2), b.add(key, v.i64(64 * unit)), k_step)
                tiles.multiply(total, 5 + 2 * (unit % 2), unit)
                for near in range(4):
                    _prefetch(v, b.add(key, v.i64(AHEAD + 256 * unit + 64 * near)))
            tiles.store(total, b.add(out, b.mul(first, line)), line)

        def some(first: Any, many: int) -> None:
            key = b.add(k, b.mul(first, k_step))
            for tile in range(many):
                tiles.zero(tile)
            with v.loop(units, 1) as unit:
                shift = b.mul(unit, line)
                tiles.load(4, b.add(q, b.mul(unit, v.i64(TILE))), line)
                for tile in range(many):
                    row = b.add(key, b.add(shift, b.mul(k_step, v.i64(SIDE * tile))))
                    tiles.load(5 + tile % 3, row, k_step)
                    tiles.multiply(tile, 5 + tile % 3, 4)
            for tile in range(many):
                tiles.store(tile, b.add(out, b.mul(b.add(first, v.i64(SIDE * tile)), line)), line)

        if fixed:
            for unit in range(fixed):
                tiles.load(unit, b.add(q, v.i64(TILE * unit)), line)
            pairs = b.and_(count, v.i64(-2 * SIDE))
            with v.loop(pairs, 2 * SIDE) as at:
                few(at, 0)
                few(b.add(at, v.i64(SIDE)), 1)
            with b.if_then(b.icmp_signed("<", pairs, count)):
                few(pairs, 0)
            return
        whole = b.and_(count, v.i64(-4 * SIDE))
        with v.loop(whole, 4 * SIDE) as at:
            some(at, 4)
        with v.loop(b.sub(count, whole), SIDE) as at:
            some(b.add(whole, at), 1)

    code = _code(f"scores_{fixed}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, q: Any, k: Any, k_step: Any, units: Any, count: Any, out: Any) -> Any:
        return _AT(*[_AT] * 6), code

    return tile


scores_4, scores_2, scores_any = _scores(4), _scores(2), _scores(0)


def _shuffled(b: Any, x: Any, y: Any, places: list[int]) -> Any:
    return b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, len(places)), places))


def _turn(v: Vectors, b: Any, source: Any, count: Any, factor: Any, out: Any, step: Any) -> None:
    quarters = range(0, LANES, 4)
    singles = [[q + at + 16 * other for q in quarters for at in pair for other in (0, 1)] for pair in ((0, 1), (2, 3))]
    doubles = [[q + at + 16 * other for q in quarters for other in (0, 1) for at in pair] for pair in ((0, 1), (2, 3))]
    ends = [[at + 8 * half + 16 * other for half in (0, 1) for other in (0, 1) for at in four] for four in _FOURS]
    half, size = ir.VectorType(F32, 8), v.splat(b.bitcast(b.trunc(factor, I32), F32))
    with v.loop(count, SIDE) as first:
        key = b.add(source, b.mul(first, v.i64(64)))
        rows = [v.load(b.add(key, v.i64(64 * row)), half) for row in range(SIDE)]
        x = [_shuffled(b, rows[i], rows[i + 8], list(range(LANES))) for i in range(8)]
        x = [_shuffled(b, x[i], x[i + 1], way) for i in range(0, 8, 2) for way in singles]
        x = [_shuffled(b, x[i + j], x[i + j + 2], way) for i in (0, 4) for j in (0, 1) for way in doubles]
        place = b.add(out, b.mul(first, v.i64(4)))
        for column in range(8):
            row = _shuffled(b, x[column % 4], x[column % 4 + 4], ends[column // 4])
            v.store(b.fmul(row, size), b.add(place, b.mul(step, v.i64(column))))


_FOURS = (range(4), range(4, 8))


@intrinsic  # type: ignore[untyped-decorator]
def turn(_: Any, source: Any, count: Any, factor: Any, out: Any, step: Any) -> Any:
    """out [8, count] = the first eight columns of source [count, 16], times the float whose bits ``factor`` begins with.

    ``step``: bytes between out's rows.
    """
    return _AT(*[_AT] * 5), _code("turn", _turn)


def _shorten(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        v.store(brief(v, v.load(b.add(source, b.mul(at, v.i64(4))))), b.add(out, b.mul(at, v.i64(2))))


@intrinsic  # type: ignore[untyped-decorator]
def shorten(_: Any, source: Any, out: Any, count: Any) -> Any:
    """``count`` floats as bfloat16."""
    return _AT(_AT, _AT, _AT), _code("shorten", _shorten)


def _gather(units: int) -> Any:
    """out [16, 32 units] floats, in the order of `compiled_tiles._pair`, += weights [16, count] in bfloat16 times values.

    (weights, bytes between their rows, values [count, 32 units], bytes between theirs, count, a multiple of `KEYS`, out, bytes
    between its rows, `SPACE` to work in).
    """

    def write(
        v: Vectors, b: Any, w: Any, w_step: Any, x: Any, x_step: Any, count: Any, out: Any, step: Any, space: Any
    ) -> None:
        tiles, wide = _Tiles(v), v.i64(128 * units)
        low, high = v.ints(0xFFFF), v.ints(-65536)

        def place(first: Any) -> Any:
            """Where the woven values of the keys from ``first`` on are: two places in turn."""
            return b.add(space, b.mul(b.and_(first, v.i64(KEYS)), v.i64(64 * units)))

        def weave(first: Any) -> None:
            woven = place(first)
            # Of the pairs LLVM does not know that they are sixteen: unrolled, their addresses would spill.
            left = b.sub(count, first)
            with v.loop(b.select(b.icmp_signed("<", left, v.i64(KEYS)), left, v.i64(KEYS)), 2) as key:
                row = b.add(x, b.mul(b.add(first, key), x_step))
                pair = b.add(woven, b.mul(key, v.i64(64 * units)))
                for u in range(units):
                    near, far = (v.load(b.add(at, v.i64(64 * u)), V32) for at in (row, b.add(row, x_step)))
                    even = b.or_(b.and_(near, low), b.shl(far, v.ints(16)))
                    odd = b.or_(b.lshr(near, v.ints(16)), b.and_(far, high))
                    v.store(even, b.add(pair, v.i64(128 * u)))
                    v.store(odd, b.add(pair, v.i64(128 * u + 64)))
                soon = b.add(b.add(x, b.mul(first, x_step)), b.mul(key, v.i64(32)))
                for shift in (AHEAD, AHEAD + PAGE):
                    _prefetch(v, b.add(soon, v.i64(shift)))

        def multiply(first: Any) -> None:
            woven = place(first)
            tiles.load(4, b.add(w, b.mul(first, v.i64(2))), w_step)
            for n in range(2 * units):
                tiles.load(5 + n % 3, b.add(woven, v.i64(64 * n)), wide)
                tiles.multiply(n, 4, 5 + n % 3)

        for n in range(2 * units):
            tiles.load(n, b.add(out, v.i64(64 * n)), step)
        with v.loop(
            b.add(count, v.i64(KEYS)), KEYS
        ) as at:  # what is woven now is multiplied a turn later: it is stored by then
            with b.if_then(b.icmp_signed("<", at, count)):
                weave(at)
            with b.if_then(b.icmp_signed(">", at, v.i64(0))):
                multiply(b.sub(at, v.i64(KEYS)))
        for n in range(2 * units):
            tiles.store(n, b.add(out, v.i64(64 * n)), step)

    code = _code(f"gather_{units}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, w: Any, w_step: Any, x: Any, x_step: Any, count: Any, out: Any, step: Any, space: Any) -> Any:
        return _AT(*[_AT] * 8), code

    return tile


gather_2, gather_1 = _gather(2), _gather(1)
