"""S4D on a GPU: lays out the work and starts the Triton kernels. Importing it needs triton.

Same contracts as in `kernels.mixers.s4d`, forward only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.launch import power, sums
from kernels.mixers.s4d import System
from kernels.mixers.triton_kernel import diagonal_kernel, diagonal_step_kernel

CHUNK = 32
CHUNKS = 16
"""Chunks of a program's turn, the fewest rows of a product: a text of 16,384 steps takes 32 turns."""
STEPPED = 1024
"""States of a program's channels in a step: eight a thread, each in two parts."""


def mix(x: Tensor, system: System) -> Tensor:
    """See `s4d.mix`; the answer lies in memory channel by channel."""
    texts, steps, channels = x.shape
    states = system.angle.shape[1]
    powers = torch.exp(system.rates()[..., None] * torch.arange(CHUNK + 1, device=x.device))
    _, weights = system.discrete()
    taps = 2 * (weights[..., None] * powers[..., :-1]).sum(dim=1).real
    taps[:, 0] += system.skip
    rows = x.transpose(1, 2).contiguous()
    out = torch.empty_like(rows)
    diagonal_kernel[(channels, texts)](
        rows, taps, *(torch.view_as_real(each.contiguous()) for each in (powers, weights)), out, steps, channels,
        N=states, BN=power(states), L=CHUNK, BM=CHUNKS, ACC=sums(x),
        PRECISION="tf32" if x.dtype in (torch.float16, torch.bfloat16) else "tf32x3", num_stages=2,
    )  # fmt: skip
    return out.transpose(1, 2)


def step(x: Tensor, system: System, state: Tensor) -> tuple[Tensor, Tensor]:
    """See `s4d.step`."""
    texts, channels = x.shape
    states = system.angle.shape[1]
    held = torch.view_as_real(state.contiguous())
    out, new = torch.empty_like(x, memory_format=torch.contiguous_format), torch.empty_like(held)
    wide = power(states)
    block = STEPPED // wide
    own = (system.log_dt, system.log_decay, system.angle, torch.view_as_real(system.read.contiguous()), system.skip)
    diagonal_step_kernel[((channels + block - 1) // block, texts)](
        x.contiguous(), *(each.contiguous() for each in own), held, out, new, channels,
        N=states, BN=wide, BC=block, ACC=sums(x),
    )  # fmt: skip
    return out, torch.view_as_complex(new)
