"""S4D in Triton: whole texts as products of small matrices, one token in one launch.

A channel's text is cut into chunks of L steps. Inside a chunk the answer is a product with the first L taps of the
convolution; between chunks only the N states are carried, by a scan that is L times shorter than the text. So [B, T, C, N]
never lies in memory, and all but the scan is work for tensor cores (the matrices are those of Mamba-2's blocks, arXiv
2405.21060, section 6, with one decay for each state of a channel).

Only what Triton 3.6 to 3.9 share; ACC and PRECISION as in `kernels.linear.triton_kernel`. Contracts: `kernels.mixers.s4d_gpu`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.linear.triton_kernel import compose_complex, times


@triton.jit
def _complex(at, mask, ACC: tl.constexpr):
    return tl.load(at, mask=mask, other=0.0).to(ACC), tl.load(at + 1, mask=mask, other=0.0).to(ACC)


@triton.jit(do_not_specialize=["T"])  # a length that grows by one must not compile anew
def diagonal_kernel(
    x_ptr, tap_ptr, power_ptr, weight_ptr, out_ptr,  # [B, C, T], [C, L], [C, N, L + 1] and [C, N] of two parts, [B, C, T]
    T, channels,
    N: tl.constexpr, BN: tl.constexpr, L: tl.constexpr, BM: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One program answers for one channel of one text. A turn's rows are chunks, so that many of them make one product."""
    channel, text = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    steps, chunks, states = tl.arange(0, L), tl.arange(0, BM), tl.arange(0, BN)
    lag = steps[None, :] - steps[:, None]
    taps = tl.load(tap_ptr + channel * L + lag, mask=lag >= 0, other=0.0).to(ACC)  # [from, to]
    powers, mine = power_ptr + (channel * N + states) * (L + 1) * 2, states < N
    # What each step of a chunk leaves in the states when it ends, and what states say at each step of the chunk after.
    left, left_i = _complex(powers[None, :] + (L - 1 - steps)[:, None] * 2, mine[None, :], ACC)
    said, said_i = _complex(powers[:, None] + (1 + steps)[None, :] * 2, mine[:, None], ACC)
    weight, weight_i = _complex(weight_ptr + (channel * N + states) * 2, mine, ACC)
    said, said_i = times(2.0 * weight[:, None], 2.0 * weight_i[:, None], said, said_i)
    kept, kept_i = _complex(powers + L * 2, mine, ACC)
    nothing = tl.zeros([BM, BN], dtype=ACC)
    held, held_i = tl.zeros([BN], dtype=ACC), tl.zeros([BN], dtype=ACC)
    first = (text * channels + channel) * T
    for start in range(0, T, BM * L):
        at = start + chunks[:, None] * L + steps[None, :]
        values = tl.load(x_ptr + first + at, mask=at < T, other=0.0).to(ACC)
        before = tl.load(x_ptr + first + at - L, mask=(at >= L) & (at < T + L), other=0.0).to(ACC)
        grown = tl.dot(before, left, input_precision=PRECISION, out_dtype=ACC)
        grown_i = tl.dot(before, left_i, input_precision=PRECISION, out_dtype=ACC)
        through, through_i, entering, entering_i = tl.associative_scan(
            (nothing + kept[None, :], nothing + kept_i[None, :], grown, grown_i), 0, compose_complex
        )
        old, old_i = times(through, through_i, held[None, :], held_i[None, :])
        entering, entering_i = entering + old, entering_i + old_i
        found = tl.dot(values, taps, input_precision=PRECISION, out_dtype=ACC)
        found += tl.dot(entering, said, input_precision=PRECISION, out_dtype=ACC)
        found -= tl.dot(entering_i, said_i, input_precision=PRECISION, out_dtype=ACC)
        tl.store(out_ptr + first + at, found.to(out_ptr.dtype.element_ty), mask=at < T)
        held = tl.sum(tl.where((chunks == BM - 1)[:, None], entering, 0.0), axis=0)
        held_i = tl.sum(tl.where((chunks == BM - 1)[:, None], entering_i, 0.0), axis=0)


@triton.jit
def diagonal_step_kernel(
    x_ptr, dt_ptr, decay_ptr, angle_ptr, read_ptr, skip_ptr,  # [B, C], then a `System`, ``read`` of two parts
    state_ptr, out_ptr, new_ptr,  # [B, C, N] of two parts, [B, C], [B, C, N] of two parts
    channels, N: tl.constexpr, BN: tl.constexpr, BC: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """`System.discrete`, the turn of the states and their sum, for some channels of one text."""
    rows, states = tl.program_id(0).to(tl.int64) * BC + tl.arange(0, BC), tl.arange(0, BN)
    here = rows < channels
    mask, own = here[:, None] & (states < N)[None, :], rows[:, None] * N + states[None, :]
    dt = tl.exp(tl.load(dt_ptr + rows, mask=here, other=0.0).to(ACC))[:, None]
    pole = -tl.exp(tl.load(decay_ptr + own, mask=mask, other=0.0).to(ACC))
    pole_i = tl.load(angle_ptr + own, mask=mask, other=0.0).to(ACC)
    size = tl.exp(pole * dt)
    turned, turned_i = size * tl.cos(pole_i * dt), size * tl.sin(pole_i * dt)
    square = pole * pole + pole_i * pole_i
    held, held_i = times(turned - 1.0, turned_i, pole / square, -pole_i / square)
    read, read_i = _complex(read_ptr + own * 2, mask, ACC)
    weight, weight_i = times(read, read_i, held, held_i)
    first = tl.program_id(1).to(tl.int64) * channels
    at = first * N + own
    state, state_i = _complex(state_ptr + at * 2, mask, ACC)
    state, state_i = times(turned, turned_i, state, state_i)
    x = tl.load(x_ptr + first + rows, mask=here, other=0.0).to(ACC)
    state += x[:, None]
    tl.store(new_ptr + at * 2, state, mask=mask)
    tl.store(new_ptr + at * 2 + 1, state_i, mask=mask)
    skip = tl.load(skip_ptr + rows, mask=here, other=0.0).to(ACC)
    found = 2.0 * tl.sum(tl.where(mask, weight * state - weight_i * state_i, 0.0), axis=1) + skip * x
    tl.store(out_ptr + first + rows, found.to(out_ptr.dtype.element_ty), mask=here)
