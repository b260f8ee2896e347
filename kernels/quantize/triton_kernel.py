"""The Triton kernels of `kernels.quantize.gpu`: to levels, back to values, and the weight-only product.

Only what Triton 3.6 to 3.9 share. Levels are widened in registers.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def quantise_kernel(
    x_ptr, level_ptr, size_ptr, D: tl.constexpr, BD: tl.constexpr, SPAN: tl.constexpr, MOST: tl.constexpr, FOUR: tl.constexpr
):  # fmt: skip
    """One program a row; int4 works on the row's two halves at once, since a byte holds one dim of each."""
    row = tl.program_id(0).to(tl.int64)
    dims = tl.arange(0, BD)
    width = D // 2 if FOUR else D
    for half in tl.static_range(0, 2 if FOUR else 1):
        x = tl.load(x_ptr + row * D + half * width + dims, mask=dims < width, other=0.0).to(tl.float32)
        if FOUR:
            groups = tl.reshape(tl.abs(x), [BD // SPAN, SPAN])
            size = tl.max(groups, 1) / MOST
            group = tl.arange(0, BD // SPAN)
            tl.store(size_ptr + row * (D // SPAN) + half * (width // SPAN) + group, size, mask=group < width // SPAN)
            each = tl.reshape(tl.broadcast_to(size[:, None], [BD // SPAN, SPAN]), [BD])
        else:
            each = tl.max(tl.abs(x), 0) / MOST + x * 0.0
            tl.store(size_ptr + row + dims, each, mask=dims < 1)
        scaled = x / tl.where(each > 0, each, 1.0)
        near = tl.floor(scaled + 0.5)  # halves go to the even level, as torch rounds
        near = tl.where((near - scaled == 0.5) & (near - 2.0 * tl.floor(near / 2.0) == 1.0), near - 1.0, near)
        if FOUR:
            nibble = (near + 8.0).to(tl.int32)
            if half == 0:
                low = nibble
            else:
                tl.store(level_ptr + row * width + dims, (low | (nibble << 4)).to(tl.uint8), mask=dims < width)
        else:
            tl.store(level_ptr + row * width + dims, near.to(tl.int8), mask=dims < width)


@triton.jit
def widen_kernel(
    level_ptr, size_ptr, x_ptr, l_h, l_n, s_h, s_n, x_h, D: tl.constexpr, BD: tl.constexpr, SPAN: tl.constexpr,
    FOUR: tl.constexpr,
):  # fmt: skip
    head, row = tl.program_id(1).to(tl.int64), tl.program_id(0).to(tl.int64)
    dims = tl.arange(0, BD)
    if FOUR:
        byte = tl.load(level_ptr + head * l_h + row * l_n + dims % (D // 2), mask=dims < D, other=0).to(tl.int32)
        level = tl.where(dims < D // 2, byte & 15, byte >> 4) - 8
    else:
        level = tl.load(level_ptr + head * l_h + row * l_n + dims, mask=dims < D, other=0).to(tl.int32)
    size = tl.load(size_ptr + head * s_h + row * s_n + dims // SPAN, mask=dims < D, other=0.0)
    tl.store(x_ptr + head * x_h + row * D + dims, (level.to(tl.float32) * size).to(x_ptr.dtype.element_ty), mask=dims < D)


@triton.jit(do_not_specialize=["rows"])
def linear_kernel(
    x_ptr, level_ptr, size_ptr, out_ptr, x_t, w_n, o_t, tokens, rows,
    K: tl.constexpr, BT: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, UP: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """A program holds BN weight rows and all (at most BT) tokens; levels are widened in registers."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    token = tl.program_id(1) * BT + tl.arange(0, BT)
    ks = tl.arange(0, BK)
    acc = tl.zeros([BT, BN], dtype=ACC)
    for k in range(0, K, BK):
        inside = (k + ks) < K
        x = tl.load(
            x_ptr + token[:, None] * x_t + (k + ks)[None, :], mask=(token < tokens)[:, None] & inside[None, :], other=0.0
        )
        at = level_ptr + row.to(tl.int64)[:, None] * w_n + (k + ks)[None, :]
        w = tl.load(at, mask=(row < rows)[:, None] & inside[None, :], other=0)
        acc += tl.dot(x.to(UP), tl.trans(w.to(UP)), input_precision="tf32x3", out_dtype=ACC)
    acc *= tl.load(size_ptr + row, mask=row < rows, other=0.0).to(ACC)[None, :]
    place = out_ptr + token[:, None] * o_t + row[None, :]
    tl.store(place, acc.to(out_ptr.dtype.element_ty), mask=(token < tokens)[:, None] & (row < rows)[None, :])
