"""The inner loops of attention over few query rows, as functions that numba code can call: addresses in, numbers out.

Knows sixteen-lane vectors (`kernels.decode.vector`) and two kinds of keys: float32, and bfloat16, which is the upper half of a
float32. A word of thirty-two bits holds two bfloat16 numbers: shifted left it is the even one, masked the odd one. So wherever
bfloat16 is widened, vectors hold the even numbers of thirty-two first and then the odd ones; queries and sums keep that order.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kernels.decode.tiles import _once
from kernels.decode.vector import F32, I16, I32, LANES, V8, V32, VF, Vectors

UNIT = 32
"""Numbers that are loaded together, as two vectors."""
NEVER = -1e30
"""Below every score; minus infinity would make NaN of a difference."""
_AT = types.intp
V16 = ir.VectorType(I16, LANES)


def _rounded(v: Vectors, x: Any) -> Any:
    """Floats as words whose upper halves are the nearest bfloat16 numbers, ties to even."""
    words = v.b.bitcast(x, V32)
    last = v.b.and_(v.b.lshr(words, v.ints(16)), v.ints(1))
    return v.b.add(words, v.b.add(last, v.ints(32767)))


def brief(v: Vectors, x: Any) -> Any:
    """Sixteen floats rounded to bfloat16, as words of sixteen bits. LLVM's own way wants a library where the CPU cannot."""
    return v.b.trunc(v.b.lshr(_rounded(v, x), v.ints(16)), V16)


def _pair(v: Vectors, address: Any, halves: bool) -> tuple[Any, Any]:
    """Thirty-two numbers at an address as two vectors of floats."""
    if not halves:
        return v.load(address), v.load(v.b.add(address, v.i64(4 * LANES)))
    words = v.load(address, V32)
    even, odd = v.b.shl(words, v.ints(16)), v.b.and_(words, v.ints(-65536))
    return v.b.bitcast(even, VF), v.b.bitcast(odd, VF)


def _bytes(halves: bool) -> int:
    return UNIT * (2 if halves else 4)


def _at(v: Vectors, base: Any, stride: Any, count: int) -> Any:
    return v.b.add(base, v.b.mul(stride, v.i64(count)))


def _ahead(v: Vectors, address: Any, halves: bool) -> None:
    """Ask for the lines of `UNIT` numbers that will be read next: they come while others are multiplied."""
    for line in range(_bytes(halves) // 64):
        _prefetch(v, v.b.add(address, v.i64(64 * line)))


def _prefetch(v: Vectors, address: Any) -> None:
    pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
    name = "llvm.prefetch.p0i8"
    function = v.b.module.globals.get(name) or ir.Function(v.b.module, kind, name)
    v.b.call(function, [v.b.inttoptr(address, pointer), *(ir.Constant(flag, each) for each in (0, 3, 1))])


def _four(v: Vectors, sums: list[Any]) -> Any:
    """The lanes of each of four vectors added up, as one vector of four: two rounds of pairs, then the quarters."""
    b = v.b

    def join(x: Any, y: Any, low: list[int], high: list[int]) -> Any:
        places = [
            ir.Constant(V32, [base % 16 + 4 * quarter + 16 * (base >= 16) for quarter in range(4) for base in each])
            for each in (low, high)
        ]
        return b.fadd(*(b.shuffle_vector(x, y, place) for place in places))

    pairs = [join(sums[i], sums[i + 1], [0, 16, 1, 17], [2, 18, 3, 19]) for i in (0, 2)]
    found, width = join(pairs[0], pairs[1], [0, 1, 16, 17], [2, 3, 18, 19]), LANES
    while width > 4:
        width //= 2
        kind = ir.VectorType(I32, width)
        parts = [ir.Constant(kind, list(range(at, at + width))) for at in (0, width)]
        found = b.fadd(*(b.shuffle_vector(found, ir.Constant(found.type, ir.Undefined), part) for part in parts))
    return found


def _scores(rows: int, keys: int, halves: bool) -> Any:
    """out[r, i] = query r times key i for ``rows`` rows and ``count`` keys, ``keys`` (4 or 1) at a time.

    (queries, their stride, keys, their stride, units of 32 numbers, count, out, its stride, ahead), strides in bytes;
    ``ahead`` is where as many rows begin that will be read next.
    """

    def write(
        v: Vectors, b: Any, q: Any, q_step: Any, k: Any, k_step: Any, units: Any, count: Any, out: Any, step: Any, ahead: Any
    ) -> None:
        sums = v.variables(v.floats(0.0), rows * keys)
        with v.loop(count, keys) as first:
            key = b.add(k, b.mul(first, k_step))
            for one in sums:
                b.store(v.floats(0.0), one)
            with v.loop(units, 1) as at:
                near, far = b.add(q, b.mul(at, v.i64(UNIT * 4))), b.add(key, b.mul(at, v.i64(_bytes(halves))))
                pairs = [_pair(v, _at(v, far, k_step, i), halves) for i in range(keys)]
                then = b.add(b.add(ahead, b.mul(first, k_step)), b.mul(at, v.i64(_bytes(halves))))
                for i in range(keys):
                    _ahead(v, _at(v, then, k_step, i), halves)
                for half in range(2):
                    for r in range(rows):
                        row = v.load(b.add(_at(v, near, q_step, r), v.i64(half * 4 * LANES)))
                        for i in range(keys):
                            mine = sums[r * keys + i]
                            b.store(v.fma(row, pairs[i][half], b.load(mine)), mine)
            place = b.add(out, b.mul(first, v.i64(4)))
            for r in range(rows):
                mine = [b.load(sums[r * keys + i]) for i in range(keys)]
                v.store(_four(v, mine) if keys == 4 else v.sum(mine[0]), _at(v, place, step, r))

    code = _once(f"sotto_scores_{rows}x{keys}{'h' * halves}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, q: Any, q_step: Any, k: Any, k_step: Any, units: Any, count: Any, out: Any, step: Any, ahead: Any) -> Any:
        return _AT(*[_AT] * 9), code

    return tile


def _gather(rows: int, units: int, halves: bool) -> Any:
    """out[r] += sum over i of weight[r, i] times value i, for ``rows`` rows and ``units`` times 32 columns.

    (weights, their stride, values, their stride, how many, out, its stride, ahead), as in `_scores`.
    """

    def write(
        v: Vectors, b: Any, w: Any, w_step: Any, x: Any, x_step: Any, count: Any, out: Any, step: Any, ahead: Any
    ) -> None:
        places = [[b.add(_at(v, out, step, r), v.i64(n * 4 * LANES)) for n in range(2 * units)] for r in range(rows)]
        sums = v.variables(v.floats(0.0), rows * units * 2)
        for r in range(rows):
            for n in range(2 * units):
                b.store(v.load(places[r][n]), sums[r * 2 * units + n])
        with v.loop(count, 1) as at:
            row = b.add(x, b.mul(at, x_step))
            then = b.add(ahead, b.mul(at, x_step))
            for u in range(units):
                _ahead(v, b.add(then, v.i64(u * _bytes(halves))), halves)
            loaded = [part for u in range(units) for part in _pair(v, b.add(row, v.i64(u * _bytes(halves))), halves)]
            for r in range(rows):
                one = v.splat(v.load(b.add(_at(v, w, w_step, r), b.mul(at, v.i64(4))), F32))
                for n in range(2 * units):
                    mine = sums[r * 2 * units + n]
                    b.store(v.fma(one, loaded[n], b.load(mine)), mine)
        for r in range(rows):
            for n in range(2 * units):
                v.store(b.load(sums[r * 2 * units + n]), places[r][n])

    code = _once(f"sotto_gather_{rows}x{units}{'h' * halves}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, w: Any, w_step: Any, x: Any, x_step: Any, count: Any, out: Any, step: Any, ahead: Any) -> Any:
        return _AT(*[_AT] * 8), code

    return tile


# Four keys or sixty-four columns beside six rows keep twenty-four sums in registers.
scores_6x4, scores_4x4, scores_2x4, scores_1x4 = (_scores(rows, 4, False) for rows in (6, 4, 2, 1))
scores_6x1, scores_4x1, scores_2x1, scores_1x1 = (_scores(rows, 1, False) for rows in (6, 4, 2, 1))
half_scores_6x4, half_scores_4x4, half_scores_2x4, half_scores_1x4 = (_scores(rows, 4, True) for rows in (6, 4, 2, 1))
half_scores_6x1, half_scores_4x1, half_scores_2x1, half_scores_1x1 = (_scores(rows, 1, True) for rows in (6, 4, 2, 1))
gather_6x2, gather_4x2, gather_2x2, gather_1x2 = (_gather(rows, 2, False) for rows in (6, 4, 2, 1))
gather_6x1, gather_4x1, gather_2x1, gather_1x1 = (_gather(rows, 1, False) for rows in (6, 4, 2, 1))
half_gather_6x2, half_gather_4x2, half_gather_2x2, half_gather_1x2 = (_gather(rows, 2, True) for rows in (6, 4, 2, 1))
half_gather_6x1, half_gather_4x1, half_gather_2x1, half_gather_1x1 = (_gather(rows, 1, True) for rows in (6, 4, 2, 1))


def _take(halves: bool) -> Any:
    """Floats at ``out`` = ``units`` times 32 numbers at ``source``, times ``factor``, in the order of `_pair`."""

    def write(v: Vectors, b: Any, source: Any, out: Any, units: Any, factor: Any) -> None:
        size = v.splat(factor)
        with v.loop(units, 1) as at:
            pair = _pair(v, b.add(source, b.mul(at, v.i64(_bytes(halves)))), halves)
            for half, part in enumerate(pair):
                v.store(b.fmul(part, size), b.add(out, b.add(b.mul(at, v.i64(UNIT * 4)), v.i64(half * 4 * LANES))))

    code = _once(f"sotto_take{'_halves' * halves}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def take(_: Any, source: Any, out: Any, units: Any, factor: Any) -> Any:
        return _AT(_AT, _AT, _AT, types.float32), code

    return take


def _give(halves: bool) -> Any:
    """The way back: numbers at ``out`` = floats in the order of `_pair` at ``source``, times ``factor``; rounded to even."""

    def write(v: Vectors, b: Any, source: Any, out: Any, units: Any, factor: Any) -> None:
        size = v.splat(factor)
        with v.loop(units, 1) as at:
            near = b.add(source, b.mul(at, v.i64(UNIT * 4)))
            low, high = (b.fmul(v.load(b.add(near, v.i64(half * 4 * LANES))), size) for half in range(2))
            place = b.add(out, b.mul(at, v.i64(_bytes(halves))))
            if halves:
                even, odd = b.lshr(_rounded(v, low), v.ints(16)), b.and_(_rounded(v, high), v.ints(-65536))
                v.store(b.or_(even, odd), place)
            else:
                v.store(low, place)
                v.store(high, b.add(place, v.i64(4 * LANES)))

    code = _once(f"sotto_give{'_halves' * halves}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def give(_: Any, source: Any, out: Any, units: Any, factor: Any) -> Any:
        return _AT(_AT, _AT, _AT, types.float32), code

    return give


take, half_take, give, half_give = _take(False), _take(True), _give(False), _give(True)


def _soften(v: Vectors, b: Any, scores: Any, low: Any, high: Any, width: Any, state: Any) -> Any:
    order = ir.Constant(V32, list(range(LANES)))
    (largest,), (total,) = v.variables(v.floats(NEVER), 1), v.variables(v.floats(0.0), 1)

    def seen(at: Any) -> Any:
        edges = (v.splat(b.trunc(b.sub(edge, at), I32)) for edge in (low, high))
        return b.and_(b.icmp_signed(">=", order, next(edges)), b.icmp_signed("<", order, next(edges)))

    with v.loop(width, LANES) as at:
        x = b.select(seen(at), v.load(b.add(scores, b.mul(at, v.i64(4)))), v.floats(NEVER))
        b.store(v.larger(x, b.load(largest)), largest)
    before, sum_before = v.load(state, F32), v.load(b.add(state, v.i64(4)), F32)
    most = v.maximum(b.load(largest))
    most = b.select(b.fcmp_ordered(">", most, before), most, before)
    highest = v.splat(most)
    with v.loop(width, LANES) as at:
        place = b.add(scores, b.mul(at, v.i64(4)))
        weight = b.select(seen(at), v.exp(b.fsub(v.load(place), highest)), v.floats(0.0))
        b.store(b.fadd(b.load(total), weight), total)
        v.store(weight, place)
    kept = b.extract_element(v.exp(v.splat(b.fsub(before, most))), ir.Constant(I32, 0))
    kept = b.select(b.fcmp_ordered("==", before, most), ir.Constant(F32, 1.0), kept)
    v.store(most, state)
    v.store(b.fadd(b.fmul(sum_before, kept), v.sum(b.load(total))), b.add(state, v.i64(4)))
    return kept


@intrinsic  # type: ignore[untyped-decorator]
def soften(_: Any, scores: Any, low: Any, high: Any, width: Any, state: Any) -> Any:
    """Scores from ``low`` to ``high`` of ``width`` become weights e^(score - greatest so far), the others 0, NaN as well.

    ``state`` holds the greatest score so far and the sum of weights (two floats) and is brought up to date. Returns by what
    earlier weights and what they gathered must be multiplied.
    """
    return types.float32(*[_AT] * 5), _once("sotto_soften", _soften)


def _blend(v: Vectors, b: Any, out: Any, kept: Any, source: Any, factor: Any, count: Any) -> None:
    one, other = v.splat(kept), v.splat(factor)
    with v.loop(count, LANES) as at:
        place = b.add(out, b.mul(at, v.i64(4)))
        more = b.fmul(v.load(b.add(source, b.mul(at, v.i64(4)))), other)
        v.store(v.fma(v.load(place), one, more), place)


@intrinsic  # type: ignore[untyped-decorator]
def blend(_: Any, out: Any, kept: Any, source: Any, factor: Any, count: Any) -> Any:
    """out = out times ``kept`` + source times ``factor``, ``count`` floats."""
    return _AT(_AT, types.float32, _AT, types.float32, _AT), _once("sotto_blend", _blend)


def _scale(v: Vectors, b: Any, out: Any, factor: Any, count: Any) -> None:
    size = v.splat(factor)
    with v.loop(count, LANES) as at:
        place = b.add(out, b.mul(at, v.i64(4)))
        v.store(b.fmul(v.load(place), size), place)


@intrinsic  # type: ignore[untyped-decorator]
def scale(_: Any, out: Any, factor: Any, count: Any) -> Any:
    """out times ``factor``, ``count`` floats."""
    return _AT(_AT, types.float32, _AT), _once("sotto_scale", _scale)


def _clear(v: Vectors, b: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        v.store(v.floats(0.0), b.add(out, b.mul(at, v.i64(4))))


@intrinsic  # type: ignore[untyped-decorator]
def clear(_: Any, out: Any, count: Any) -> Any:
    """``count`` floats become 0."""
    return _AT(_AT, _AT), _once("sotto_clear", _clear)


def _copy_row(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> None:
    with v.loop(count, 4 * LANES) as at:
        v.store(v.load(b.add(source, at)), b.add(out, at))


@intrinsic  # type: ignore[untyped-decorator]
def copy_row(_: Any, source: Any, out: Any, count: Any) -> Any:
    """``count`` bytes, a multiple of 64."""
    return _AT(_AT, _AT, _AT), _once("sotto_copy_row", _copy_row)


def _widen(bits: int, halves: bool) -> Any:
    """``units`` times 32 levels at ``source`` as numbers at ``out``, times the sizes that stand at ``size``.

    int8: one size a row. Packed int4: a byte holds dim j below and dim j + D / 2 above, and each 32 dims have a size.
    """
    element = 2 if halves else 4

    def put(v: Vectors, x: Any, out: Any, place: Any) -> None:
        v.store(brief(v, x) if halves else x, v.b.add(out, v.b.mul(place, v.i64(element))))

    def bytes_(v: Vectors, b: Any, source: Any, size: Any, out: Any, units: Any) -> None:
        factor = v.splat(v.load(size, F32))
        with v.loop(b.mul(units, v.i64(UNIT)), LANES) as at:
            levels = b.sext(v.load(b.add(source, at), V8), V32)
            put(v, b.fmul(b.sitofp(levels, VF), factor), out, at)

    def nibbles(v: Vectors, b: Any, source: Any, size: Any, out: Any, units: Any) -> None:
        half = b.mul(units, v.i64(UNIT // 2))
        with v.loop(half, LANES) as at:
            both = b.zext(v.load(b.add(source, at), V8), V32)
            for levels, place in ((b.and_(both, v.ints(15)), at), (b.lshr(both, v.ints(4)), b.add(at, half))):
                group = b.mul(b.lshr(place, v.i64(5)), v.i64(4))
                factor = v.splat(v.load(b.add(size, group), F32))
                put(v, b.fmul(b.sitofp(b.sub(levels, v.ints(8)), VF), factor), out, place)

    code = _once(f"sotto_widen_{bits}{'h' * halves}", bytes_ if bits == 8 else nibbles)

    @intrinsic  # type: ignore[untyped-decorator]
    def widen(_: Any, source: Any, size: Any, out: Any, units: Any) -> Any:
        return _AT(_AT, _AT, _AT, _AT), code

    return widen


widen_bytes, widen_nibbles, half_widen_bytes, half_widen_nibbles = (_widen(b, h) for h in (False, True) for b in (8, 4))
