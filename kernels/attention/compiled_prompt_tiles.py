"""Products of a prompt's attention on a CPU's matrix unit (Intel's AMX), as functions that numba code can call.

A prompt has rows enough to lay keys and values out once for all of them: keys crossed, so that a query row meets sixteen keys
at once, and values woven in pairs. So queries are the left side, and a product costs as many steps as a bundle has rows; a
bundle may choose its own tiles of sixteen keys. Knows addresses; not which rows see which keys (`compiled_prompt_pass`).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.attention.compiled_matrix import HERE, SIDE, TILE, _code, _shuffled, _Tiles, configuration
from kernels.attention.compiled_tiles import NEVER, _prefetch, brief
from kernels.decode.tiles import _once
from kernels.decode.vector import F32, I16, I32, LANES, V32, VF, Vectors

_AT = types.intp
_V1, _WORDS = ir.VectorType(ir.IntType(1), LANES), ir.VectorType(I16, 2 * LANES)
AHEAD = 32
"""How many rows ahead keys and values are asked for while others are laid out."""
UNSEEN = -1e29
"""Scores below this were hidden."""
RIGHT, WEIGHTS = (5, 7), 4
"""The registers of right sides; all others have a bundle's rows. The register of weights."""


def configured(rows: int, single: bool = False) -> Any:
    """`configuration` for bundles of ``rows`` rows, 16 at most: the unit takes a step a row.

    ``single``: for `single_2` and `single_1`, whose weights are of one tile of keys.
    """
    right = SIDE // 2 if single else SIDE
    heights = tuple(right if tile in RIGHT else rows for tile in range(8))
    return configuration(heights, tuple(32 if single and tile == WEIGHTS else 64 for tile in range(8)))


def _cross(v: Vectors, b: Any, source: Any, step: Any, units: Any, out: Any) -> None:
    with v.loop(units, 1) as unit:
        near = b.add(source, b.mul(unit, v.i64(64)))
        x = [v.load(b.add(near, b.mul(step, v.i64(row))), V32) for row in range(SIDE)]
        for row in range(SIDE):
            _prefetch(v, b.add(near, b.mul(step, v.i64(AHEAD + row))))
        for far in (1, 2, 4, 8):
            low = [lane if not lane & far else SIDE + lane - far for lane in range(SIDE)]
            high = [lane + far if not lane & far else SIDE + lane for lane in range(SIDE)]
            turned = list(x)
            for row in range(SIDE):
                if not row & far:
                    turned[row] = _shuffled(b, x[row], x[row + far], low)
                    turned[row + far] = _shuffled(b, x[row], x[row + far], high)
            x = turned
        place = b.add(out, b.mul(unit, v.i64(TILE)))
        for row in range(SIDE):
            v.store(x[row], b.add(place, v.i64(64 * row)))


@intrinsic  # type: ignore[untyped-decorator]
def cross(_: Any, source: Any, step: Any, units: Any, out: Any) -> Any:
    """out [units, 16 pairs, 16 keys] pairs = sixteen keys of ``units`` times 32 numbers, ``step`` bytes between them."""
    return _AT(*[_AT] * 4), _code("cross", _cross)


def _weave(v: Vectors, b: Any, source: Any, step: Any, units: Any, out: Any) -> None:
    ways = [[at + half * LANES + other * 2 * LANES for at in range(LANES) for other in (0, 1)] for half in (0, 1)]
    with v.loop(units, 1) as unit:
        near = b.add(source, b.mul(unit, v.i64(64)))
        for pair in range(SIDE // 2):
            x, y = (v.load(b.add(near, b.mul(step, v.i64(2 * pair + other))), _WORDS) for other in (0, 1))
            for other in (0, 1):
                _prefetch(v, b.add(near, b.mul(step, v.i64(AHEAD + 2 * pair + other))))
            place = b.add(b.add(out, b.mul(unit, v.i64(128))), b.mul(units, v.i64(128 * pair)))
            for half, way in enumerate(ways):
                v.store(_shuffled(b, x, y, way), b.add(place, v.i64(64 * half)))


@intrinsic  # type: ignore[untyped-decorator]
def weave(_: Any, source: Any, step: Any, units: Any, out: Any) -> Any:
    """out [8 pairs, 32 units] pairs = sixteen values of ``units`` times 32 numbers, ``step`` bytes between them."""
    return _AT(*[_AT] * 4), _code("weave", _weave)


def _scores(fixed: int) -> Any:
    """out [rows, 16 count] floats = a bundle's queries times ``count`` of the tiles that `cross` made, by their numbers.

    (queries, bytes between these, first crossed tile, units, numbers, count, out, bytes between its rows). With ``fixed`` units
    the queries stay in the registers.
    """

    def write(
        v: Vectors, b: Any, q: Any, q_step: Any, keys: Any, units: Any, numbers: Any, count: Any, out: Any, step: Any
    ) -> None:
        tiles, line = _Tiles(v), v.i64(64)
        size = b.mul(units, v.i64(TILE))

        def some(first: Any, many: int) -> None:
            places = [b.add(first, v.i64(turn)) for turn in range(many)]
            at = [b.add(keys, b.mul(v.load(b.add(numbers, b.mul(place, v.i64(8))), ir.IntType(64)), size)) for place in places]
            for turn in range(many):
                tiles.zero(4 + 2 * turn)

            def unit(number: Any, left: int) -> None:
                for turn in range(many):
                    tiles.load(RIGHT[turn], b.add(at[turn], b.mul(number, v.i64(TILE))), line)
                    tiles.multiply(4 + 2 * turn, left, RIGHT[turn])

            if fixed:
                for number in range(fixed):
                    unit(v.i64(number), number)
            else:
                with v.loop(units, 1) as number:
                    tiles.load(0, b.add(q, b.mul(number, line)), q_step)
                    unit(number, 0)
            for turn, place in enumerate(places):
                tiles.store(4 + 2 * turn, b.add(out, b.mul(place, line)), step)

        for number in range(fixed):
            tiles.load(number, b.add(q, v.i64(64 * number)), q_step)
        even = b.and_(count, v.i64(-2))
        with v.loop(even, 2) as first:
            some(first, 2)
        with b.if_then(b.icmp_signed("<", even, count)):
            some(even, 1)

    code = _code(f"row_scores_{fixed}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, q: Any, q_step: Any, keys: Any, units: Any, numbers: Any, count: Any, out: Any, step: Any) -> Any:
        return _AT(*[_AT] * 8), code

    return tile


scores_4, scores_2, scores_any = _scores(4), _scores(2), _scores(0)


def _gather(units: int, keys: int) -> Any:
    """out [rows, 32 units] floats += weights [rows, keys count] in bfloat16 times values: ``count`` places of ``keys`` woven.

    (weights, bytes between their rows, places, count, bytes between pairs of values, where the first column is, out, bytes
    between its rows). ``keys``: 32, or 16 with the configuration for single tiles.
    """

    def write(
        v: Vectors, b: Any, w: Any, w_step: Any, places: Any, count: Any, x_step: Any, column: Any, out: Any, step: Any
    ) -> None:
        tiles = _Tiles(v)
        for n in range(2 * units):
            tiles.load(n, b.add(out, v.i64(64 * n)), step)
        with v.loop(count, 1) as at:
            tiles.load(WEIGHTS, b.add(w, b.mul(at, v.i64(2 * keys))), w_step)
            values = b.add(v.load(b.add(places, b.mul(at, v.i64(8))), ir.IntType(64)), column)
            for n in range(2 * units):
                tiles.load(RIGHT[n % 2], b.add(values, v.i64(64 * n)), x_step)
                tiles.multiply(n, WEIGHTS, RIGHT[n % 2])
        for n in range(2 * units):
            tiles.store(n, b.add(out, v.i64(64 * n)), step)

    code = _code(f"row_gather_{units}_{keys}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, w: Any, w_step: Any, places: Any, count: Any, x_step: Any, column: Any, out: Any, step: Any) -> Any:
        return _AT(*[_AT] * 8), code

    return tile


gather_2, gather_1, single_2, single_1 = _gather(2, 32), _gather(1, 32), _gather(2, 16), _gather(1, 16)


def _hide(v: Vectors, b: Any, scores: Any, seen: Any) -> None:
    lanes = b.bitcast(b.trunc(seen, I16), _V1)
    v.store(b.select(lanes, v.load(scores), v.floats(NEVER)), scores)


@intrinsic  # type: ignore[untyped-decorator]
def hide(_: Any, scores: Any, seen: Any) -> Any:
    """Of sixteen scores those whose bit in ``seen`` is 0 become `NEVER`."""
    return _AT(_AT, _AT), _code("hide", _hide)


_POWER = (9.6181291e-3, 5.5504109e-2, 2.4022651e-1, 6.9314718e-1, 1.0)
"""Taylor's 2^x on [-1/2, 1/2]: at most 4e-5 off, a hundredth of what bfloat16 rounds away."""


def _power(v: Vectors, x: Any) -> Any:
    """2^x for x up to 0; what is too small for a float is 0. AVX-512's, which every CPU with the matrix unit has."""
    b = v.b
    whole = v.call("llvm.nearbyint.v16f32", x)
    rest, value = b.fsub(x, whole), v.floats(_POWER[0])
    for factor in _POWER[1:]:
        value = v.fma(value, rest, v.floats(factor))
    kind = ir.FunctionType(VF, [VF, VF, VF, I16, I32])
    shift = cgutils.get_or_insert_function(b.module, kind, "llvm.x86.avx512.mask.scalef.ps.512")
    return b.call(shift, [value, whole, value, ir.Constant(I16, -1), ir.Constant(I32, 4)])


def _near(v: Vectors, x: Any) -> Any:
    """Sixteen weights as the nearest bfloat16 numbers, of two as near the greater: `brief` takes two steps more."""
    words = v.b.add(v.b.bitcast(x, V32), v.ints(1 << 15))
    return v.b.trunc(v.b.lshr(words, v.ints(16)), ir.VectorType(I16, LANES))


def _weigh(v: Vectors, b: Any, scores: Any, width: Any, factor: Any, state: Any, out: Any) -> Any:
    (largest,), (total,) = v.variables(v.floats(NEVER), 1), v.variables(v.floats(0.0), 1)
    with v.loop(width, LANES) as at:
        b.store(v.larger(v.load(b.add(scores, b.mul(at, v.i64(4)))), b.load(largest)), largest)
    before, sum_before = v.load(state, F32), v.load(b.add(state, v.i64(4)), F32)
    most = v.maximum(b.load(largest))
    most = b.select(b.fcmp_ordered(">", most, before), most, before)
    base = b.select(b.fcmp_ordered(">", most, ir.Constant(F32, UNSEEN)), most, ir.Constant(F32, 0.0))
    size, less = v.splat(factor), v.splat(b.fneg(b.fmul(base, factor)))
    with v.loop(width, LANES) as at:
        weight = _power(v, v.fma(v.load(b.add(scores, b.mul(at, v.i64(4)))), size, less))
        b.store(b.fadd(b.load(total), weight), total)
        v.store(_near(v, weight), b.add(out, b.mul(at, v.i64(2))))
    kept = b.extract_element(_power(v, v.splat(b.fmul(b.fsub(before, most), factor))), ir.Constant(I32, 0))
    v.store(most, state)
    v.store(b.fadd(b.fmul(sum_before, kept), v.sum(b.load(total))), b.add(state, v.i64(4)))
    return kept


@intrinsic  # type: ignore[untyped-decorator]
def weigh(_: Any, scores: Any, width: Any, factor: Any, state: Any, out: Any) -> Any:
    """out = 2^(``factor`` (score - greatest so far)) in bfloat16, 0 where it is hidden. ``factor``: the scale by ln 2.

    ``state`` holds the greatest score so far and the sum of weights (two floats) and is brought up to date. Returns by what
    earlier weights and what they gathered must be multiplied.
    """
    code = _once("sotto_matrix_weigh", _weigh if HERE else lambda *_: ir.Constant(F32, 1.0))
    return types.float32(_AT, _AT, types.float32, _AT, _AT), code


def _put(v: Vectors, b: Any, source: Any, out: Any, count: Any, factor: Any) -> None:
    size = v.splat(factor)
    with v.loop(count, LANES) as at:
        x = b.fmul(v.load(b.add(source, b.mul(at, v.i64(4)))), size)
        v.store(brief(v, x), b.add(out, b.mul(at, v.i64(2))))


@intrinsic  # type: ignore[untyped-decorator]
def put(_: Any, source: Any, out: Any, count: Any, factor: Any) -> Any:
    """``count`` floats times ``factor`` as bfloat16."""
    return _AT(_AT, _AT, _AT, types.float32), _code("put", _put)
