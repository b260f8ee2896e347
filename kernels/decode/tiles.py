"""The inner loops of a decode step, each a few instructions a lane, as functions that numba code can call.

Addresses in, numbers in memory out. Nothing here knows a layer; `step` does, and `reference` says in numpy what each means.

Weights are packed for `dots_*` as [n / 16][k / 4][16][4] int8: one vector load brings four inputs of sixteen outputs, and four
bytes of an activation meet them in one VNNI instruction. Integer sums are exact, and every float sum has one order whatever
the number of rows: verifying eight tokens gives bit for bit what eight single steps give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kernels.decode.vector import BYTES, F32, I8, I16, I32, I64, LANES, V8, V32, VF, Vectors

ROW = 4 * LANES
"""Bytes of one vector of floats, and of one load of packed weights."""
_AT = types.intp


def _once(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
    """numba's code generator for a call of the LLVM function ``name``, which ``write`` fills in when a module first needs it.

    Not inlined: fifteen tiles at twenty places took LLVM 21 s to compile, once each they take a fifth of that.
    """

    def generate(_context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        function = builder.module.globals.get(name)
        if function is None:
            result = F32 if signature.return_type == types.float32 else I64
            kind = ir.FunctionType(result, [argument.type for argument in arguments])
            function = ir.Function(builder.module, kind, name)
            function.linkage = "internal"
            function.attributes.add("noinline")
            inner = ir.IRBuilder(function.append_basic_block("entry"))
            value = write(Vectors(inner), inner, *function.args)
            inner.ret(ir.Constant(I64, 0) if value is None else value)
        return builder.call(function, arguments)

    return generate


def _dots(rows: int, vectors: int) -> Any:
    """The kernel of a product: ``rows`` activation rows by 16 ``vectors`` outputs.

    (weights, bytes, their stride, k / 4, corrections, weight scales, row scales, out, its stride): out[r, i] =
    float(sum_k x[r, k] w[i, k] - correction[i]) * weight scale[i] * row scale[r]; x are bytes with 128 added, and the
    correction takes that away. Strides in bytes.
    """

    def write(
        v: Vectors, b: Any, w: Any, x: Any, stride: Any, quads: Any, takes: Any, factors: Any, sizes: Any, *out: Any
    ) -> None:
        sums = v.variables(v.ints(0), rows * vectors)
        block = b.mul(quads, v.i64(ROW))
        with v.loop(quads, 1) as at:
            base = b.add(w, b.mul(at, v.i64(ROW)))
            weights = [v.load(b.add(base, b.mul(block, v.i64(n))), BYTES) for n in range(vectors)]
            for r in range(rows):
                four = v.load(b.add(b.add(x, b.mul(stride, v.i64(r))), b.mul(at, v.i64(4))), I32)
                for n in range(vectors):
                    mine = sums[r * vectors + n]
                    b.store(v.dot4(b.load(mine), four, weights[n]), mine)
        for n in range(vectors):
            take, factor = v.load(b.add(takes, v.i64(n * ROW)), V32), v.load(b.add(factors, v.i64(n * ROW)))
            for r in range(rows):
                exact = b.sitofp(b.sub(b.load(sums[r * vectors + n]), take), VF)
                size = v.splat(v.load(b.add(sizes, v.i64(4 * r)), F32))
                v.store(b.fmul(b.fmul(exact, factor), size), _place(v, r, n, *out))

    code = _once(f"sotto_dots_{rows}x{vectors}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, w: Any, x: Any, stride: Any, quads: Any, takes: Any, factors: Any, sizes: Any, out: Any, step: Any) -> Any:
        return _AT(*[_AT] * 9), code

    return tile


def _sums(rows: int, vectors: int, halves: bool = False) -> Any:
    """out[r, 16 i + lane] = start[r, 16 i + lane] + sum_k a[r, k] b[k, 16 i + lane] in order of k: attention's two products.

    (a, its stride, b, its stride, k, start, its stride, out, its stride), strides in bytes; ``b`` may be of half precision.
    """

    def write(v: Vectors, b: Any, *given: Any) -> None:
        left, left_stride, right, right_stride, count, start, start_stride, *out = given
        sums = v.variables(v.floats(0.0), rows * vectors)
        for r in range(rows):
            for n in range(vectors):
                b.store(v.load(_place(v, r, n, start, start_stride)), sums[r * vectors + n])
        with v.loop(count, 1) as at:
            base = b.add(right, b.mul(right_stride, at))
            loaded = [
                v.load_halves(b.add(base, v.i64(n * ROW // 2))) if halves else v.load(b.add(base, v.i64(n * ROW)))
                for n in range(vectors)
            ]
            for r in range(rows):
                one = v.splat(v.load(b.add(b.add(left, b.mul(left_stride, v.i64(r))), b.mul(at, v.i64(4))), F32))
                for n in range(vectors):
                    mine = sums[r * vectors + n]
                    b.store(v.fma(one, loaded[n], b.load(mine)), mine)
        for r in range(rows):
            for n in range(vectors):
                v.store(b.load(sums[r * vectors + n]), _place(v, r, n, *out))

    code = _once(f"sotto_sums_{rows}x{vectors}{'h' * halves}", write)

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, left: Any, ls: Any, right: Any, rs: Any, count: Any, start: Any, ss: Any, out: Any, step: Any) -> Any:
        return _AT(*[_AT] * 9), code

    return tile


def _place(v: Vectors, row: int, vector: int, out: Any, stride: Any) -> Any:
    return v.b.add(v.b.add(out, v.b.mul(stride, v.i64(row))), v.i64(vector * ROW))


# Sixteen accumulators or more hide the latency of a multiply-add; more than twenty-four would spill the thirty-two registers.
dots_1x8, dots_1x4, dots_1x1 = _dots(1, 8), _dots(1, 4), _dots(1, 1)
dots_2x4, dots_2x1 = _dots(2, 4), _dots(2, 1)
dots_4x4, dots_4x1 = _dots(4, 4), _dots(4, 1)
dots_6x4, dots_6x1 = _dots(6, 4), _dots(6, 1)
dots_1x2 = _dots(1, 2)
sums_1x4, sums_2x4, sums_3x4, sums_4x4, sums_6x4 = (_sums(rows, 4) for rows in (1, 2, 3, 4, 6))
sums_1x2, sums_2x2, sums_3x2, sums_4x2, sums_6x2 = (_sums(rows, 2) for rows in (1, 2, 3, 4, 6))
halves_1x4, halves_2x4, halves_3x4, halves_4x4, halves_6x4 = (_sums(rows, 4, halves=True) for rows in (1, 2, 3, 4, 6))
halves_1x2, halves_2x2, halves_3x2, halves_4x2, halves_6x2 = (_sums(rows, 2, halves=True) for rows in (1, 2, 3, 4, 6))
sums_1x1, halves_1x1 = _sums(1, 1), _sums(1, 1, halves=True)


def _widen(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        v.store(v.load_halves(b.add(source, b.mul(at, v.i64(2)))), b.add(out, b.mul(at, v.i64(4))))


def _narrow(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        v.store_halves(v.load(b.add(source, b.mul(at, v.i64(4)))), b.add(out, b.mul(at, v.i64(2))))


def _add(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        place = b.add(out, b.mul(at, v.i64(4)))
        v.store(b.fadd(v.load(place), v.load(b.add(source, b.mul(at, v.i64(4))))), place)


def _copy(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        place = b.mul(at, v.i64(4))
        v.store(v.load(b.add(source, place)), b.add(out, place))


def _scatter(v: Vectors, b: Any, source: Any, out: Any, count: Any, stride: Any) -> None:
    with v.loop(count, 1) as at:
        one = v.load(b.add(source, b.mul(at, v.i64(2))), I16)
        v.store(one, b.add(out, b.mul(at, stride)))


def _turn(v: Vectors, b: Any, source: Any, cos: Any, sin: Any, out: Any, half: Any, size: Any) -> None:
    def turned(place: Any, kind: Any, factor: Any) -> None:
        far = b.mul(half, v.i64(4))
        low, high = (v.load(b.add(source, at), kind) for at in (place, b.add(place, far)))
        c, s = (v.load(b.add(table, place), kind) for table in (cos, sin))
        v.store(b.fmul(b.fsub(b.fmul(low, c), b.fmul(high, s)), factor), b.add(out, place))
        v.store(b.fmul(b.fadd(b.fmul(high, c), b.fmul(low, s)), factor), b.add(b.add(out, place), far))

    whole = b.and_(half, v.i64(-LANES))
    with v.loop(whole, LANES) as at:
        turned(b.mul(at, v.i64(4)), VF, v.splat(size))
    with v.loop(b.sub(half, whole), 1) as at:
        turned(b.mul(b.add(at, whole), v.i64(4)), F32, size)


def _spread(v: Vectors, b: Any, source: Any, out: Any, quads: Any, size: Any) -> None:
    four = ir.VectorType(F32, 4)
    factor = ir.Constant(four, ir.Undefined)
    for lane in range(4):
        factor = b.insert_element(factor, size, ir.Constant(I32, lane))
    with v.loop(quads, 1) as at:
        levels = v.load(b.add(source, b.mul(at, v.i64(ROW))), ir.VectorType(I8, 4))
        v.store(b.fmul(b.sitofp(levels, four), factor), b.add(out, b.mul(at, v.i64(16))))


def _quantize(v: Vectors, b: Any, source: Any, out: Any, count: Any) -> Any:
    (largest,) = v.variables(v.floats(0.0), 1)
    with v.loop(count, LANES) as at:
        x = v.load(b.add(source, b.mul(at, v.i64(4))))
        b.store(v.larger(v.call("llvm.fabs.v16f32", x), b.load(largest)), largest)
    most = v.maximum(b.load(largest))
    empty = b.fcmp_ordered("<", most, ir.Constant(F32, 1e-30))
    factor = v.splat(b.select(empty, ir.Constant(F32, 0.0), b.fdiv(ir.Constant(F32, 127.0), most)))
    with v.loop(count, LANES) as at:
        x = v.load(b.add(source, b.mul(at, v.i64(4))))
        whole = b.fptosi(v.call("llvm.nearbyint.v16f32", b.fmul(x, factor)), V32)
        v.store(b.trunc(b.add(whole, v.ints(128)), V8), b.add(out, at))
    return b.fdiv(most, ir.Constant(F32, 127.0))


def _rms_norm(v: Vectors, b: Any, source: Any, weight: Any, out: Any, count: Any, eps: Any) -> None:
    (squares,) = v.variables(v.floats(0.0), 1)
    with v.loop(count, LANES) as at:
        x = v.load(b.add(source, b.mul(at, v.i64(4))))
        b.store(v.fma(x, x, b.load(squares)), squares)
    mean = b.fdiv(v.sum(b.load(squares)), b.sitofp(count, F32))
    factor = v.splat(b.fdiv(ir.Constant(F32, 1.0), v.call("llvm.sqrt.f32", b.fadd(mean, eps))))
    with v.loop(count, LANES) as at:
        place = b.mul(at, v.i64(4))
        x, w = v.load(b.add(source, place)), v.load(b.add(weight, place))
        v.store(b.fmul(b.fmul(x, factor), w), b.add(out, place))


def _silu_times(v: Vectors, b: Any, gate: Any, up: Any, out: Any, count: Any) -> None:
    with v.loop(count, LANES) as at:
        place = b.mul(at, v.i64(4))
        g, u = v.load(b.add(gate, place)), v.load(b.add(up, place))
        sigmoid = b.fdiv(g, b.fadd(v.floats(1.0), v.exp(b.fsub(v.floats(0.0), g))))
        v.store(b.fmul(sigmoid, u), b.add(out, place))


def _softmax(v: Vectors, b: Any, scores: Any, seen: Any, width: Any) -> Any:
    order = ir.Constant(V32, list(range(LANES)))
    largest, total = v.variables(v.floats(-1e30), 1)[0], v.variables(v.floats(0.0), 1)[0]

    def visible(at: Any) -> Any:
        return b.icmp_signed("<", order, v.splat(b.trunc(b.sub(seen, at), I32)))

    with v.loop(width, LANES) as at:
        x = v.load(b.add(scores, b.mul(at, v.i64(4))))
        b.store(v.larger(b.select(visible(at), x, v.floats(-1e30)), b.load(largest)), largest)
    most = v.splat(v.maximum(b.load(largest)))
    with v.loop(width, LANES) as at:
        place = b.add(scores, b.mul(at, v.i64(4)))
        share = b.select(visible(at), v.exp(b.fsub(v.load(place), most)), v.floats(0.0))
        b.store(b.fadd(b.load(total), share), total)
        v.store(share, place)
    factor = v.splat(b.fdiv(ir.Constant(F32, 1.0), v.sum(b.load(total))))
    with v.loop(width, LANES) as at:
        place = b.add(scores, b.mul(at, v.i64(4)))
        v.store(b.fmul(v.load(place), factor), place)
    return None


def _largest(v: Vectors, b: Any, source: Any, beside: Any, count: Any) -> Any:
    order = ir.Constant(V32, list(range(LANES)))
    (best,), (where,) = v.variables(v.floats(-math.inf), 1), v.variables(v.ints(0), 1)
    with v.loop(count, LANES) as at:
        place = b.mul(at, v.i64(4))
        x = b.fadd(v.load(b.add(source, place)), v.load(b.add(beside, place)))
        more = b.fcmp_ordered(">", x, b.load(best))
        b.store(b.select(more, x, b.load(best)), best)
        b.store(b.select(more, b.add(order, v.splat(b.trunc(at, I32))), b.load(where)), where)
    lanes, places = b.load(best), b.load(where)
    top, found = (b.extract_element(each, ir.Constant(I32, 0)) for each in (lanes, places))
    for lane in range(1, LANES):
        x, place = (b.extract_element(each, ir.Constant(I32, lane)) for each in (lanes, places))
        first = b.and_(b.fcmp_ordered("==", x, top), b.icmp_signed("<", place, found))
        better = b.or_(b.fcmp_ordered(">", x, top), first)
        top, found = b.select(better, x, top), b.select(better, place, found)
    return b.sext(found, I64)


def _powers(v: Vectors, b: Any, source: Any, beside: Any, count: Any, most: Any) -> Any:
    (total,) = v.variables(v.floats(0.0), 1)
    with v.loop(count, LANES) as at:
        place = b.mul(at, v.i64(4))
        x = b.fadd(v.load(b.add(source, place)), v.load(b.add(beside, place)))
        b.store(b.fadd(b.load(total), v.exp(b.fsub(x, v.splat(most)))), total)
    return v.sum(b.load(total))


@intrinsic  # type: ignore[untyped-decorator]
def largest(_: Any, source: Any, beside: Any, count: Any) -> Any:
    """The first place of the largest sum of two rows of ``count`` floats, a multiple of sixteen."""
    return _AT(_AT, _AT, _AT), _once("sotto_largest", _largest)


@intrinsic  # type: ignore[untyped-decorator]
def powers(_: Any, source: Any, beside: Any, count: Any, most: Any) -> Any:
    """The sum of e^(source + beside - most) over ``count`` floats, a multiple of sixteen; no term is less than e^-87."""
    return types.float32(_AT, _AT, _AT, types.float32), _once("sotto_powers", _powers)


@intrinsic  # type: ignore[untyped-decorator]
def quantize(_: Any, source: Any, out: Any, count: Any) -> Any:
    """Floats at ``source`` to bytes at ``out``: round(x / scale) + 128 with scale = max |x| / 127, which is returned."""
    return types.float32(_AT, _AT, _AT), _once("sotto_quantize", _quantize)


@intrinsic  # type: ignore[untyped-decorator]
def widen(_: Any, source: Any, out: Any, count: Any) -> Any:
    """``count`` numbers of half precision at ``source`` as floats at ``out``."""
    return _AT(_AT, _AT, _AT), _once("sotto_widen", _widen)


@intrinsic  # type: ignore[untyped-decorator]
def narrow(_: Any, source: Any, out: Any, count: Any) -> Any:
    """``count`` floats at ``source`` in half precision at ``out``."""
    return _AT(_AT, _AT, _AT), _once("sotto_narrow", _narrow)


@intrinsic  # type: ignore[untyped-decorator]
def add(_: Any, source: Any, out: Any, count: Any) -> Any:
    """out += source, ``count`` floats."""
    return _AT(_AT, _AT, _AT), _once("sotto_add", _add)


@intrinsic  # type: ignore[untyped-decorator]
def copy(_: Any, source: Any, out: Any, count: Any) -> Any:
    """out = source, ``count`` floats."""
    return _AT(_AT, _AT, _AT), _once("sotto_copy", _copy)


@intrinsic  # type: ignore[untyped-decorator]
def scatter(_: Any, source: Any, out: Any, count: Any, stride: Any) -> Any:
    """``count`` halves at ``source``, each ``stride`` bytes behind the one before."""
    return _AT(_AT, _AT, _AT, _AT), _once("sotto_scatter", _scatter)


@intrinsic  # type: ignore[untyped-decorator]
def turn(_: Any, source: Any, cos: Any, sin: Any, out: Any, half: Any, size: Any) -> Any:
    """Turn each pair (i, i + half) of one head by its angle (arXiv 2104.09864, in Llama's layout), and scale it."""
    return _AT(_AT, _AT, _AT, _AT, _AT, types.float32), _once("sotto_turn", _turn)


@intrinsic  # type: ignore[untyped-decorator]
def spread(_: Any, source: Any, out: Any, quads: Any, size: Any) -> Any:
    """out [4 quads] = one row of a packed matrix (see the top) as floats."""
    return _AT(_AT, _AT, _AT, types.float32), _once("sotto_spread", _spread)


@intrinsic  # type: ignore[untyped-decorator]
def rms_norm(_: Any, source: Any, weight: Any, out: Any, count: Any, eps: Any) -> Any:
    """out = x / sqrt(mean(x^2) + eps) * weight over ``count`` floats (arXiv 1910.07467). ``out`` may be ``source``."""
    return _AT(_AT, _AT, _AT, _AT, types.float32), _once("sotto_rms_norm", _rms_norm)


@intrinsic  # type: ignore[untyped-decorator]
def silu_times(_: Any, gate: Any, up: Any, out: Any, count: Any) -> Any:
    """out = gate / (1 + e^-gate) * up over ``count`` floats. ``out`` may be either."""
    return _AT(_AT, _AT, _AT, _AT), _once("sotto_silu_times", _silu_times)


@intrinsic  # type: ignore[untyped-decorator]
def softmax(_: Any, scores: Any, seen: Any, width: Any) -> Any:
    """Softmax in place of the first ``seen`` of ``width`` scores; the others become zero, whatever they were, NaN as well."""
    return _AT(_AT, _AT, _AT), _once("sotto_softmax", _softmax)
