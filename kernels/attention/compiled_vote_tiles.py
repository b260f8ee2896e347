"""The inner loops of a vote and of what is chosen by it, as functions that numba code can call: addresses in, numbers out.

Knows sixteen-lane vectors and the matrix unit's tiles (`kernels.attention.compiled_matrix`). That multiplies bfloat16 only: a
float32 goes there divided into two of them, the nearest and what it misses, and of the four products the smallest is left out.
So 16 of 24 bits stay; three products take 18 us where AVX-512 takes 100 (12 queries, 3,072 summaries of 256 numbers).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kernels.attention.compiled_matrix import SIDE, TILE, _code, _Tiles
from kernels.attention.compiled_tiles import NEVER, UNIT, brief
from kernels.decode.tiles import _once
from kernels.decode.vector import F32, I32, I64, LANES, V32, VF, Vectors

_AT = types.intp


def _divide(v: Vectors, b: Any, source: Any, out: Any, units: Any) -> None:
    far = b.mul(units, v.i64(2 * UNIT))
    with v.loop(b.mul(units, v.i64(2)), 1) as at:
        x, place = v.load(b.add(source, b.mul(at, v.i64(4 * LANES)))), b.add(out, b.mul(at, v.i64(2 * LANES)))
        near = brief(v, x)
        v.store(near, place)
        missed = b.fsub(x, b.bitcast(b.shl(b.zext(near, V32), v.ints(16)), VF))
        v.store(brief(v, missed), b.add(place, far))


@intrinsic  # type: ignore[untyped-decorator]
def divide(_: Any, source: Any, out: Any, units: Any) -> Any:
    """``units`` times 32 floats as so many bfloat16 numbers, and then what those miss, likewise."""
    return _AT(_AT, _AT, _AT), _once("sotto_divide", _divide)


def _scores(divided: bool, columns: int) -> Any:
    """out [tiles, count, 16] floats = ``count`` keys, a multiple of sixteen, times ``columns`` tiles of sixteen queries.

    (queries laid out as [tiles, units, 16 pairs, 16 columns], keys, bytes between these, units of 32 numbers, count, out,
    bytes between its tiles). ``divided``: of either, so many units of the nearest numbers come first, then what they miss.
    """
    side = 4 // columns  # tiles of keys: four sums, so that none waits for its last product

    def write(v: Vectors, b: Any, q: Any, k: Any, k_step: Any, units: Any, count: Any, out: Any, step: Any) -> None:
        tiles, line = _Tiles(v), v.i64(64)
        far = b.mul(units, line)
        tall = b.mul(units, v.i64(2 * TILE if divided else TILE))

        def step_(first: Any, many: int, unit: Any, key_far: bool, query_far: bool) -> None:
            key = b.add(b.add(k, b.mul(first, k_step)), b.mul(unit, line))
            near = b.add(q, b.mul(unit, v.i64(TILE)))
            key = b.add(key, far) if key_far else key
            near = b.add(near, b.mul(units, v.i64(TILE))) if query_far else near
            for column in range(columns):
                tiles.load(6 + column, b.add(near, b.mul(tall, v.i64(column))), line)
            for tile in range(many):
                left = 4 + tile % 2
                tiles.load(left, b.add(key, b.mul(k_step, v.i64(SIDE * tile))), k_step)
                for column in range(columns):
                    tiles.multiply(columns * tile + column, left, 6 + column)

        def some(first: Any, many: int) -> None:
            for total in range(many * columns):
                tiles.zero(total)
            with v.loop(units, 1) as unit:
                step_(first, many, unit, False, False)
                if divided:
                    step_(first, many, unit, False, True)
                    step_(first, many, unit, True, False)
            for tile in range(many):
                for column in range(columns):
                    place = b.add(b.add(out, b.mul(step, v.i64(column))), b.mul(b.add(first, v.i64(SIDE * tile)), line))
                    tiles.store(columns * tile + column, place, line)

        whole = b.and_(count, v.i64(-side * SIDE))
        with v.loop(whole, side * SIDE) as at:
            some(at, side)
        with v.loop(b.sub(count, whole), SIDE) as at:
            some(b.add(whole, at), 1)

    code = _code(f"votes_{columns}{'d' * divided}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, q: Any, k: Any, k_step: Any, units: Any, count: Any, out: Any, step: Any) -> Any:
        return _AT(*[_AT] * 7), code

    return tile


scores_1, scores_2, divided_1, divided_2 = (_scores(divided, columns) for divided in (False, True) for columns in (1, 2))


def _weigh(v: Vectors, b: Any, x: Any, width: Any) -> Any:
    largest, whole, (total,) = v.variables(v.floats(NEVER), 4), b.and_(width, v.i64(-4 * LANES)), v.variables(v.floats(0.0), 1)

    def look(place: Any, one: Any) -> None:
        b.store(v.larger(v.load(place), b.load(one)), one)

    with v.loop(whole, 4 * LANES) as at:  # four at a time: each waits for the one before
        for turn, one in enumerate(largest):
            look(b.add(x, b.mul(b.add(at, v.i64(turn * LANES)), v.i64(4))), one)
    with v.loop(b.sub(width, whole), LANES) as at:
        look(b.add(x, b.mul(b.add(at, whole), v.i64(4))), largest[0])
    first, second, third, fourth = (b.load(one) for one in largest)
    highest = v.splat(v.maximum(v.larger(v.larger(first, second), v.larger(third, fourth))))
    with v.loop(width, LANES) as at:
        place = b.add(x, b.mul(at, v.i64(4)))
        weight = v.exp(b.fsub(v.load(place), highest))
        b.store(b.fadd(b.load(total), weight), total)
        v.store(weight, place)
    return v.sum(b.load(total))


@intrinsic  # type: ignore[untyped-decorator]
def weigh(_: Any, x: Any, width: Any) -> Any:
    """``width`` logits, a multiple of sixteen, become e^(logit - greatest); returns their sum. `NEVER` becomes next to 0."""
    return types.float32(_AT, _AT), _once("sotto_weigh", _weigh)


def _join(v: Vectors, b: Any, rows: Any, step: Any, group: Any, shares: Any, width: Any, out: Any) -> None:
    (total,) = v.variables(v.floats(0.0), 1)
    with v.loop(width, LANES) as at:
        b.store(v.floats(0.0), total)
        place = b.add(rows, b.mul(at, v.i64(4)))
        with v.loop(group, 1) as g:
            share = v.splat(v.load(b.add(shares, b.mul(g, v.i64(4))), F32))
            b.store(v.fma(v.load(b.add(place, b.mul(g, step))), share, b.load(total)), total)
        v.store(b.load(total), b.add(out, b.mul(at, v.i64(4))))


@intrinsic  # type: ignore[untyped-decorator]
def join(_: Any, rows: Any, step: Any, group: Any, shares: Any, width: Any, out: Any) -> Any:
    """out [width] = the sum of ``group`` rows of floats, ``step`` bytes apart, each times its share; out may be the first."""
    return _AT(*[_AT] * 6), _once("sotto_join", _join)


def _at_least(v: Vectors, b: Any, x: Any, count: Any, least: Any) -> Any:
    (total,) = v.variables(v.ints(0), 1)
    limit = v.splat(least)
    with v.loop(count, LANES) as at:
        reaches = b.fcmp_ordered(">=", v.load(b.add(x, b.mul(at, v.i64(4)))), limit)
        b.store(b.add(b.load(total), b.zext(reaches, V32)), total)
    return b.sext(v._fold(b.load(total), b.add), I64)


@intrinsic  # type: ignore[untyped-decorator]
def at_least(_: Any, x: Any, count: Any, least: Any) -> Any:
    """How many of ``count`` floats, a multiple of sixteen, are ``least`` or more; a NaN is not."""
    return types.int64(_AT, _AT, types.float32), _once("sotto_at_least", _at_least)


def _decoded(v: Vectors, b: Any, code: Any) -> Any:
    word = b.trunc(code, I32)
    return b.bitcast(b.xor(word, b.and_(b.ashr(word, ir.Constant(I32, 31)), ir.Constant(I32, 0x7FFFFFFF))), F32)


@intrinsic  # type: ignore[untyped-decorator]
def decoded(_: Any, code: Any) -> Any:
    """The float of a code from -2^31 to 2^31 - 1; codes ascend as floats do."""
    return types.float32(types.int64), _once("sotto_decoded", _decoded)
