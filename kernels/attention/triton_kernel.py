"""The one Triton kernel of attention, prefill and decode: a program takes a tile of packed query rows of one key head and walks
over the key tiles it may see; with several splits the keys are dealt out and `merge_kernel` joins the answers.

Only what Triton 3.6 to 3.9 share: plain pointers, no block pointers, and nothing the interpreter lacks. Sums are float32
(``ACC``), float64 where the interpreter checks the logic. Algorithm: FlashAttention-2 (arXiv 2307.08691), flash-decoding's
split.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _span(
    q_pos, live, window, sink, length, count, RANGE: tl.constexpr, LISTS: tl.constexpr, KPOS: tl.constexpr, BN: tl.constexpr,
    SIZE: tl.constexpr,
):  # fmt: skip
    """Which key rows a tile walks: sink [0, sink_end), then [low, high), then ``count`` listed blocks; as numbers of tiles."""
    newest = tl.max(q_pos, 0)
    oldest = tl.min(tl.where(live, q_pos, newest), 0)
    low, high, sink_end = length * 0, length * 0, length * 0
    if RANGE:
        if KPOS:
            high = length
        else:
            low = tl.minimum(tl.maximum(oldest - window + 1, 0), length)
            high = tl.minimum(newest + 1, length)
            sink_end = tl.minimum(tl.minimum(sink, low), high)
    sink_tiles = tl.cdiv(sink_end, BN)
    range_tiles = sink_tiles + tl.cdiv(tl.maximum(high - low, 0), BN)
    tiles = range_tiles
    if LISTS:
        if RANGE:
            count = tl.where(window > newest, 0, count)  # a full head sees everything already
        tiles += tl.cdiv(count * SIZE, BN)
    return sink_end, low, high, sink_tiles, range_tiles, tiles, count


@triton.jit
def _rows(
    i, index_ptr, sink_end, low, high, sink_tiles, range_tiles, count, length, LISTS: tl.constexpr, BN: tl.constexpr,
    SIZE: tl.constexpr,
):  # fmt: skip
    """The key rows of tile ``i``, and which of its lanes hold one."""
    lanes = tl.arange(0, BN)
    in_sink, in_list = i < sink_tiles, i >= range_tiles
    row = tl.where(in_sink, i * BN, low + (i - sink_tiles) * BN) + lanes
    held = row < tl.where(in_sink, sink_end, high)
    if LISTS:
        entry = (i - range_tiles) * BN + lanes
        named = (entry >= 0) & (entry < count * SIZE)  # a plain bool with & would make the mask an integer in 3.9
        block = tl.load(index_ptr + entry // SIZE, mask=named, other=0)
        row = tl.where(in_list, block.to(tl.int32) * SIZE + entry % SIZE, row)
        held = tl.where(in_list, named & (row < length), held)
    return row, held, in_list


@triton.jit
def _bent(s, softcap):
    """softcap * tanh(s / softcap); the interpreter has no tanh."""
    small = tl.exp(-2.0 * tl.abs(s / softcap))
    return softcap * tl.where(s < 0, -1.0, 1.0) * (1.0 - small) / (1.0 + small)


@triton.jit
def _log_softplus(x):
    """log log(1 + e^x). Below zero it is x plus a ratio's logarithm, which holds its digits however small e^x is."""
    small = tl.exp(-tl.abs(x))
    more = 1.0 + small
    grown = tl.log(more)
    ratio = tl.where(more > 1.0, grown / tl.where(more > 1.0, more - 1.0, 1.0), 1.0)
    return tl.minimum(x, 0.0) + tl.log(tl.where(x > 0, x + grown, ratio))


@triton.jit
def _sigmoid(x):
    small = tl.exp(-tl.abs(x))
    return tl.where(x < 0, small, 1.0) / (1.0 + small)


@triton.jit
def _weights(s, top, SIGMOID: tl.constexpr):
    """What the keys of a tile weigh, the largest logit so far, and what brings the weights before to it."""
    if SIGMOID:  # each by itself: ``top`` stays 0
        p, new_top, shrink = _sigmoid(s), top, tl.zeros_like(top) + 1.0
    else:
        new_top = tl.maximum(top, tl.max(s, 1))
        safe = tl.where(new_top == float("-inf"), 0.0, new_top)
        p, shrink = tl.exp(s - safe[:, None]), tl.exp(top - safe)
    return p, new_top, shrink


@triton.jit
def _with_sink(top, total, acc, sink_logit):
    """One more key without a value."""
    new_top = tl.maximum(top, sink_logit)
    shrink = tl.exp(top - new_top)
    return new_top, total * shrink + tl.exp(sink_logit - new_top), acc * shrink[:, None]


@triton.jit(do_not_specialize=["tokens", "span", "splits"])
def attend_kernel(
    q_ptr, k_ptr, v_ptr, out_ptr, lse_ptr,
    rows_ptr,  # int32 [P, 5]: first and end query row, first and end key row, list; one row for each tile of packed rows
    qpos_ptr, kpos_ptr, window_ptr,  # int32 [T], [N], [KV]
    count_ptr, index_ptr, bias_ptr, sink_ptr, kscale_ptr, vscale_ptr,
    q_h, q_t, k_h, k_n, v_h, v_n, o_s, o_h, o_t, l_s, l_h, b_h, s_h, c_s, i_s, i_h, x_h, x_t,
    tokens, sink, span, splits,
    scale, softcap, steep, power,
    GROUP: tl.constexpr, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, SIZE: tl.constexpr,
    RANGE: tl.constexpr, LISTS: tl.constexpr, KPOS: tl.constexpr, BIAS: tl.constexpr, SINK: tl.constexpr, CAP: tl.constexpr,
    QUANT: tl.constexpr, SOFTPLUS: tl.constexpr, SIGMOID: tl.constexpr, UP: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """``window`` of a full head is larger than any position. ``RANGE``: sink and window are walked; ``LISTS``: blocks.

    ``SOFTPLUS`` and ``SIGMOID`` weigh otherwise than a softmax (`gpu.attend`); what is not asked for is not compiled.
    """
    tile, head, split = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    first, end = tl.load(rows_ptr + tile * 5), tl.load(rows_ptr + tile * 5 + 1)
    k_first, k_end = tl.load(rows_ptr + tile * 5 + 2), tl.load(rows_ptr + tile * 5 + 3)
    which = tl.load(rows_ptr + tile * 5 + 4)
    packed, dims = tl.arange(0, BM), tl.arange(0, BD)
    token, query_head = first + packed // GROUP, head * GROUP + packed % GROUP
    live = token < end
    at = query_head[:, None] * q_h + token[:, None].to(tl.int64) * q_t + dims[None, :]
    q = tl.load(q_ptr + at, mask=live[:, None] & (dims[None, :] < D), other=0.0).to(UP)
    q_pos = tl.load(qpos_ptr + token, mask=live, other=-1)
    window, length = tl.load(window_ptr + head), k_end - k_first
    count = tl.load(count_ptr + which * c_s + head).to(tl.int32) if LISTS else length * 0
    sink_end, low, high, sink_tiles, range_tiles, tiles, count = _span(
        q_pos, live, window, sink, length, count, RANGE, LISTS, KPOS, BN, SIZE
    )
    lists = index_ptr + which * i_s + head * i_h
    seen_keys = tl.maximum(q_pos + 1, 1).to(ACC)  # how many keys a row that sees all before it sees
    top = tl.full([BM], 0.0 if SIGMOID else float("-inf"), dtype=ACC)
    total = tl.zeros([BM], dtype=ACC)
    acc = tl.zeros([BM, BD], dtype=ACC)
    share = tl.cdiv(tiles, splits)
    for i in range(split * share, tl.minimum((split + 1) * share, tiles)):
        row, held, in_list = _rows(i, lists, sink_end, low, high, sink_tiles, range_tiles, count, length, LISTS, BN, SIZE)
        k_row, k_pos = (k_first + row).to(tl.int64), row
        if KPOS:
            k_pos = tl.load(kpos_ptr + k_row, mask=held, other=-1)
            held = held & (k_pos >= 0)
        seen = held[None, :] & (k_pos[None, :] <= q_pos[:, None]) & live[:, None]
        if RANGE:  # a listed key that is near was counted as near
            near = (k_pos[None, :] < sink) | (k_pos[None, :] > q_pos[:, None] - window)
            seen = seen & (near ^ in_list)
        # Unseen rows are not loaded, so garbage cannot reach a sum, not even times zero.
        wanted = held[:, None] & (dims[None, :] < D)
        k = tl.load(k_ptr + head * k_h + k_row[:, None] * k_n + dims[None, :], mask=wanted, other=0).to(UP)
        v = tl.load(v_ptr + head * v_h + k_row[:, None] * v_n + dims[None, :], mask=wanted, other=0).to(UP)
        s = tl.dot(q, tl.trans(k), input_precision="tf32x3", out_dtype=ACC) * scale
        if QUANT:
            s = s * tl.load(kscale_ptr + head * s_h + k_row, mask=held, other=0.0)[None, :]
        if CAP:
            s = _bent(s, softcap)
        if BIAS:
            s = s + tl.load(bias_ptr + head * b_h + k_row, mask=held, other=0.0)[None, :]
        if SOFTPLUS:
            s = power * _log_softplus(s * (steep * tl.log(seen_keys + 1.718281828459045))[:, None])
        if SIGMOID:
            s = s - tl.log(seen_keys)[:, None]
        s = tl.where(seen, s, float("-inf"))
        p, top, shrink = _weights(s, top, SIGMOID)
        total = total * shrink + tl.sum(p, 1)
        if QUANT:
            p = p * tl.load(vscale_ptr + head * s_h + k_row, mask=held, other=0.0)[None, :]
        acc = acc * shrink[:, None] + tl.dot(p.to(UP), v, input_precision="tf32x3", out_dtype=ACC)
    if SINK:  # noqa: SIM102 (one is known when compiling, the other when running)
        if split == 0:
            sink_at = query_head * x_h + token.to(tl.int64) * x_t
            top, total, acc = _with_sink(top, total, acc, tl.load(sink_ptr + sink_at, mask=live, other=0.0).to(ACC))
    some = total > 0
    divisor = tl.where(some, total, 1.0)
    lse = tl.where(some, top + tl.log(divisor), float("-inf"))
    to = split.to(tl.int64) * o_s + query_head[:, None] * o_h + token[:, None].to(tl.int64) * o_t + dims[None, :]
    if not SIGMOID:
        acc = acc / divisor[:, None]
    tl.store(out_ptr + to, acc.to(out_ptr.dtype.element_ty), mask=live[:, None] & (dims[None, :] < D))
    tl.store(lse_ptr + split.to(tl.int64) * l_s + query_head * l_h + token, lse.to(lse_ptr.dtype.element_ty), mask=live)


@triton.jit(do_not_specialize=["count"])
def merge_kernel(
    outs_ptr, lses_ptr, out_ptr, lse_ptr, o_n, o_r, l_n, count, D: tl.constexpr, BD: tl.constexpr, ACC: tl.constexpr
):  # fmt: skip
    """One program joins the ``count`` answers of one row: outs [n, R, D], lses [n, R]."""
    row = tl.program_id(0).to(tl.int64)
    dims = tl.arange(0, BD)
    at, place = lses_ptr + row, outs_ptr + row * o_r + dims  # stepped on by a part: a number times its size may pass 2 ** 31
    top = tl.load(at).to(ACC)
    for _ in range(1, count):
        at += l_n
        top = tl.maximum(top, tl.load(at).to(ACC))
    safe = tl.where(top == float("-inf"), 0.0, top)
    total = safe * 0.0
    acc = tl.zeros([BD], dtype=ACC)
    at = lses_ptr + row
    for _ in range(count):
        weight = tl.exp(tl.load(at).to(ACC) - safe)
        total += weight
        acc += weight * tl.load(place, mask=dims < D, other=0.0).to(ACC)
        at += l_n
        place += o_n
    some = total > 0
    tl.store(out_ptr + row * D + dims, (acc / tl.where(some, total, 1.0)).to(out_ptr.dtype.element_ty), mask=dims < D)
    lse = tl.where(some, safe + tl.log(tl.where(some, total, 1.0)), float("-inf"))
    tl.store(lse_ptr + row, lse.to(lse_ptr.dtype.element_ty))
