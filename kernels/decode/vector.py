"""Sixteen-lane vectors in LLVM's IR: the alphabet that `tiles` is written in.

Knows llvmlite's builder. Does not know models. LLVM splits a vector of sixteen where the CPU has shorter registers, so one
text serves AVX-512, AVX2 and NEON; floats are never re-associated, so a result does not depend on the CPU's width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, config

LANES = 16
I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
V32, V8, VF = ir.VectorType(I32, LANES), ir.VectorType(I8, LANES), ir.VectorType(F32, LANES)
BYTES = ir.VectorType(I8, 4 * LANES)
HALF, VH = ir.HalfType(), ir.VectorType(ir.HalfType(), LANES)
LARGEST_HALF = 65504.0
# Cephes' expf: 2^n times a polynomial of degree 5 on [-ln 2 / 2, ln 2 / 2]; at most 2 units in the last place off.
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.44269504088896341, 0.693359375, -2.12194440e-4
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


def _has(feature: str) -> bool:
    """Whether code may use it: what numba was told of the target, or else what this CPU says."""
    if config.CPU_NAME:
        return f"+{feature}" in (config.CPU_FEATURES or "").split(",")
    return bool(binding.get_host_cpu_features().get(feature, False))


def _products() -> str:
    if _has("avx512vnni"):
        return "avx512"
    return "avx" if _has("avxvnni") else "plain"


if not (_has("f16c") or "aarch64" in binding.get_default_triple() or "arm64" in binding.get_default_triple()):
    raise ImportError("this CPU does not convert numbers of half precision")
PRODUCTS = _products()
"""How four byte products and their sum are made: one instruction on sixteen lanes, on eight, or several."""


class Vectors:
    """A builder with the few operations that the tiles need; addresses are 64-bit integers."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.b = builder

    def i64(self, value: int) -> ir.Constant:
        return ir.Constant(I64, value)

    def floats(self, value: float) -> ir.Constant:
        return ir.Constant(VF, [value] * LANES)

    def ints(self, value: int) -> ir.Constant:
        return ir.Constant(V32, [value] * LANES)

    def load(self, address: Any, kind: ir.Type = VF) -> Any:
        value = self.b.load(self.b.inttoptr(address, kind.as_pointer()))
        value.align = 1
        return value

    def store(self, value: Any, address: Any) -> None:
        self.b.store(value, self.b.inttoptr(address, value.type.as_pointer())).align = 1

    def load_halves(self, address: Any) -> Any:
        """Sixteen numbers of half precision as floats; exact."""
        return self.b.fpext(self.load(address, VH), VF)

    def store_halves(self, x: Any, address: Any) -> None:
        """Rounded to the nearest; what half precision cannot hold becomes the largest that it can."""
        x = self.b.select(self.b.fcmp_ordered("<", x, self.floats(LARGEST_HALF)), x, self.floats(LARGEST_HALF))
        x = self.larger(x, self.floats(-LARGEST_HALF))
        self.store(self.b.fptrunc(x, VH), address)

    def splat(self, scalar: Any) -> Any:
        """The scalar in every lane."""
        kind = ir.VectorType(scalar.type, LANES)
        first = self.b.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0))
        return self.b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), ir.Constant(V32, [0] * LANES))

    def call(self, name: str, *values: Any) -> Any:
        """An LLVM intrinsic whose result has the type of its last argument."""
        kind = ir.FunctionType(values[-1].type, [value.type for value in values])
        return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), values)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        return self.call("llvm.fma.v16f32", x, y, z)

    def larger(self, x: Any, y: Any) -> Any:
        return self.b.select(self.b.fcmp_ordered(">", x, y), x, y)

    def sum(self, vector: Any) -> Any:
        """All lanes, halves first: the same tree on every CPU."""
        return self._fold(vector, self.b.fadd)

    def maximum(self, vector: Any) -> Any:
        return self._fold(vector, self.larger)

    def _fold(self, vector: Any, join: Callable[[Any, Any], Any]) -> Any:
        width = LANES
        while width > 1:
            width //= 2
            kind = ir.VectorType(I32, width)
            low, high = (ir.Constant(kind, list(range(at, at + width))) for at in (0, width))
            nothing = ir.Constant(vector.type, ir.Undefined)
            vector = join(self.b.shuffle_vector(vector, nothing, low), self.b.shuffle_vector(vector, nothing, high))
        return self.b.extract_element(vector, ir.Constant(I32, 0))

    def exp(self, x: Any) -> Any:
        """e^x in each lane; below -87 it is the smallest normal number, above 88 the largest power."""
        b = self.b
        x = self.larger(x, self.floats(-87.0))
        x = b.select(b.fcmp_ordered("<", x, self.floats(88.0)), x, self.floats(88.0))
        whole = self.call("llvm.nearbyint.v16f32", b.fmul(x, self.floats(_LOG2E)))
        rest = self.fma(whole, self.floats(-_LN2_HIGH), x)
        rest = self.fma(whole, self.floats(-_LN2_LOW), rest)
        value = self.floats(_EXP[0])
        for factor in _EXP[1:]:
            value = self.fma(value, rest, self.floats(factor))
        value = self.fma(b.fmul(rest, rest), value, b.fadd(rest, self.floats(1.0)))
        power = b.shl(b.add(b.fptosi(whole, V32), self.ints(127)), self.ints(23))
        return b.fmul(value, b.bitcast(power, VF))

    def dot4(self, total: Any, bytes_: Any, weights: Any) -> Any:
        """total [16 x i32] + the products of four unsigned bytes (one i32, in every lane) with 4 signed ones a lane."""
        if PRODUCTS == "avx512":
            return self.call("llvm.x86.avx512.vpdpbusd.512", total, self.splat(bytes_), self.b.bitcast(weights, V32))
        if PRODUCTS == "avx":
            whole, nothing = self.b.bitcast(weights, V32), ir.Constant(V32, ir.Undefined)
            halves = [ir.Constant(ir.VectorType(I32, 8), list(range(at, at + 8))) for at in (0, 8)]
            parts = [
                self.call(
                    "llvm.x86.avx512.vpdpbusd.256",
                    *(self.b.shuffle_vector(each, nothing, half) for each in (total, self.splat(bytes_), whole)),
                )
                for half in halves
            ]
            return self.b.shuffle_vector(*parts, ir.Constant(V32, list(range(LANES))))
        for place in range(4):
            lanes = ir.Constant(V32, [4 * lane + place for lane in range(LANES)])
            signed = self.b.sext(self.b.shuffle_vector(weights, ir.Constant(BYTES, ir.Undefined), lanes), V32)
            byte = self.b.and_(self.b.lshr(bytes_, ir.Constant(I32, 8 * place)), ir.Constant(I32, 255))
            total = self.b.add(total, self.b.mul(signed, self.splat(byte)))
        return total

    @contextmanager
    def loop(self, stop: Any, step: int) -> Iterator[Any]:
        """0, step, 2 step, ... below ``stop``."""
        with cgutils.for_range_slice(self.b, self.i64(0), stop, self.i64(step)) as (index, _):
            yield index

    def variables(self, start: Any, count: int) -> Sequence[Any]:
        """Mutable vectors that LLVM keeps in registers."""
        made = [cgutils.alloca_once(self.b, start.type) for _ in range(count)]
        for one in made:
            self.b.store(start, one)
        return made
