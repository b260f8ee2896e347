"""The Triton kernel of `kernels.exit_head.gpu`: norm, output matrix and the best of a tile of the vocabulary in one pass.

Only what Triton 3.6 to 3.9 share.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["tokens", "vocabulary"])
def best_kernel(
    x_ptr, norm_ptr, head_ptr, size_ptr, top_ptr, token_ptr, lse_ptr, x_t, w_v, p_t, tokens, vocabulary, eps,
    K: tl.constexpr, BT: tl.constexpr, BV: tl.constexpr, BK: tl.constexpr, SIZED: tl.constexpr, UP: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """The norm's factor is one number a row, so it is put on the logits: rows are squared while they are multiplied."""
    tile = tl.program_id(0)
    row = tile * BV + tl.arange(0, BV)
    token = tl.program_id(1) * BT + tl.arange(0, BT)
    ks = tl.arange(0, BK)
    acc = tl.zeros([BT, BV], dtype=ACC)
    squares = tl.zeros([BT], dtype=ACC)
    for k in range(0, K, BK):
        inside = (k + ks) < K
        x = tl.load(
            x_ptr + token[:, None] * x_t + (k + ks)[None, :], mask=(token < tokens)[:, None] & inside[None, :], other=0.0
        )
        x = x.to(ACC)
        squares += tl.sum(x * x, 1)
        x = x * tl.load(norm_ptr + k + ks, mask=inside, other=0.0).to(ACC)[None, :]
        at = head_ptr + row.to(tl.int64)[:, None] * w_v + (k + ks)[None, :]
        w = tl.load(at, mask=(row < vocabulary)[:, None] & inside[None, :], other=0)
        acc += tl.dot(x.to(UP), tl.trans(w.to(UP)), input_precision="tf32x3", out_dtype=ACC)
    logits = acc * (1.0 / tl.sqrt(squares / K + eps))[:, None]
    if SIZED:
        logits = logits * tl.load(size_ptr + row, mask=row < vocabulary, other=0.0).to(ACC)[None, :]
    logits = tl.where((row < vocabulary)[None, :], logits, float("-inf"))
    top = tl.max(logits, 1)
    winner = tl.min(tl.where(logits == top[:, None], row[None, :], 2147483647), 1)
    lse = top + tl.log(tl.sum(tl.exp(logits - top[:, None]), 1))
    to = token * p_t + tile
    tl.store(top_ptr + to, top, mask=token < tokens)
    tl.store(token_ptr + to, winner.to(tl.int64), mask=token < tokens)
    tl.store(lse_ptr + to, lse, mask=token < tokens)
