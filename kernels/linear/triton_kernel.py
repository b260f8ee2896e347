"""Linear attention and gated scans in Triton: one program walks a head's chunks with the state in registers.

Written in what Triton 3.6 to 3.9 share: plain pointers, no block pointers. The interpreter cannot multiply bfloat16, so
operands are widened to WIDE first. PRECISION is that of float32 products on tensor cores: "tf32" holds half precision's digits,
"tf32x3" nearly all of float32's. Contracts: `kernels.linear.gpu`.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["T"])  # a length that grows by one must not compile anew
def linear_kernel(
    q, k, v, decay, state, out, last, T, D: tl.constexpr, E: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, C: tl.constexpr, PER_STEP: tl.constexpr, WIDE: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    head = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BE + tl.arange(0, BE)
    size, rows = tl.arange(0, BD), tl.arange(0, C)
    inside, wanted = size < D, columns < E
    at = head * D * E + size[:, None] * E + columns[None, :]
    held = tl.load(state + at, mask=inside[:, None] & wanted[None, :], other=0.0).to(WIDE)
    for start in range(0, T, C):
        steps = start + rows
        there = steps < T
        flat = head * T + steps
        queries = tl.load(q + flat[:, None] * D + size[None, :], mask=there[:, None] & inside[None, :], other=0.0).to(WIDE)
        keys = tl.load(k + flat[:, None] * D + size[None, :], mask=there[:, None] & inside[None, :], other=0.0).to(WIDE)
        values = tl.load(v + flat[:, None] * E + columns[None, :], mask=there[:, None] & wanted[None, :], other=0.0).to(WIDE)
        if PER_STEP:
            gates = tl.load(decay + flat, mask=there, other=0.0).to(WIDE)
        else:
            gates = tl.where(there, tl.load(decay + head).to(WIDE), 0.0)
        total = tl.cumsum(gates, axis=0)
        whole = tl.sum(gates, axis=0)
        square = rows[:, None] >= rows[None, :]
        between = tl.exp(tl.where(square, total[:, None] - total[None, :], 0.0))
        alike = tl.dot(queries, tl.trans(keys), input_precision=PRECISION, out_dtype=WIDE)
        scores = tl.where(square, alike * between, 0.0)
        before = tl.dot(queries, held, input_precision=PRECISION, out_dtype=WIDE)
        found = tl.dot(scores, values, input_precision=PRECISION, out_dtype=WIDE) + tl.exp(total)[:, None] * before
        tl.store(out + flat[:, None] * E + columns[None, :], found, mask=there[:, None] & wanted[None, :])
        left = tl.where(there, tl.exp(whole - total), 0.0)
        fresh = tl.dot(tl.trans(keys * left[:, None]), values, input_precision=PRECISION, out_dtype=WIDE)
        held = tl.exp(whole) * held + fresh
    tl.store(last + at, held, mask=inside[:, None] & wanted[None, :])


@triton.jit
def _compose(a, x, b, y):
    """First h -> a h + x, then h -> b h + y."""
    return a * b, b * x + y


@triton.jit
def times(ar, ai, br, bi):
    """A product of complex numbers, each in two parts."""
    return ar * br - ai * bi, ar * bi + ai * br


@triton.jit
def compose_complex(ar, ai, xr, xi, br, bi, yr, yi):
    """`_compose` of complex numbers."""
    cr, ci = times(ar, ai, br, bi)
    zr, zi = times(br, bi, xr, xi)
    return cr, ci, zr + yr, zi + yi


@triton.jit(do_not_specialize=["T"])
def scan_kernel(
    x, decay, state, out, T, C: tl.constexpr, BC: tl.constexpr, L: tl.constexpr, COMPLEX: tl.constexpr, WIDE: tl.constexpr
):  # fmt: skip
    """A complex number is two numbers in memory, the second of them its imaginary part."""
    parts: tl.constexpr = 2 if COMPLEX else 1
    head = tl.program_id(0).to(tl.int64)
    columns, rows = tl.program_id(1) * BC + tl.arange(0, BC), tl.arange(0, L)
    wanted = columns < C
    begin = state + (head * C + columns) * parts
    held = tl.load(begin, mask=wanted, other=0.0).to(WIDE)
    turned = tl.load(begin + 1, mask=wanted, other=0.0).to(WIDE) if COMPLEX else held
    for start in range(0, T, L):
        steps = start + rows
        mask = (steps < T)[:, None] & wanted[None, :]
        at = ((head * T + steps)[:, None] * C + columns[None, :]) * parts
        gates = tl.load(decay + at, mask=mask, other=1.0).to(WIDE)
        values = tl.load(x + at, mask=mask, other=0.0).to(WIDE)
        if COMPLEX:
            angles = tl.load(decay + at + 1, mask=mask, other=0.0).to(WIDE)
            others = tl.load(x + at + 1, mask=mask, other=0.0).to(WIDE)
            through, across, local, sides = tl.associative_scan((gates, angles, values, others), 0, compose_complex)
            found, aside = times(through, across, held[None, :], turned[None, :])
            tl.store(out + at + 1, aside + sides, mask=mask)
            turned = tl.sum(tl.where((rows == L - 1)[:, None], aside + sides, 0.0), axis=0)
        else:
            through, local = tl.associative_scan((gates, values), 0, _compose)
            found = through * held[None, :]
        tl.store(out + at, found + local, mask=mask)
        held = tl.sum(tl.where((rows == L - 1)[:, None], found + local, 0.0), axis=0)
