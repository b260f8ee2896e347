"""The Triton kernels of `kernels.select.gpu`: block scores and soft votes, the descent, the choice.

Only what Triton 3.6 to 3.9 share. A program scores one tile of keys for one query row's group of heads.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["columns"])
def score_kernel(
    q_ptr, k_ptr, low_ptr, high_ptr, lse_ptr, out_ptr, q_s, q_h, k_h, k_n, l_s, o_s, o_h, columns, scale,
    GROUP: tl.constexpr, GP: tl.constexpr, D: tl.constexpr, BD: tl.constexpr, BN: tl.constexpr, BOX: tl.constexpr,
    MODE: tl.constexpr, UP: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """MODE 0: greatest product of the group; 1: each head's log of the sum of exponentials over this tile; 2: sum of votes."""
    row, head, tile = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64), tl.program_id(2)
    members, dims = tl.arange(0, GP), tl.arange(0, BD)
    column = tile * BN + tl.arange(0, BN)
    inside = column < columns
    allowed = inside & (column >= tl.load(low_ptr + row)) & (column < tl.load(high_ptr + row))
    live = (members < GROUP)[:, None] & (dims < D)[None, :]
    q = tl.load(q_ptr + row * q_s + (head * GROUP + members)[:, None] * q_h + dims[None, :], mask=live, other=0.0).to(UP)
    place = k_ptr + head * k_h + column.to(tl.int64)[:, None] * k_n + dims[None, :]
    wanted = allowed[:, None] & (dims < D)[None, :]
    k = tl.load(place, mask=wanted, other=0.0).to(UP)
    if BOX:
        lowest = tl.load(place + D, mask=wanted, other=0.0).to(UP)
        s = tl.dot(tl.maximum(q, 0.0).to(UP), tl.trans(k), input_precision="tf32x3", out_dtype=ACC)
        s += tl.dot(tl.minimum(q, 0.0).to(UP), tl.trans(lowest), input_precision="tf32x3", out_dtype=ACC)
    else:
        s = tl.dot(q, tl.trans(k), input_precision="tf32x3", out_dtype=ACC)
    s = tl.where((members < GROUP)[:, None] & allowed[None, :], s * scale, float("-inf"))
    if MODE == 0:
        tl.store(out_ptr + row * o_s + head * o_h + column, tl.max(s, 0), mask=inside)
    elif MODE == 1:
        top = tl.max(s, 1)
        safe = tl.where(top == float("-inf"), 0.0, top)
        total = tl.sum(tl.exp(s - safe[:, None]), 1)
        lse = tl.where(total > 0, safe + tl.log(tl.where(total > 0, total, 1.0)), float("-inf"))
        tl.store(out_ptr + row * o_s + (head * GROUP + members) * o_h + tile, lse, mask=members < GROUP)
    else:
        lse = tl.load(lse_ptr + row * l_s + head * GROUP + members, mask=members < GROUP, other=0.0)
        safe = tl.where(lse == float("-inf"), 0.0, lse)
        votes = tl.sum(tl.exp(s - safe[:, None]), 0)
        tl.store(out_ptr + row * o_s + head * o_h + column, tl.where(allowed, votes, float("-inf")), mask=inside)


@triton.jit(do_not_specialize=["chunks"])
def descend_kernel(
    q_ptr, k_ptr, chunk_ptr, high_ptr, out_ptr, q_s, q_h, k_h, k_n, c_s, c_h, o_s, o_h, chunks,
    SPAN: tl.constexpr, GROUP: tl.constexpr, GP: tl.constexpr, D: tl.constexpr, BD: tl.constexpr, BN: tl.constexpr,
    UP: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """One lane a chunk; every step loads the two middle keys of each."""
    row, head = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    lane = tl.program_id(2) * BN + tl.arange(0, BN)
    members, dims = tl.arange(0, GP), tl.arange(0, BD)
    live = (members < GROUP)[:, None] & (dims < D)[None, :]
    q = tl.load(q_ptr + row * q_s + (head * GROUP + members)[:, None] * q_h + dims[None, :], mask=live, other=0.0).to(UP)
    begin = tl.load(chunk_ptr + row * c_s + head * c_h + lane, mask=lane < chunks, other=-1)
    inside = (begin >= 0) & (begin + SPAN <= tl.load(high_ptr + row))
    left = tl.where(inside, begin, 0).to(tl.int64)
    keys = k_ptr + head * k_h + dims[None, :]
    wanted = inside[:, None] & (dims < D)[None, :]
    off = (members >= GROUP)[:, None]
    span = SPAN
    value = tl.full([BN], float("-inf"), dtype=ACC)
    if SPAN == 1:
        k = tl.load(keys + left[:, None] * k_n, mask=wanted, other=0.0).to(UP)
        s = tl.dot(q, tl.trans(k), input_precision="tf32x3", out_dtype=ACC)
        value = tl.max(tl.where(off, float("-inf"), s), 0)
    while span > 1:
        half = span // 2
        k = tl.load(keys + (left + half // 2)[:, None] * k_n, mask=wanted, other=0.0).to(UP)
        s = tl.dot(q, tl.trans(k), input_precision="tf32x3", out_dtype=ACC)
        lower = tl.max(tl.where(off, float("-inf"), s), 0)
        k = tl.load(keys + (left + half + (span - half) // 2)[:, None] * k_n, mask=wanted, other=0.0).to(UP)
        s = tl.dot(q, tl.trans(k), input_precision="tf32x3", out_dtype=ACC)
        upper = tl.max(tl.where(off, float("-inf"), s), 0)
        value = tl.maximum(lower, upper)
        left = tl.where(lower >= upper, left, left + half)
        span = half
    tl.store(out_ptr + row * o_s + head * o_h + lane, tl.where(inside, value, float("-inf")), mask=lane < chunks)


@triton.jit(do_not_specialize=["columns"])
def select_kernel(
    score_ptr, count_ptr, index_ptr, columns, width, BN: tl.constexpr
):  # fmt: skip
    """Score and column make one sortable number: the float's bits in its order above, the column (smaller first) below."""
    row = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, BN)
    scores = tl.load(score_ptr + row * columns + lane, mask=lane < columns, other=float("-inf")).to(tl.float32)
    bits = scores.to(tl.int32, bitcast=True)
    ordered = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.int64)
    ranked = tl.sort((ordered << 32) | (BN - 1 - lane).to(tl.int64), descending=True)
    column = BN - 1 - (ranked & 0xFFFFFFFF).to(tl.int32)
    lowest = float("-inf")
    bits = (ranked >> 32).to(tl.int32)
    back = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.float32, bitcast=True)
    chosen = (back > lowest) & (lane < width)
    count = tl.sum(chosen.to(tl.int32), 0)
    kept = tl.sort(tl.where(chosen, column, BN))
    tl.store(index_ptr + row * width + lane, tl.where(lane < count, kept, 0).to(tl.int64), mask=lane < width)
    tl.store(count_ptr + row, count.to(tl.int64))
